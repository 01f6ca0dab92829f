"""How a shard of token ids lies in an HDF5 file.

Theory of operation: dataset `tokens` (1-D, chunked) passes through HDF5 filter 32026, so any HDF5
tool with the Blosc2 plugin reads it. Each chunk is one Blosc2 frame of one block: zstd without
shuffle, since shuffling token ids lowers the ratio, and one block a chunk, since larger blocks
compress better. Blosc2 returns most flipped bits as wrong data without an error and direct chunk
reads bypass HDF5's own checksum, so `chunk_crc` holds the CRC-32 of each compressed chunk. Metadata
is written in HDF5's newest format, which carries checksums of its own.
"""

FORMAT_VERSION = 1
BLOSC2_FILTER = 32026
CHUNK_TOKENS = 128 * 1024
"""256 KiB of uint16: a random row costs one decode of a fraction of a millisecond."""
COMPRESSION_LEVEL = 5

TOKENS = "tokens"
CHUNK_CRC = "chunk_crc"
DOCUMENT_OFFSETS = "document_offsets"

LARGEST_UINT16_VOCABULARY = 65536


def dtype_name(vocab_size: int) -> str:
    """Type of token ids.

    Args:
        vocab_size: number of ids, >= 1.

    Returns:
        "uint16" if every id fits, else "uint32".
    """
    return "uint16" if vocab_size <= LARGEST_UINT16_VOCABULARY else "uint32"
