"""Read records out of a slice of a file of JSON lines.

Theory of operation: a line is a record, and a slice has the lines that begin in it: a reader that
starts inside a line passes over its rest, which the reader before it has. Lines are read in bounded
parts, and one over the limit is left out without being held. A `.json` file may be a document or
JSON lines, as many corpora have them: its first lines tell.
"""

import codecs
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from qmpi.ingest.read.files import FAULTS, Fields, Record, Refusal, unpacked
from qmpi.ingest.read.sound_parts import Part, sound_stream
from qmpi.ingest.scan import Scan, Slice, SourceFile, plain_suffix

_LONGEST_LINE = 64 << 20
_LONGEST_IDENTITY = 200
_SUFFIXES = (".jsonl", ".ndjson")
_LOOKED_AT = 4
"""Lines."""


class _Refused(Exception):  # noqa: N818 - never leaves this module
    pass


def is_json_lines(file: SourceFile) -> bool:
    """Whether a file holds JSON lines, compressed or not: its name says so, or its first lines.

    Args:
        file: after `with_lines_marked`.

    Returns:
        True if it does.
    """
    return file.lines or plain_suffix(file.path) in _SUFFIXES


def with_lines_marked(found: Scan, fields: Fields) -> Scan:
    """Look into the `.json` files of a walk for those that hold JSON lines.

    Args:
        found: by the walk.
        fields: keys of records.

    Returns:
        The same, with these marked.
    """
    files = [
        msgspec.structs.replace(file, lines=True) if _holds_lines(file, fields) else file
        for file in found.files
    ]
    return Scan(files, found.left_out)


def _holds_lines(file: SourceFile, fields: Fields) -> bool:
    if plain_suffix(file.path) != ".json":
        return False
    try:
        with unpacked(file) as stream:
            lines = _first_lines(stream)
    except FAULTS:
        # What is wrong with it is told when it is read.
        return False
    if not all(line.startswith(b"{") for line in lines):
        return False
    records = [record for line in lines if (record := _object(line)) is not None]
    if len(lines) == 1:
        # One line is a document, unless it has the text that is looked for.
        return any(isinstance(record.get(fields.text), str) for record in records)
    return bool(records)


def _first_lines(stream: BinaryIO) -> list[bytes]:
    lines: list[bytes] = []
    for _ in range(_LOOKED_AT):
        line = stream.readline(_LONGEST_LINE)
        if line.strip():
            lines.append(line.removeprefix(codecs.BOM_UTF8).strip())
        if not line.endswith(b"\n"):
            break
    return lines


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def json_records(file: SourceFile, piece: Slice, fields: Fields) -> Iterator[Record | Refusal]:
    """Read one slice of a file of JSON lines.

    Args:
        file: the file.
        piece: which part of it.
        fields: keys of records.

    Yields:
        Records, and what is none, in order; last, how many lines there were. It may raise
        `FAULTS`.
    """
    with unpacked(file) as stream:
        yield from _json_records(stream, piece, fields)


def sound_json_records(
    file: SourceFile, parts: list[Part], fields: Fields
) -> Iterator[Record | Refusal]:
    """Read the sound parts of a compressed file of JSON lines.

    Args:
        file: the file.
        parts: of `parts_of`.
        fields: keys of records.

    Yields:
        As `json_records`; lines are counted without those that are lost.
    """
    with sound_stream(file, parts) as stream:
        yield from _json_records(stream, Slice(0, 0, -1), fields)


def _json_records(stream: BinaryIO, piece: Slice, fields: Fields) -> Iterator[Record | Refusal]:
    offset = piece.begin
    if piece.begin:
        # The line that begins before the slice belongs to the one before.
        stream.seek(piece.begin - 1)
        offset += sum(map(len, _line(stream))) - 1
    decoder = _decoder(fields)
    number, told = 0, False
    while piece.end == -1 or offset < piece.end:
        parts = _line(stream)
        line = next(parts, b"")
        rest = sum(map(len, parts))
        if not line:
            break
        number += 1
        if rest:
            yield Refusal(number, offset, "JSON line over 64 MiB", len(line) + rest)
        elif not line.isspace():
            yield _json_record(line, number, offset, decoder, fields)
        told = told or bool(rest) or not line.isspace()
        offset += len(line) + rest
    if not told and (piece.begin, piece.end) == (0, -1):
        yield Refusal(0, 0, "empty", offset)
    yield Refusal(number, offset, "", 0)


def _line(stream: BinaryIO) -> Iterator[bytes]:
    # A line in parts of bounded size.
    while part := stream.readline(_LONGEST_LINE):
        yield part
        if part.endswith(b"\n"):
            return


def _decoder(fields: Fields) -> msgspec.json.Decoder[Any]:
    # Only the two fields are built; the rest of a record is passed over several times faster.
    kind = msgspec.defstruct(
        "JsonRecord",
        [("text", str), ("identity", msgspec.Raw, msgspec.Raw())],
        # A record cannot give one key to two fields.
        rename={
            "text": fields.text,
            "identity": "\0" if fields.identity == fields.text else fields.identity,
        },
    )
    return msgspec.json.Decoder(kind)


def _json_record(
    line: bytes, number: int, offset: int, decoder: msgspec.json.Decoder[Any], fields: Fields
) -> Record | Refusal:
    try:
        text, identity = _fields_of(line, decoder, fields)
    except _Refused as refusal:
        return Refusal(number, offset, str(refusal), len(line))
    if not text.strip():
        return Refusal(number, offset, "empty", len(line))
    return Record(text, number, offset, identity, "")


def _fields_of(line: bytes, decoder: msgspec.json.Decoder[Any], fields: Fields) -> tuple[str, str]:
    try:
        record = decoder.decode(line)
        return record.text, _identity(bytes(record.identity))
    except msgspec.ValidationError as error:
        raise _Refused(f"no text field {fields.text!r}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _lenient_fields(line, fields)


def _lenient_fields(line: bytes, fields: Fields) -> tuple[str, str]:
    # NaN and Infinity are no JSON, but Python and others write them into dumps.
    try:
        # Given bytes, Python would guess at other encodings, line by line.
        record = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _Refused("not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise _Refused("not JSON") from error
    text = record.get(fields.text) if isinstance(record, dict) else None
    if not isinstance(text, str):
        raise _Refused(f"no text field {fields.text!r}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _Refused("not UTF-8") from error
    return text, _identity(json.dumps(record.get(fields.identity)).encode())


def _identity(raw: bytes) -> str:
    # A string stands for itself, all else for how it is written: a number may have any length.
    if raw in {b"", b"null"}:
        return ""
    if not raw.startswith(b'"'):
        return raw[:_LONGEST_IDENTITY].decode("utf-8", "ignore")
    try:
        return msgspec.json.decode(raw, type=str)[:_LONGEST_IDENTITY]
    except (msgspec.DecodeError, RecursionError):
        # Half of a surrogate pair, which no file can hold.
        return str(json.loads(raw)).encode("utf-8", "backslashreplace").decode()[:_LONGEST_IDENTITY]
