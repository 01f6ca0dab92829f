"""Read records out of a slice of a Parquet file.

Theory of operation: a slice has the row groups whose first column begins in its byte range, so any
number of readers share a file without reading more than its footer twice. Only the text and the
identity columns are read, in small batches through a bounded buffer. A cell that is not UTF-8 costs
its row; a damaged page costs the rows from it to the end of its row group. pyarrow is an optional
dependency: it is 55 MB, and text and JSON need none of it.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from qmpi.errors import InputError
from qmpi.ingest.read.files import Fields, Record, Refusal, open_file, unpacked
from qmpi.ingest.scan import Slice, SourceFile, packing, plain_suffix

if TYPE_CHECKING:
    import pyarrow.parquet

_SUFFIXES = (".parquet", ".pq")
_ROWS = 256
_BUFFER = 1 << 20
_LONGEST_IDENTITY = 200


def is_parquet(path: bytes) -> bool:
    """Whether a file's name says Parquet, compressed or not.

    Args:
        path: of the file.

    Returns:
        True if it does.
    """
    return plain_suffix(path) in _SUFFIXES


def require_parquet() -> None:
    """Make sure that Parquet can be read.

    Raises:
        InputError: pyarrow is missing.
    """
    try:
        import pyarrow.parquet  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise InputError(
            "reading Parquet needs pyarrow; install it with: pip install 'qmpi[ingest]'"
        ) from error


def parquet_records(
    file: SourceFile, piece: Slice, fields: Fields, scratch: Path
) -> Iterator[Record | Refusal]:
    """Read one slice of a Parquet file.

    Args:
        file: the file.
        piece: which part of it.
        fields: names of columns.
        scratch: directory for a compressed file's content while it is read.

    Yields:
        Records, and what is none, in order; numbers count from the first row of the file.

    Raises:
        EOFError: the file is damaged.
    """
    import pyarrow
    import pyarrow.parquet as pq

    with _seekable(file, scratch) as stream:
        try:
            reader = pq.ParquetFile(
                stream, buffer_size=_BUFFER, pre_buffer=False, page_checksum_verification=True
            )
            columns = _columns(reader, fields)
            if not columns:
                if piece.begin == 0:
                    yield Refusal(0, 0, f"no text field {fields.text!r}", file.size)
                return
            if piece.begin == 0 and not reader.metadata.num_rows:
                yield Refusal(0, 0, "empty", 0)
            for group, first in _row_groups(reader, piece):
                yield from _group(reader, group, first, columns)
        except (pyarrow.ArrowException, UnicodeDecodeError) as error:
            raise EOFError(f"damaged Parquet: {error}") from error


@contextmanager
def _seekable(file: SourceFile, scratch: Path) -> Iterator[BinaryIO]:
    if not packing(file.path):
        with open_file(file) as stream:
            yield stream
        return
    # Parquet is read from its end, which a compressed stream cannot do.
    with unpacked(file) as packed, tempfile.TemporaryFile(dir=scratch) as stream:
        shutil.copyfileobj(packed, stream, _BUFFER)
        stream.seek(0)
        yield stream


def _columns(reader: "pyarrow.parquet.ParquetFile", fields: Fields) -> list[str]:
    import pyarrow.types as kinds

    schema = reader.schema_arrow
    if schema.get_field_index(fields.text) < 0:
        return []
    kind = schema.field(fields.text).type
    if kinds.is_dictionary(kind):
        kind = kind.value_type
    if not (kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind)):
        return []
    known = schema.get_field_index(fields.identity) >= 0 and fields.identity != fields.text
    return [fields.text, *([fields.identity] if known else [])]


def _row_groups(reader: "pyarrow.parquet.ParquetFile", piece: Slice) -> Iterator[tuple[int, int]]:
    first = 0
    for number in range(reader.metadata.num_row_groups):
        group = reader.metadata.row_group(number)
        column = group.column(0)
        start = column.dictionary_page_offset or column.data_page_offset
        if piece.begin <= start and (piece.end == -1 or start < piece.end):
            yield number, first
        first += group.num_rows


def _group(
    reader: "pyarrow.parquet.ParquetFile", number: int, first: int, columns: list[str]
) -> Iterator[Record | Refusal]:
    # What a damaged page takes along ends with the row group; if it is one of the identities, the
    # texts are read without.
    import pyarrow

    done, rows = 0, reader.metadata.row_group(number).num_rows
    for names in (columns, columns[:1])[: len(columns)]:
        try:
            batches = reader.iter_batches(batch_size=_ROWS, row_groups=[number], columns=names)
            seen = 0
            for batch in batches:
                fresh = batch.slice(max(0, done - seen))
                seen += batch.num_rows
                if fresh.num_rows:
                    found = list(_rows(fresh, first + seen - fresh.num_rows, names))
                    done = seen
                    yield from found
        except FileNotFoundError:
            raise  # the file has changed
        except (pyarrow.ArrowException, OSError, ValueError):
            continue
        break
    if done < rows:
        yield Refusal(first + done + 1, 0, "damaged", 0, first + rows)


def _rows(
    batch: "pyarrow.RecordBatch", before: int, columns: list[str]
) -> Iterator[Record | Refusal]:
    texts = _texts(batch.column(columns[0]))
    names = _identities(batch.column(columns[1])) if len(columns) > 1 else [""] * len(texts)
    for number, (text, identity) in enumerate(zip(texts, names, strict=True), before + 1):
        if text is None:
            yield Refusal(number, 0, f"no text field {columns[0]!r}", 0)
        elif isinstance(text, bytes):
            yield Refusal(number, 0, "not UTF-8", len(text))
        elif not text.strip():
            yield Refusal(number, 0, "empty", len(text))
        else:
            yield Record(text, number, 0, identity, "")


def _texts(column: Any) -> list[str | bytes | None]:  # noqa: ANN401 - any of pyarrow's arrays
    # Bytes are what is no UTF-8: nothing checks that when a file is written.
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        return [_decoded(cell) for cell in column]


def _decoded(cell: Any) -> str | bytes | None:  # noqa: ANN401 - any of pyarrow's scalars
    try:
        return cell.as_py()
    except UnicodeDecodeError as error:
        return bytes(error.object)


def _identities(column: Any) -> list[str]:  # noqa: ANN401 - any of pyarrow's arrays
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, ArithmeticError, ImportError):
        values = [_identity(cell) for cell in column]
    return ["" if value is None else str(value)[:_LONGEST_IDENTITY] for value in values]


def _identity(cell: Any) -> Any:  # noqa: ANN401 - any of pyarrow's scalars
    # Python has no dates after the year 9999, and not all bytes are text.
    try:
        return cell.as_py()
    except UnicodeDecodeError as error:
        return bytes(error.object).decode("utf-8", "backslashreplace")
    except (ValueError, ArithmeticError, ImportError):
        return getattr(cell, "value", None)
