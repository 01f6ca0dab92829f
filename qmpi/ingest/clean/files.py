"""Files that a cleaned unit leaves: its texts, their keys, where they came from, what was left out.

Theory of operation: four files, written under temporary names and renamed when all are whole, the
one with their lengths and checksums last: a unit is done when that one is there and right. Keys lie
row by row, so that a search of one band reads one run of bytes of each file.
"""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
import zstandard

from qmpi.errors import CorruptData
from qmpi.ingest.dedup.near import PERMUTATIONS, Numbers, Sketches
from qmpi.ingest.settings import Dropped, LeftOut
from qmpi.ingest.word_hashes import Hashes
from qmpi.storage.atomic_file import temporary_name, write_atomic
from qmpi.storage.os_errors import explained

_LEVEL = 1
_BLOCK = 1 << 20


class CleanMeta(msgspec.Struct, array_like=True):
    """What is known of a cleaned unit.

    Attributes:
        sizes: UTF-8 bytes of each document, as little-endian 64-bit numbers; so the next three.
        slices: number of the document's slice in the unit.
        numbers: of line or row in the slice, from 1; 0: none.
        offsets: of the first byte in the decompressed file.
        identities: what documents call themselves, by number of the document.
        notes: what was done to read them, by number of the document.
        lines: lines or rows of each slice.
        rows: rows of keys: two of the exact hash, then the bands.
        dropped: what was left out, by reason.
        left_out: the first of these.
        bytes_read: decompressed bytes looked at.
        checks: length and CRC-32 of the other files, by ending.
    """

    sizes: bytes
    slices: bytes
    numbers: bytes
    offsets: bytes
    identities: dict[int, str]
    notes: dict[int, str]
    lines: list[int]
    rows: int
    dropped: dict[str, Dropped]
    left_out: list[LeftOut]
    bytes_read: int
    checks: dict[str, tuple[int, int]]

    def column(self, name: str) -> Numbers:
        """Return one of the four columns of numbers.

        Args:
            name: "sizes", "slices", "numbers" or "offsets".
        """
        return np.frombuffer(getattr(self, name), "<i8")


class CleanFiles:
    """The files of one cleaned unit."""

    ENDINGS = ("text.zst", "keys", "left.zst")

    def __init__(self, folder: Path, unit: int) -> None:
        """Name the files; touches nothing.

        Args:
            folder: of all cleaned units.
            unit: number of this one.
        """
        self._folder = folder
        self._name = f"{unit:06d}"

    def path(self, ending: str) -> Path:
        """Return the path of one file.

        Args:
            ending: of `ENDINGS`, or "meta".
        """
        return self._folder / f"{self._name}.{ending}"

    def meta(self) -> CleanMeta:
        """Read what is known of the unit.

        Returns:
            Its meta data.

        Raises:
            StorageError: the unit is not done.
            CorruptData: the file is damaged.
        """
        path = self.path("meta")
        with explained("read", path):
            data = path.read_bytes()
        if zlib.crc32(data[4:]) != int.from_bytes(data[:4], "little"):
            raise CorruptData(f"{path} is damaged; it is made again when the ingestion goes on")
        return msgspec.msgpack.decode(data[4:], type=CleanMeta)

    def save(self, meta: CleanMeta, temporaries: dict[str, Path]) -> None:
        """Publish a unit.

        Args:
            meta: what is known of it; `checks` is filled in here.
            temporaries: finished files, by ending.

        Raises:
            StorageError: no space or no permission.
        """
        for ending, temporary in temporaries.items():
            meta.checks[ending] = _check(temporary)
            with explained("rename", temporary):
                temporary.replace(self.path(ending))
        data = msgspec.msgpack.encode(meta)
        # Not flushed to the device: after a power cut, checksums tell what is to be made again.
        data = zlib.crc32(data).to_bytes(4, "little") + data
        write_atomic(self.path("meta"), data, durable=False)

    def is_done(self) -> bool:
        """Look whether the unit's files are there and right.

        Returns:
            True if so; a damaged unit's meta file is removed.
        """
        if not self.path("meta").exists():
            return False
        try:
            checks = self.meta().checks
            if all(_check(self.path(name)) == tuple(checks[name]) for name in self.ENDINGS):
                return True
        except (CorruptData, OSError, msgspec.DecodeError, RecursionError, KeyError):
            pass
        self.path("meta").unlink(missing_ok=True)
        return False

    def texts(self, meta: CleanMeta, wanted: Sequence[int]) -> Iterator[str]:
        """Read documents.

        Args:
            meta: of the unit.
            wanted: their numbers, in order.

        Yields:
            Their texts.

        Raises:
            CorruptData: the file is damaged.
        """
        ends = np.cumsum(meta.column("sizes"))
        path = self.path("text.zst")
        reader = zstandard.ZstdDecompressor()
        with explained("read", path), path.open("rb") as raw:
            stream = reader.stream_reader(raw, read_across_frames=True)
            place = 0
            for number in wanted:
                start = int(ends[number - 1]) if number else 0
                data = _exactly(stream, start - place, int(ends[number]) - start, path)
                place = int(ends[number])
                yield data.decode()

    def keys(self, documents: int, row: int) -> Hashes:
        """Read a row of keys.

        Args:
            documents: of the unit.
            row: number of the row.

        Returns:
            One key for each document.

        Raises:
            StorageError: the file cannot be read.
        """
        path = self.path("keys")
        with explained("read", path):
            return np.fromfile(path, "<u8", documents, offset=row * documents * 8)

    def sketches(self, documents: int, rows: int) -> Sketches:
        """Map the sketches.

        Args:
            documents: of the unit, >= 1.
            rows: rows of keys.

        Returns:
            [documents, PERMUTATIONS].

        Raises:
            StorageError: the file cannot be read.
        """
        path = self.path("keys")
        with explained("read", path):
            shape = (documents, PERMUTATIONS)
            return np.memmap(path, "<u2", "r", rows * documents * 8, shape)


def _check(path: Path) -> tuple[int, int]:
    size = crc = 0
    with explained("read", path), path.open("rb") as file:
        while data := file.read(_BLOCK):
            size += len(data)
            crc = zlib.crc32(data, crc)
    return size, crc


def _exactly(stream: Any, skipped: int, size: int, path: Path) -> bytes:  # noqa: ANN401 - no stubs
    try:
        while skipped:
            data = stream.read(min(skipped, _BLOCK))
            if not data:
                break
            skipped -= len(data)
        data = stream.read(size)
    except zstandard.ZstdError as error:
        raise CorruptData(f"{path} is damaged ({error}); start anew") from error
    if skipped or len(data) != size:
        raise CorruptData(f"{path} is cut short; start anew")
    return data


class CleanWriter:
    """Takes documents of a unit; `close` publishes them, `abandon` drops them."""

    def __init__(self, files: CleanFiles, rows: int, *, sketched: bool) -> None:
        """Open temporary files.

        Args:
            files: where the unit will be.
            rows: rows of keys.
            sketched: whether documents have sketches.

        Raises:
            StorageError: no space or no permission.
        """
        self._files = files
        self._rows = rows
        self._sketched = sketched
        self._temporaries = {name: temporary_name(files.path(name)) for name in files.ENDINGS}
        self._stack = ExitStack()
        self._text = self._open("text.zst")
        compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        self._packed = compressor.stream_writer(self._text, closefd=False)
        self.columns: dict[str, list[int]] = {
            name: [] for name in ("sizes", "slices", "numbers", "offsets")
        }
        self.identities: dict[int, str] = {}
        self.notes: dict[int, str] = {}
        self._keys: list[Hashes] = []
        self._sketches: list[Sketches] = []

    def _open(self, ending: str) -> BinaryIO:
        path = self._temporaries[ending]
        with explained("write", path):
            return self._stack.enter_context(path.open("wb"))

    @property
    def documents(self) -> int:
        """Documents so far."""
        return len(self.columns["sizes"])

    def mark(self) -> tuple[int, int, int]:
        """Return a place to roll back to; all documents so far must have been given keys."""
        with explained("write", self._temporaries["text.zst"]):
            self._packed.flush(zstandard.FLUSH_FRAME)
            return self._text.tell(), self.documents, len(self._keys)

    def roll_back(self, mark: tuple[int, int, int]) -> None:
        """Forget the documents after a mark, and their keys.

        Args:
            mark: of `mark`.
        """
        place, documents, batches = mark
        del self._keys[batches:], self._sketches[batches:]
        with explained("write", self._temporaries["text.zst"]):
            self._packed.flush(zstandard.FLUSH_FRAME)
            self._text.seek(place)
            self._text.truncate()
        for column in self.columns.values():
            del column[documents:]
        for named in (self.identities, self.notes):
            for number in [number for number in named if number >= documents]:
                del named[number]

    def add(self, data: bytes, place: tuple[int, int, int]) -> None:
        """Add a document.

        Args:
            data: its text in UTF-8.
            place: slice, number and offset.

        Raises:
            StorageError: no space.
        """
        with explained("write", self._temporaries["text.zst"]):
            self._packed.write(data)
        for name, value in zip(self.columns, (len(data), *place), strict=True):
            self.columns[name].append(value)

    def add_keys(self, keys: Hashes, sketches: Sketches) -> None:
        """Add keys of the documents that have none yet.

        Args:
            keys: [rows, documents].
            sketches: [documents, PERMUTATIONS]; unused if documents have none.
        """
        self._keys.append(keys)
        self._sketches.append(sketches)

    def close(self, meta: CleanMeta, left: bytes) -> None:
        """Publish the unit.

        Args:
            meta: all but what was given here.
            left: what was left out, as lines of JSON.

        Raises:
            StorageError: no space.
        """
        with explained("write", self._temporaries["text.zst"]):
            self._packed.flush(zstandard.FLUSH_FRAME)
            keys = self._open("keys")
            rows = [np.zeros((self._rows, 0), np.uint64), *self._keys]
            keys.write(np.concatenate(rows, axis=1).astype("<u8").tobytes())
            if self._sketched and self._sketches:
                keys.write(np.concatenate(self._sketches).astype("<u2").tobytes())
            self._open("left.zst").write(zstandard.ZstdCompressor(level=3).compress(left))
            self._stack.close()
        for name, column in self.columns.items():
            setattr(meta, name, np.asarray(column, "<i8").tobytes())
        meta.identities, meta.notes = self.identities, self.notes
        self._files.save(meta, self._temporaries)

    def abandon(self) -> None:
        """Remove what was not published."""
        self._stack.close()
        for temporary in self._temporaries.values():
            temporary.unlink(missing_ok=True)
