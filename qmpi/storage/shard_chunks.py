"""The chunks of one shard: where each lies in its file, and which checksum it must have.

Theory of operation. This is all that reading a chunk takes. It is read from the shard once, and
needs HDF5 no more: so it can be kept for many shards, and any handle of the file will do. What a
handle gives is held against the checksum, so a file that was put in the place of another one is
found out.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from qmpi.errors import CorruptData, StorageError
from qmpi.storage.blosc2_codec import crc32
from qmpi.storage.codec_names import Codec
from qmpi.storage.codecs import compress, decompress
from qmpi.storage.os_errors import refusal, storage_error
from qmpi.storage.remedy import remedy

if TYPE_CHECKING:
    from qmpi.storage.watched_file import WatchedFile

TokenArray = np.ndarray[Any, Any]
OVERHEAD = 1024
"""Bytes that a table takes beside its arrays."""


class ShardChunks(Struct):
    """Places and checksums of the chunks of a shard.

    Attributes:
        path: of the shard.
        dtype: of the ids.
        codec: that chunks are compressed with.
        chunk_tokens: ids of a chunk.
        offsets: of each chunk's first byte in the file; uint64.
        sizes: bytes of each; uint64. 0: the shard does not say where it lies.
        crcs: CRC-32 of each, compressed; uint32.
        addresses: rows of `block_address`; none in a shard that is not generated.
    """

    path: Path
    dtype: "np.dtype[Any]"
    codec: Codec
    chunk_tokens: int
    offsets: TokenArray
    sizes: TokenArray
    crcs: TokenArray
    addresses: TokenArray

    @property
    def nbytes(self) -> int:
        """Bytes that all this takes."""
        arrays = (self.offsets, self.sizes, self.crcs, self.addresses)
        return OVERHEAD + sum(array.nbytes for array in arrays)

    def frame(self, file: "WatchedFile", number: int) -> bytes:
        """Read a chunk as it lies in the file.

        Args:
            file: the shard, open.
            number: of the chunk.

        Returns:
            The compressed bytes.

        Raises:
            CorruptData: they fail their checksum; names file and chunk.
            StorageError: the file cannot be read for now.
        """
        try:
            frame = file.read_at(int(self.offsets[number]), int(self.sizes[number]))
        except (OSError, ValueError, OverflowError, MemoryError) as error:
            raise self._unread(number, error) from error
        if crc32(frame) != int(self.crcs[number]):
            raise self._damaged(number, " fails its checksum")
        return frame

    def unpacked(self, number: int, frame: bytes) -> TokenArray:
        """Decode a chunk.

        Args:
            number: of the chunk.
            frame: its compressed bytes, checked.

        Returns:
            Its ids, in an array of its own.

        Raises:
            CorruptData: they cannot be decoded; names file and chunk.
        """
        chunk = np.empty(self.chunk_tokens, self.dtype)
        try:
            decompress(self.codec, frame, chunk)
        except CorruptData as error:
            raise self._damaged(number, f": {error}") from error
        return chunk

    def is_chunk(self, number: int, ids: TokenArray) -> bool:
        """Return whether ids are what a chunk was written from, by its checksum alone.

        Args:
            number: of the chunk.
            ids: a whole chunk of them, in the type of the shard.
        """
        return crc32(compress(self.codec, ids)) == int(self.crcs[number])

    def cure(self) -> str:
        """Return what mends the shard, in words."""
        if self.addresses.size:
            return f"`qmpi shards repair {self.path}` makes it again"
        return remedy(self.path.parent)

    def _unread(self, number: int, error: Exception) -> StorageError:
        refused = refusal(error)
        if refused is None:
            return self._damaged(number, f" damaged ({error})")
        return storage_error(refused, f"read chunk {number} of shard", self.path)

    def _damaged(self, number: int, what: str) -> CorruptData:
        return CorruptData(f"shard {self.path}: {self._name(number)}{what}; {self.cure()}")

    def _name(self, number: int) -> str:
        if number >= self.addresses.size:
            return f"chunk {number}"
        row = self.addresses[number]
        stream = bytes(row["stream"]).decode(errors="replace")
        return f"chunk {number} (block {int(row['block'])} of {stream})"
