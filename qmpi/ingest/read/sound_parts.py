"""Read what is sound of a compressed file that is damaged in its midst.

Theory of operation: many compressed files are several, one after the other, each with a checksum
(gzip calls them members, zstd frames). Each is unpacked once for nothing, to see whether it is
whole, and only then again for what is in it. Where one is not, the next begins at the first mark of
a beginning from which one can be unpacked whole. A file of a single part has none that is sound.
"""

import io
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

import zstandard

from qmpi.ingest.read.files import FAULTS, new_frame, open_file
from qmpi.ingest.scan import SourceFile, packing

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_FED = 1 << 10
_WINDOW = 1 << 20
_MARKS = {".gz": b"\x1f\x8b\x08", ".zst": zstandard.FRAME_HEADER}


class Part(NamedTuple):
    """Bytes begin <= offset < end of a file as it lies; whether they can be unpacked."""

    begin: int
    end: int
    sound: bool


def parts_of(file: SourceFile) -> list[Part]:
    """Find which parts of a compressed file are sound.

    Args:
        file: the file.

    Returns:
        All its parts, in order; neighbours that are not sound are one.

    Raises:
        FileNotFoundError: it is gone, or has changed.
    """
    with open_file(file) as raw:
        return list(_parts(raw, file))


def _parts(raw: BinaryIO, file: SourceFile) -> Iterator[Part]:
    kind = packing(file.path)
    begin = place = 0
    while place < file.size:
        end = _end(raw, place, kind)
        if not end:
            place = _next_mark(raw, place + 1, _MARKS[kind])
            place = file.size if place == -1 else place
            continue
        if begin < place:
            yield Part(begin, place, sound=False)
        yield Part(place, end, sound=True)
        begin = place = end
    if begin < file.size:
        yield Part(begin, file.size, sound=False)


def _end(raw: BinaryIO, begin: int, kind: str) -> int:
    # Where the part that begins there ends, zeros for padding included; 0: it is not sound.
    raw.seek(begin)
    try:
        rest = b""
        for _, unused in _unpacked(raw, kind):
            rest = unused
    except FAULTS:
        return 0
    padding = len(rest) - len(rest.lstrip(b"\0")) if kind == ".gz" else 0
    return raw.tell() - len(rest) + padding


def _unpacked(raw: BinaryIO, kind: str) -> Iterator[tuple[bytes, bytes]]:
    # What one part holds, and what was read beyond it.
    making: Callable[[], Any] = new_frame if kind == ".zst" else _new_member
    part = making()
    while not part.eof:
        fed = raw.read(_FED)
        if not fed:
            raise EOFError("cut short")
        yield part.decompress(fed), part.unused_data


def _new_member() -> "zlib._Decompress":
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)


def _next_mark(raw: BinaryIO, begin: int, mark: bytes) -> int:
    raw.seek(begin)
    held, offset = b"", begin
    while data := raw.read(_WINDOW):
        held += data
        at = held.find(mark)
        if at != -1:
            return offset + at
        kept = len(mark) - 1
        offset += max(0, len(held) - kept)
        held = held[-kept:]
    return -1


def sound_stream(file: SourceFile, parts: list[Part]) -> BinaryIO:
    """Open the sound parts of a file as one.

    Args:
        file: the file.
        parts: of `parts_of`.

    Returns:
        Its decompressed bytes; where something is left out, a line break.

    Raises:
        FileNotFoundError: it is gone, or has changed.
    """
    return cast("BinaryIO", io.BufferedReader(_Sound(file, parts), _WINDOW))


class _Sound(io.RawIOBase):
    def __init__(self, file: SourceFile, parts: list[Part]) -> None:
        self._raw = open_file(file)
        self._chunks = self._all(parts, packing(file.path))
        self._ready = memoryview(b"")

    def _all(self, parts: list[Part], kind: str) -> Iterator[bytes]:
        for part in parts:
            if not part.sound:
                yield b"\n"
                continue
            self._raw.seek(part.begin)
            for data, _ in _unpacked(self._raw, kind):
                yield data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        room = memoryview(buffer).cast("B")
        while not self._ready:
            data = next(self._chunks, None)
            if data is None:
                return 0
            self._ready = memoryview(data)
        count = min(len(room), len(self._ready))
        room[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
