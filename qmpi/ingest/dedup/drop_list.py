"""Which documents are left out as duplicates, and what each cleaned unit keeps.

Theory of operation: one rank joins what the searches of all bands found and writes it as plain
arrays, which every other rank maps into memory: a rank that writes shards reads only its own part.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from qmpi.errors import CorruptData
from qmpi.ingest.clean.files import CleanFiles
from qmpi.ingest.dedup.near import Flags, Numbers, Pairs, Sketches
from qmpi.ingest.word_hashes import Hashes
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained


class CleanFolder:
    """All cleaned units, as a search for duplicates wants them."""

    def __init__(self, folder: Path, units: int, rows: int) -> None:
        """Look at the lengths of the files.

        Args:
            folder: of the cleaned units, all done.
            units: their number.
            rows: rows of keys.

        Raises:
            StorageError: a unit is not done.
        """
        self._files = [CleanFiles(folder, unit) for unit in range(units)]
        self._rows = rows
        sketch_bytes = 256 if rows > 2 else 0
        each = rows * 8 + sketch_bytes
        self._counts: list[int] = []
        for files in self._files:
            path = files.path("keys")
            with explained("look at", path):
                self._counts.append(path.stat().st_size // each)

    def counts(self) -> Sequence[int]:
        """Return the number of documents of each unit."""
        return self._counts

    def keys(self, unit: int, row: int) -> Hashes:
        """Return one row of a unit's keys.

        Args:
            unit: number of the unit.
            row: number of the row.
        """
        return self._files[unit].keys(self._counts[unit], row)

    def sketches(self, unit: int) -> Sketches:
        """Return the sketches of a unit's documents.

        Args:
            unit: number of the unit.
        """
        return self._files[unit].sketches(self._counts[unit], self._rows)


def save_pairs(path: Path, pairs: Pairs) -> None:
    """Write what a search found.

    Args:
        path: target.
        pairs: documents to leave out.

    Raises:
        StorageError: no space.
    """
    data = pairs.later.astype("<i8").tobytes() + pairs.earlier.astype("<i8").tobytes()
    write_atomic(path, zlib.crc32(data).to_bytes(8, "little") + data, durable=False)


def load_pairs(path: Path) -> Pairs:
    """Read what a search found.

    Args:
        path: where it was saved.

    Returns:
        The pairs.

    Raises:
        StorageError: it cannot be read.
        CorruptData: it is damaged.
    """
    with explained("read", path):
        data = path.read_bytes()
    if len(data) < 8 or zlib.crc32(data[8:]) != int.from_bytes(data[:8], "little"):
        raise CorruptData(f"{path} is damaged; it is made again when the ingestion goes on")
    both = np.frombuffer(data, "<i8", offset=8)
    return Pairs(both[: both.size // 2], both[both.size // 2 :])


class Summary(msgspec.Struct, array_like=True):
    """What is known once duplicates are found, by cleaned unit.

    Attributes:
        documents: number before duplicates are left out.
        kept: number after.
        kept_bytes: UTF-8 bytes of these.
        lines: number of the line before the first of the unit's first slice.
    """

    documents: list[int]
    kept: list[int]
    kept_bytes: list[int]
    lines: list[int]


class DropList:
    """Documents that are left out; their files are mapped, not read."""

    def __init__(self, folder: Path) -> None:
        """Name the files; touches nothing.

        Args:
            folder: where they are.
        """
        self._paths = {name: folder / f"{name}.i64" for name in ("later", "earlier", "equal")}
        self._summary = folder / "summary.msgpack"

    def save(self, pairs: Pairs, equal: Numbers, summary: Summary) -> None:
        """Write the list; the summary comes last and says that it is whole.

        Args:
            pairs: all documents to leave out, sorted.
            equal: those of them whose text equals an earlier one's, sorted.
            summary: what remains.

        Raises:
            StorageError: no space.
        """
        for name, numbers in (("later", pairs.later), ("earlier", pairs.earlier), ("equal", equal)):
            write_atomic(self._paths[name], numbers.astype("<i8").tobytes())
        data = msgspec.msgpack.encode(summary)
        write_atomic(self._summary, zlib.crc32(data).to_bytes(4, "little") + data)

    def summary(self) -> Summary:
        """Read the summary.

        Returns:
            What remains.

        Raises:
            StorageError: the list is not written yet.
            CorruptData: it is damaged.
        """
        with explained("read", self._summary):
            data = self._summary.read_bytes()
        if zlib.crc32(data[4:]) != int.from_bytes(data[:4], "little"):
            raise CorruptData(f"{self._summary} is damaged; remove it and go on")
        return msgspec.msgpack.decode(data[4:], type=Summary)

    def is_done(self) -> bool:
        """Look whether the list is whole.

        Returns:
            True if so.
        """
        if not self._summary.exists():
            return False
        try:
            self.summary()
        except (CorruptData, msgspec.DecodeError, RecursionError):
            self._summary.unlink(missing_ok=True)
            return False
        return True

    def of_range(self, begin: int, end: int) -> tuple[Pairs, Flags]:
        """Look up the documents of one unit.

        Args:
            begin: number of its first document in the corpus.
            end: number of the first document after it.

        Returns:
            Pairs whose later document is in the range; whether each is equal, not only near.

        Raises:
            StorageError: the list cannot be read.
        """
        later, earlier, equal = (self._mapped(name) for name in ("later", "earlier", "equal"))
        start, stop = np.searchsorted(later, [begin, end])
        mine = Pairs(np.array(later[start:stop]), np.array(earlier[start:stop]))
        first, last = np.searchsorted(equal, [begin, end])
        return mine, np.isin(mine.later, equal[first:last])

    def _mapped(self, name: str) -> Numbers:
        path = self._paths[name]
        with explained("read", path):
            if not path.stat().st_size:
                return np.zeros(0, np.int64)
            return np.memmap(path, "<i8", "r")
