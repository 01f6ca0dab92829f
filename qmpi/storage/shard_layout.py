"""How a shard of token ids lies in an HDF5 file.

Theory of operation: dataset `tokens` (1-D, chunked) passes through HDF5 filter 32026, so any HDF5
tool with the Blosc2 plugin reads it. Each chunk is one Blosc2 frame of one block: zstd without
shuffle, since shuffling token ids lowers the ratio, and one block a chunk, since larger blocks
compress better. Other codecs are named by the attribute `codec`; see `qmpi.storage.shard_filters`.
Blosc2 returns most flipped bits as wrong data without an error and direct chunk
reads bypass HDF5's own checksum, so `chunk_crc` holds the CRC-32 of each compressed chunk. Metadata
is written in the format of HDF5 1.10, which carries checksums of its own.

A generated shard holds besides where its blocks come from (`block_address`: stream, number of the
block in it, offset of its first id), each document's number in its block (`document_numbers`), and
in the attribute `generator` what made them: so any block can be made again. A chunk is one block
then, and damage to one chunk costs one block. All tables are little-endian, of fixed width, and
have a CRC-32 as an attribute of the file.
"""

from bisect import bisect_right
from typing import NamedTuple

from msgspec import Struct

from qmpi.config import memory
from qmpi.storage.codec_names import Codec

FORMAT_VERSION = 2
OTHER_CODECS_VERSION = 3
READABLE_VERSIONS = (1, 2, 3)
"""Version 1 had no provenance; 3 has chunks that are no Blosc2 frames; all else is the same."""

CHUNK_TOKENS = memory.CHUNK_TOKENS
"""256 KiB of uint16: a random row costs one decode of a fraction of a millisecond."""
FIRST_CODEC = Codec("blosc2-zstd", 5)
"""Of shards that name none."""

TOKENS = "tokens"
CHUNK_CRC = "chunk_crc"
DOCUMENT_OFFSETS = "document_offsets"
DOCUMENT_NUMBERS = "document_numbers"
BLOCK_ADDRESS = "block_address"
STREAM_BYTES = 40
"""Room for the name of a stream."""

ADDRESS_TYPE = (("stream", f"S{STREAM_BYTES}"), ("block", "<u8"), ("start", "<i8"))
"""Fields of `block_address`."""


class BlockAddress(Struct, frozen=True):
    """Where a block of a generated shard comes from.

    Attributes:
        stream: type/level/language.
        block: number of the block in its stream.
        start: offset of its first id in the shard.
    """

    stream: str
    block: int
    start: int


class ChunkKey(NamedTuple):
    """A chunk among those of all corpora of a process.

    Attributes:
        source: number of the corpus, as whoever opened it counts.
        shard: number in the corpus.
        chunk: number in the shard.
    """

    source: int
    shard: int
    chunk: int


class CorpusLayout(Struct, frozen=True):
    """Where the ids of a corpus lie.

    Attributes:
        starts: number of each shard's first id in the corpus, and at the end that of all ids.
        chunk_tokens: ids of a chunk; the last one of a shard may have fewer.
        chunk_bytes: what a chunk takes once it is decoded.
    """

    starts: tuple[int, ...]
    chunk_tokens: int
    chunk_bytes: int

    def chunks(self, start: int, count: int) -> list[tuple[int, int]]:
        """Return the chunks that a range of ids lies in.

        Args:
            start: first id, >= 0.
            count: ids, >= 1; the range ends within the corpus.

        Returns:
            Shard, and number of the chunk in it, in the order in which they are read.
        """
        found: list[tuple[int, int]] = []
        end = start + count
        while start < end:
            shard = bisect_right(self.starts, start) - 1
            begin, until = self.starts[shard], min(end, self.starts[shard + 1])
            first, last = ((at - begin) // self.chunk_tokens for at in (start, until - 1))
            found += [(shard, number) for number in range(first, last + 1)]
            start = until
        return found


def dtype_name(vocab_size: int) -> str:
    """Type of token ids.

    Args:
        vocab_size: number of ids, >= 1.

    Returns:
        "uint16" if every id fits, else "uint32".
    """
    return "uint16" if memory.id_bytes(vocab_size) == 2 else "uint32"


def format_of(codec: Codec) -> int:
    """Version of the format that a shard needs.

    Args:
        codec: of its chunks.

    Returns:
        The oldest that can be read with: a Blosc2 frame says itself how it is compressed.
    """
    return FORMAT_VERSION if codec.name.startswith("blosc2") else OTHER_CODECS_VERSION
