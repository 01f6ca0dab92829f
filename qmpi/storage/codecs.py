"""What the names of codecs stand for: chunks to bytes and back.

Theory of operation. What was compressed says nothing that is believed: whoever decodes brings an
array of the size that is meant, and each decoder stops at its end, so a torn or hostile chunk makes
no more than was recorded. Checksums are the caller's. Blosc2 is loaded when something is compressed
with it, not before: decoding needs its C library alone (`qmpi.storage.blosc2_codec`).
"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from qmpi.errors import CorruptData
from qmpi.storage.blosc2_codec import decode_frame
from qmpi.storage.codec_names import Codec

Array = np.ndarray[Any, Any]
_GZIP_WRAPPER = 16 + zlib.MAX_WBITS
_LZMA_ROOM = 1 << 20
"""What a decoder of LZMA takes beside twice its dictionary, which is no larger than the chunk."""


class _Coder(NamedTuple):
    compress: Callable[[Array, int], bytes]
    """Array and level to bytes."""
    decompress: Callable[[bytes, Array], None]
    """Bytes into an array of exactly the decoded size."""


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _fill(out: Array, data: bytes) -> None:
    if len(data) != out.nbytes:
        raise CorruptData(f"a chunk does not decode to {out.nbytes} bytes")
    out.view(np.uint8).reshape(-1)[:] = np.frombuffer(data, np.uint8)


def _bounded(decoder: _Decoder, frame: bytes, out: Array) -> None:
    # One byte of room more than is meant: what is too long is seen, and nothing longer is made.
    data = decoder.decompress(frame, out.nbytes + 1)
    if not decoder.eof or decoder.unused_data:
        raise CorruptData(f"a chunk does not end after {out.nbytes} bytes")
    _fill(out, data)


def _deflated(chunk: Array, level: int, wrapper: int) -> bytes:
    coder = zlib.compressobj(level, zlib.DEFLATED, wrapper)
    return coder.compress(chunk.data) + coder.flush()


def _lzma(chunk: Array, level: int) -> bytes:
    # The bytes of an item are told apart by their place, for which the item is a power of two.
    lanes = (chunk.itemsize & -chunk.itemsize).bit_length() - 1
    coder = {
        "id": lzma.FILTER_LZMA2,
        "preset": level,
        "dict_size": max(4096, chunk.nbytes),
        "lp": lanes,
        "pb": lanes,
        "lc": 3 - lanes,
    }
    return lzma.compress(chunk.data, lzma.FORMAT_XZ, lzma.CHECK_NONE, filters=[coder])


def _un_lzma(frame: bytes, out: Array) -> None:
    _bounded(lzma.LZMADecompressor(lzma.FORMAT_XZ, 2 * out.nbytes + _LZMA_ROOM), frame, out)


def _blosc2(chunk: Array, level: int, coder: str, *, split: bool) -> bytes:
    import blosc2  # 31 MB of memory that readers do without

    parameters = {
        "codec": blosc2.Codec[coder],
        "clevel": level,
        "typesize": chunk.itemsize,
        "blocksize": chunk.nbytes,
        "filters": [blosc2.Filter.SHUFFLE if split else blosc2.Filter.NOFILTER],
        "filters_meta": [0],
        "nthreads": 1,
    }
    storage: Any = {"contiguous": True, "cparams": parameters}
    holder = blosc2.SChunk(chunksize=chunk.nbytes, data=chunk, **storage)
    return holder.to_cframe()


def _blosc2_coder(coder: str, *, split: bool) -> _Coder:
    return _Coder(lambda chunk, level: _blosc2(chunk, level, coder, split=split), decode_frame)


_CODERS: dict[str, _Coder] = {
    "none": _Coder(lambda chunk, _: chunk.tobytes(), lambda frame, out: _fill(out, frame)),
    "zlib": _Coder(
        lambda chunk, level: _deflated(chunk, level, zlib.MAX_WBITS),
        lambda frame, out: _bounded(zlib.decompressobj(), frame, out),
    ),
    "gzip": _Coder(
        lambda chunk, level: _deflated(chunk, level, _GZIP_WRAPPER),
        lambda frame, out: _bounded(zlib.decompressobj(_GZIP_WRAPPER), frame, out),
    ),
    "bz2": _Coder(
        lambda chunk, level: bz2.compress(chunk.data, level),
        lambda frame, out: _bounded(bz2.BZ2Decompressor(), frame, out),
    ),
    "lzma": _Coder(_lzma, _un_lzma),
    "blosc2-zstd": _blosc2_coder("ZSTD", split=False),
    "blosc2-zstd-bytes": _blosc2_coder("ZSTD", split=True),
    "blosc2-lz4": _blosc2_coder("LZ4HC", split=False),
    "blosc2-lz4-bytes": _blosc2_coder("LZ4", split=True),
}


def compress(codec: Codec, chunk: Array) -> bytes:
    """Compress a chunk.

    Args:
        codec: how.
        chunk: contiguous, not empty; codecs that look at items take its own.

    Returns:
        Bytes; equal for equal chunks under one version of the library.
    """
    return _CODERS[codec.name].compress(chunk, codec.level)


def decompress(codec: Codec, frame: bytes, out: Array) -> None:
    """Decode a chunk.

    Args:
        codec: how it was compressed; the level does not matter.
        frame: the bytes; their checksum was checked.
        out: contiguous array of exactly the decoded size; filled.

    Raises:
        CorruptData: the bytes are none of that codec, or decode to another size.
    """
    try:
        _CODERS[codec.name].decompress(frame, out)
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, MemoryError) as error:
        raise CorruptData(f"a chunk is not what {codec.name} writes ({error})") from error
