"""Which HDF5 filter each codec is, so that a shard says to any HDF5 tool what its chunks are.

Theory of operation: chunks are written as they are compressed here, past HDF5's pipeline; the
filter that the dataset names is what another tool decodes them with. Deflate is HDF5's own; Blosc2
and bzip2 have registered numbers and plugins. For gzip and xz there are none: they carry numbers of
the range that HDF5 leaves to private use, and other tools refuse such shards.
"""

from typing import Any

from qmpi.storage.codec_names import Codec

_BLOSC2 = 32026
_BZIP2 = 307
_PRIVATE = {"gzip": 33001, "lzma": 33002}
_CODER_NUMBERS = {"lz4": 1, "zstd": 5}
"""As Blosc2 numbers them."""


def hdf5_filter(codec: Codec, item_bytes: int, chunk_bytes: int) -> dict[str, Any]:
    """What a dataset's filter is made with.

    Args:
        codec: of its chunks.
        item_bytes: of one id.
        chunk_bytes: of a decoded chunk.

    Returns:
        Arguments of h5py's `create_dataset`.
    """
    if codec.name == "none":
        return {}
    if codec.name == "zlib":
        return {"compression": "gzip", "compression_opts": codec.level}
    number = _PRIVATE.get(codec.name, _BZIP2)
    options: tuple[int, ...] = (codec.level,)
    if codec.name.startswith("blosc2"):
        number, options = _BLOSC2, _blosc2_options(codec, item_bytes, chunk_bytes)
    return {"compression": number, "compression_opts": options, "allow_unknown_filter": True}


def _blosc2_options(codec: Codec, item_bytes: int, chunk_bytes: int) -> tuple[int, ...]:
    # As the filter's own registration writes them: format revision, block size, type size, chunk
    # size, level, shuffle (0: none, 1: by byte), coder.
    _, coder, *split = codec.name.split("-")
    number = _CODER_NUMBERS[coder]
    return (1, chunk_bytes, item_bytes, chunk_bytes, codec.level, len(split), number)
