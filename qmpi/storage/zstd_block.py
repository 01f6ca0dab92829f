"""Decode the one block of a Blosc2 frame by the Zstandard that lies in Blosc2's library.

Theory of operation: Blosc2 makes a context of its own for each frame, and goes through buffers
between. Where a frame holds one block of Zstandard behind no filter, as those of shards of ids do,
the same decoder with a context that is kept writes straight to where the ids are wanted: a fifth to
a third faster. All other frames are left to Blosc2. Zstandard bears whatever bytes it is given and
writes no more than it is told.
"""

import ctypes
import struct
from typing import Any, NamedTuple

import numpy as np

_CHUNK = struct.Struct("<xxBxiii6sBx7xB")
"""Of a chunk's head: flags; bytes decoded, of a block, compressed; filters, coder, more flags."""
_NUMBER = struct.Struct("<i")
_KIND = 0xF7
"""Of the flags: a head of 32 bytes, stored as it is, in one stream, by which coder."""
_ZSTD = 0x95
"""A head of 32 bytes, in one stream, Zstandard."""
_CODER = 5
"""Zstandard once more, as Blosc2 numbers coders."""
_NO_FILTERS = bytes(6)


class Part(NamedTuple):
    """Where something lies in a frame.

    Attributes:
        start: its first byte.
        size: its bytes.
    """

    start: int
    size: int


def zstd_part(frame: bytes, head: int, size: int) -> Part | None:
    """Find the Zstandard data of a frame's chunk.

    Args:
        frame: Blosc2 frame.
        head: where its chunk begins.
        size: what it shall decode to.

    Returns:
        Where they lie; None if the chunk is not one block of Zstandard behind no filter.
    """
    begin = head + _CHUNK.size
    if len(frame) < begin + _NUMBER.size:
        return None
    flags, decoded, block, packed, filters, coder, more = _CHUNK.unpack_from(frame, head)
    if flags & _KIND != _ZSTD or filters != _NO_FILTERS or coder != _CODER or more:
        return None
    (start,) = _NUMBER.unpack_from(frame, begin)
    end = min(len(frame) - head, packed)
    if decoded != size or block != size or not 0 < start <= end - _NUMBER.size:
        return None
    # Zero and less mean repeated bytes, as many as are decoded mean bytes as they are.
    (length,) = _NUMBER.unpack_from(frame, head + start)
    if not 0 < length < size or start + _NUMBER.size + length > end:
        return None
    return Part(head + start + _NUMBER.size, length)


class ZstdDecoder:
    """Contexts of a library's Zstandard, each used by one thread at a time."""

    def __init__(self, library: ctypes.CDLL) -> None:
        """Look for the functions.

        Args:
            library: of Blosc2.

        Raises:
            AttributeError: it does not show them.
        """
        self._make, self._decode = library.ZSTD_createDCtx, library.ZSTD_decompressDCtx
        self._make.restype, self._make.argtypes = ctypes.c_void_p, []
        self._decode.restype = ctypes.c_size_t
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        self._decode.argtypes = [pointer, pointer, size, pointer, size]
        # Taken out and put back whole, which the interpreter's lock makes safe.
        self._idle: list[int] = []

    def decode(self, frame: bytes, part: Part, out: np.ndarray[Any, Any]) -> int:
        """Decode a part of a frame.

        Args:
            frame: holds it.
            part: where it lies.
            out: contiguous array; filled.

        Returns:
            Bytes made; more than `out` has if the data are damaged.
        """
        try:
            context = self._idle.pop()
        except IndexError:
            context = self._make()
        begin = (ctypes.cast(ctypes.c_char_p(frame), ctypes.c_void_p).value or 0) + part.start
        made: int = self._decode(context, out.ctypes.data, out.nbytes, begin, part.size)
        self._idle.append(context)
        return made
