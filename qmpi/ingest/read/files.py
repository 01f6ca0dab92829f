"""Open the files of an ingestion and read them through their compression.

Theory of operation: a file is opened only if it still is the regular file that the scan saw, so
that all readers of a file, also after a kill, see the same bytes; at its end it is looked at again.
Compressed streams tell when they
are cut short.
"""

import gzip
import io
import os
import stat
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

import zstandard

from qmpi.ingest.scan import SourceFile, changed_at, packing

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_READ = 1 << 16
_FED = 1 << 10
_LARGEST_WINDOW = 1 << 31
_BUFFER = 1 << 20


class Record(NamedTuple):
    """A document as it was found.

    Attributes:
        text: not blank.
        number: of the line or row, from 1, counted from the start of the slice; 0: a whole file or
            a part of one.
        offset: of its first byte in the decompressed file; of Parquet: 0.
        identity: what the record calls itself; "" if it does not.
        note: what was done to read it, as in "utf-16-le"; "" for nothing.
    """

    text: str
    number: int
    offset: int
    identity: str
    note: str


class Refusal(NamedTuple):
    """Something that is no document; number and offset as in `Record`.

    An empty reason tells how many lines a slice has, blank ones at its end included. `last` is the
    number of the last of several records that are left out as one; 0: it is one.
    """

    number: int
    offset: int
    reason: str
    size: int
    last: int = 0


class Fields(NamedTuple):
    """Names of the parts of a record."""

    text: str
    identity: str


FAULTS = (OSError, EOFError, zlib.error, zstandard.ZstdError)
"""What reading a file may raise."""


def reason_of(error: Exception) -> str:
    """Why a file cannot be read, in the fixed words of a report.

    Args:
        error: one of `FAULTS`.

    Returns:
        "unreadable", "damaged" or "changed while it was read".
    """
    # The scan saw a file.
    if isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError):
        return "changed while it was read"
    return "unreadable" if isinstance(error, PermissionError) else "damaged"


def open_file(file: SourceFile) -> BinaryIO:
    """Open a file that a scan has found, unless it is another by now.

    Args:
        file: the file.

    Returns:
        Its bytes as they lie on disk. Reading its end raises as below if it changed meanwhile.

    Raises:
        FileNotFoundError: it is gone, or has changed.
    """
    # Not blocking: should a pipe have taken the file's place, opening it must not wait.
    raw = _Watched(os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), file)
    try:
        raw.check()
    except FileNotFoundError:
        raw.close()
        raise
    return io.BufferedReader(raw, _READ)


class _Watched(io.FileIO):
    """A file that is looked at again at its end: what grew or was cut meanwhile is no whole."""

    def __init__(self, descriptor: int, file: SourceFile) -> None:
        super().__init__(descriptor, "rb")
        self._file = file

    def check(self) -> None:
        facts = os.fstat(self.fileno())
        same = (facts.st_size, changed_at(facts)) == (self._file.size, self._file.mtime_ns)
        if not stat.S_ISREG(facts.st_mode) or not same:
            raise FileNotFoundError(self._file.path)

    def readinto(self, buffer: "WriteableBuffer") -> int:
        count = super().readinto(buffer) or 0
        if not count:
            self.check()
        return count

    def readall(self) -> bytes:
        data = super().readall()
        self.check()
        return data


def unpacked(file: SourceFile) -> BinaryIO:
    """Open a file through its compression.

    Args:
        file: the file.

    Returns:
        Its decompressed bytes.

    Raises:
        FileNotFoundError: it is gone, or has changed.
    """
    raw = open_file(file)
    kind = packing(file.path)
    if kind == ".gz":
        return cast("BinaryIO", _OwnedGzip(raw))
    if kind == ".zst":
        reader = _Frames(raw)
        return cast("BinaryIO", io.BufferedReader(reader, _BUFFER))
    return raw


class _OwnedGzip(gzip.GzipFile):
    def __init__(self, raw: BinaryIO) -> None:
        super().__init__(fileobj=raw, mode="rb")
        cast("Any", self).myfileobj = raw  # closed with this


class _Frames(io.RawIOBase):
    """Zstandard frames; unlike the library's reader, it tells when the last one is cut short.

    They are fed to the library in small parts: all that a part unpacks to comes at once, and that
    may be 32,768 times as much.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._frame = new_frame()
        self._begun = False
        self._packed = memoryview(b"")
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        room = memoryview(buffer).cast("B")
        while not self._ready:
            if not self._packed:
                self._packed = memoryview(self._raw.read(_READ))
            if not self._packed:
                if self._begun:
                    raise EOFError("the last frame is cut short")
                return 0
            part = self._packed[:_FED]
            self._begun = True
            self._ready = memoryview(self._frame.decompress(part))
            used = len(part)
            if self._frame.eof:
                used -= len(self._frame.unused_data)
                self._frame, self._begun = new_frame(), False
            self._packed = self._packed[used:]
        count = min(len(room), len(self._ready))
        room[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def new_frame() -> "zstandard.ZstdDecompressionObj":
    """Return what unpacks one Zstandard frame, with any window."""
    return zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW).decompressobj()
