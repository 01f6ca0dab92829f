"""Decode Blosc2 frames with the C library alone.

Theory of operation: `import blosc2` also loads expression engines, an HTTP client and more, 31 MB
of resident memory a rank; the C library that lies inside the same package takes 2 MB. Three of its
functions, unchanged since version 2.0, decode a frame, and a fourth, if it is there, makes
checksums. The call leaves the interpreter lock free,
so threads decode in parallel. Only bytes whose checksum was checked come here: the C code trusts
sizes inside a frame. Those that memory is taken by are compared with what is meant before, since a
checksum proves nothing against whoever wrote it.
"""

import ctypes
import ctypes.util
import importlib.util
import struct
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from qmpi.errors import CorruptData, StorageError
from qmpi.storage.zstd_block import ZstdDecoder, zstd_part

_FRAME = struct.Struct(">2x8sxixQ6xqxqxixixi")
"""Of a frame's head: mark, bytes of the head, of the frame, decoded, compressed; of an item, a
block, a chunk."""
_CHUNK = struct.Struct("<4xiii")
"""Of a chunk's head: bytes decoded, of a block, compressed."""
_MARK = b"b2frame\0"
_SAMPLE = bytes(range(256))


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(_library_path())
    library.blosc2_schunk_from_buffer.restype = ctypes.c_void_p
    library.blosc2_schunk_from_buffer.argtypes = [ctypes.c_char_p, ctypes.c_int64, ctypes.c_bool]
    library.blosc2_schunk_decompress_chunk.restype = ctypes.c_int
    library.blosc2_schunk_decompress_chunk.argtypes = [
        ctypes.c_void_p,
        ctypes.c_int64,
        ctypes.c_void_p,
        ctypes.c_int32,
    ]
    library.blosc2_schunk_free.argtypes = [ctypes.c_void_p]
    library.blosc2_init()
    return library


def _library_path() -> str:
    spec = importlib.util.find_spec("blosc2")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        found = sorted((Path(folder) / "lib").glob("libblosc2.so*"))
        if found:
            return str(found[-1])
    system = ctypes.util.find_library("blosc2")
    if system is None:
        raise StorageError("the Blosc2 library is missing; install it with `pip install blosc2`")
    return system


@lru_cache(maxsize=1)
def _zstd() -> ZstdDecoder | None:
    try:
        return ZstdDecoder(_library())
    except AttributeError:
        return None


@lru_cache(maxsize=1)
def _quick_crc() -> Callable[[int, bytes, int], int] | None:
    # The zlib-ng in that library has the processor's own instructions: four times as fast as zlib,
    # whose checksum of a frame takes a tenth of what decoding it takes.
    try:
        found: Any = _library().zng_crc32_z
    except (StorageError, AttributeError, OSError):
        return None
    found.restype = ctypes.c_uint32
    found.argtypes = [ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t]
    quick: Callable[[int, bytes, int], int] = found
    return quick if quick(0, _SAMPLE, len(_SAMPLE)) == zlib.crc32(_SAMPLE) else None


def crc32(data: bytes) -> int:
    """CRC-32 of bytes, the same as zlib's.

    Args:
        data: the bytes.

    Returns:
        The checksum, 32 bits.
    """
    quick = _quick_crc()
    return zlib.crc32(data) if quick is None else quick(0, data, len(data))


def decode_frame(frame: bytes, out: np.ndarray[Any, Any]) -> None:
    """Decode a frame of one chunk into `out`.

    Args:
        frame: contiguous Blosc2 frame whose checksum was checked.
        out: contiguous array of exactly the decoded size.

    Raises:
        CorruptData: the frame does not decode to that size.
    """
    if not _has_sizes(frame, out.nbytes):
        raise CorruptData(f"not a Blosc2 frame of {out.nbytes} bytes")
    quick = _zstd()
    part = zstd_part(frame, _head(frame), out.nbytes) if quick else None
    made = quick.decode(frame, part, out) if quick and part else decode_by_blosc2(frame, out)
    if made != out.nbytes:
        raise CorruptData(f"a Blosc2 frame does not decode to {out.nbytes} bytes")


def decode_by_blosc2(frame: bytes, out: np.ndarray[Any, Any]) -> int:
    """Decode a frame of one chunk by Blosc2's own functions.

    Args:
        frame: contiguous Blosc2 frame whose sizes were checked.
        out: contiguous array; filled.

    Returns:
        Bytes made; another number than `out` has if the frame is damaged.

    Raises:
        CorruptData: it is none.
    """
    library = _library()
    chunk = library.blosc2_schunk_from_buffer(frame, len(frame), ctypes.c_bool(0))
    if not chunk:
        raise CorruptData("not a Blosc2 frame")
    try:
        target = out.ctypes.data_as(ctypes.c_void_p)
        made: int = library.blosc2_schunk_decompress_chunk(chunk, 0, target, out.nbytes)
    finally:
        library.blosc2_schunk_free(chunk)
    return made


def _head(frame: bytes) -> int:
    head: int = _FRAME.unpack_from(frame)[1]
    return head


def _has_sizes(frame: bytes, size: int) -> bool:
    if len(frame) < _FRAME.size:
        return False
    mark, head, whole, decoded, packed, _, block, chunk = _FRAME.unpack_from(frame)
    right = mark == _MARK and whole == len(frame) and decoded == chunk == size
    if not (right and 0 < block <= size and _FRAME.size <= head <= len(frame)):
        return False
    # A chunk of one value repeated is told by the frame's table alone.
    return packed == 0 or _has_chunk(frame, head, size)


def _has_chunk(frame: bytes, head: int, size: int) -> bool:
    if len(frame) < head + _CHUNK.size:
        return False
    decoded, block, packed = _CHUNK.unpack_from(frame, head)
    return decoded == size and 0 < block <= size and 0 < packed <= len(frame) - head
