"""The file that says which ids each packed row of a corpus holds.

Theory of operation. A header of JSON, then three little-endian tables: where the pieces of each row
begin among all pieces (int64, a row more than there are), each piece's first id (int64) and its ids
(int32). The header names what the rows were made from and a digest over all of it, so a file of
another corpus, of other rules or with a flipped bit is none. It can always be made again; so it is
no part of the corpus. The tables are mapped, not loaded: ranks of one host share their pages.
"""

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from qmpi.errors import CorruptData
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained
from qmpi.units import Digest

_MAGIC = b"qmpi rows 1\n"
_LENGTH_BYTES = 4

Table = np.ndarray[Any, Any]


class _Header(msgspec.Struct, frozen=True):
    identity: str
    rows: int
    pieces: int
    digest: Digest


class PackingIndex:
    """Rows of a corpus.

    Attributes:
        rows: how many.
        digest: of what they were made from and of which ids each holds.
    """

    def __init__(self, header: _Header, bounds: Table, starts: Table, counts: Table) -> None:
        """Use `read_index`."""
        self.rows, self.digest = header.rows, header.digest
        self._bounds, self._starts, self._counts = bounds, starts, counts

    def pieces(self, row: int) -> list[tuple[int, int]]:
        """Return what a row holds.

        Args:
            row: 0 <= row < rows.

        Returns:
            (first id, ids) of each piece, in order.
        """
        first, last = int(self._bounds[row]), int(self._bounds[row + 1])
        starts, counts = self._starts[first:last].tolist(), self._counts[first:last].tolist()
        return list(zip(starts, counts, strict=True))

    def fault(self, tokens: int, length: int) -> str:
        """Check that rows are full and no id is in two of them.

        Args:
            tokens: ids of the corpus.
            length: ids of a row.

        Returns:
            What is wrong, in words; "" if nothing is.
        """
        sums = np.add.reduceat(self._counts, self._bounds[:-1], dtype=np.int64)
        order = np.argsort(self._starts, kind="stable")
        starts = self._starts[order]
        ends = starts + self._counts[order]
        if self._counts.min() < 1 or starts[0] < 0 or ends[-1] > tokens:
            return "a row holds ids that are not there"
        if (starts[1:] < ends[:-1]).any():
            return "an id is in two rows"
        return "" if (sums == length).all() else "a row is not full"


def index_name(length: int) -> str:
    """Return the name of the file for rows of a length.

    Args:
        length: ids of a row, >= 1.
    """
    return f"packing-{length}.rows"


def write_index(path: Path, identity: str, rows: Iterable[Sequence[tuple[int, int]]]) -> None:
    """Write an index, whole or not at all.

    Args:
        path: of the file.
        identity: what the rows are made from, in words.
        rows: (first id, ids) of each piece of each row.

    Raises:
        StorageError: it cannot be written.
    """
    bounds, starts, counts = array("q", [0]), array("q"), array("q")
    for row in rows:
        for start, count in row:
            starts.append(start)
            counts.append(count)
        bounds.append(len(starts))
    tables = [
        np.asarray(table, kind).tobytes()
        for table, kind in ((bounds, "<i8"), (starts, "<i8"), (counts, "<i4"))
    ]
    digest = _digest(identity, tables)
    header = msgspec.json.encode(_Header(identity, len(bounds) - 1, len(starts), digest))
    # Tables begin where eight-byte numbers may.
    header += b" " * (-(len(_MAGIC) + _LENGTH_BYTES + len(header)) % 8)
    size = len(header).to_bytes(_LENGTH_BYTES, "little")
    write_atomic(path, [_MAGIC, size, header, *tables])


def read_index(path: Path, identity: str) -> PackingIndex:
    """Open an index and check every byte of it.

    Args:
        path: of the file.
        identity: what its rows shall have been made from.

    Returns:
        The index.

    Raises:
        CorruptData: it is damaged, or of something else.
        StorageError: it is missing or cannot be read.
    """
    with explained("read", path):
        data = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
    begin = len(_MAGIC) + _LENGTH_BYTES
    size = int.from_bytes(data[len(_MAGIC) : begin].tobytes(), "little")
    try:
        header = msgspec.json.decode(data[begin : begin + size].tobytes(), type=_Header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptData(f"{path} is damaged ({error}); remove it, it is made again") from error
    at, tables = begin + size, []
    for count, kind in ((header.rows + 1, "<i8"), (header.pieces, "<i8"), (header.pieces, "<i4")):
        width = np.dtype(kind).itemsize
        tables.append(data[at : at + count * width])
        at += count * width
    whole = data[: len(_MAGIC)].tobytes() == _MAGIC and at == len(data) and header.rows >= 0
    if not whole or header.identity != identity or header.digest != _digest(identity, tables):
        raise CorruptData(f"{path} is damaged or of another corpus; remove it, it is made again")
    bounds, starts, counts = (
        table.view(kind) for table, kind in zip(tables, ("<i8", "<i8", "<i4"), strict=True)
    )
    return PackingIndex(header, bounds, starts, counts)


def _digest(identity: str, tables: Iterable[bytes | Table]) -> Digest:
    hasher = hashlib.blake2b(identity.encode(), digest_size=32)
    for table in tables:
        hasher.update(table if isinstance(table, bytes) else table.data)
    return Digest(hasher.hexdigest())
