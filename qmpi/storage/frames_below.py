"""Chunks of a corpus below the cache of decoded ones: from a level, or else from their shard.

Theory of operation. A level holds chunks as they lie in shards. What it takes to decode one, codec
and number of ids, is the same for all chunks of a shard, so it lies in the levels once a shard; its
type is the corpus'. So a chunk that a level has is served without opening its shard. Reading a
shard holds HDF5's lock as long as the bytes take to come; decoding does not.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import msgspec

from qmpi.errors import ConfigError, StorageError
from qmpi.memory.levels import HEAD, FrameKey, Levels
from qmpi.storage.codec_names import codec_named
from qmpi.units import Digest

if TYPE_CHECKING:
    from qmpi.storage.open_shards import OpenShards
    from qmpi.storage.shard_reader import TokenArray

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_TOKENS = 1 << 27


class ShardHead(msgspec.Struct, frozen=True):
    """What all chunks of a shard have in common.

    Attributes:
        codec: that they are compressed with.
        chunk_tokens: ids of a chunk.
    """

    codec: str
    chunk_tokens: Annotated[int, msgspec.Meta(ge=1, le=_MOST_TOKENS)]


class FramesBelow:
    """Chunks of one corpus, decoded when asked for."""

    def __init__(
        self,
        shards: list[Digest],
        dtype: str,
        levels: Levels,
        opened: "Callable[[], OpenShards]",
    ) -> None:
        """Look at nothing yet.

        Args:
            shards: SHA-256 of each shard's file.
            dtype: type of ids.
            levels: the nearest first.
            opened: returns the open shards of the corpus.
        """
        self._shards, self._dtype, self._levels, self._opened = shards, dtype, levels, opened
        self._heads: dict[int, ShardHead] = {}

    def chunk_tokens(self, shard: int) -> int:
        """Return the ids of a chunk.

        Args:
            shard: number in the corpus.

        Raises:
            StorageError: no level knows it, and the shard cannot be read.
        """
        head = self._heads.get(shard)
        if head is not None:
            return head.chunk_tokens
        try:
            return self._head(shard).chunk_tokens
        except StorageError:
            return self._opened().chunk_tokens(shard)  # which knows of those that are made anew

    def decoded(self, shard: int, number: int) -> "TokenArray":
        """Return a chunk, checked and decoded.

        Args:
            shard: number in the corpus.
            number: of the chunk in the shard.

        Returns:
            Its ids, in an array of its own.

        Raises:
            StorageError: no level has it, and it can neither be read nor made anew.
        """
        if not self._is_levelled(shard):
            return self._opened().decoded(shard, number)
        try:
            return self._from_levels(shard, number)
        except StorageError:
            return self._opened().decoded(shard, number)  # once more, or made anew

    def read(self, shard: int, number: int) -> "TokenArray":
        """Return a chunk, checked and decoded, if it can be read; any thread may call.

        Args:
            shard: number in the corpus.
            number: of the chunk in the shard.

        Returns:
            Its ids, in an array of its own.

        Raises:
            StorageError: no level has it, and it cannot be read.
        """
        if self._is_levelled(shard):
            return self._from_levels(shard, number)
        return self._opened().read(shard, number)

    def _from_levels(self, shard: int, number: int) -> "TokenArray":
        import numpy as np  # ranks that read facts must not load it

        from qmpi.storage.codecs import decompress

        key, head = FrameKey(self._shards[shard], number), self._head(shard)
        frame = self._levels.get(key)
        if frame is None:
            frame = self._opened().frame(shard, number)
            self._levels.put(key, frame)
        chunk = np.empty(head.chunk_tokens, self._dtype)
        decompress(codec_named(head.codec), frame, chunk)
        return chunk

    def _head(self, shard: int) -> ShardHead:
        # Remembered: the head of a shard is asked for with each chunk.
        head = self._heads.get(shard)
        if head is None:
            head = self._heads[shard] = self._found_head(shard)
        return head

    def _found_head(self, shard: int) -> ShardHead:
        if not self._is_levelled(shard):
            return self._read_head(shard)
        key = FrameKey(self._shards[shard], HEAD)
        head = _parsed(self._levels.get(key))
        if head is None:
            head = self._read_head(shard)
            self._levels.put(key, msgspec.json.encode(head))
        return head

    def _read_head(self, shard: int) -> ShardHead:
        table = self._opened().table(shard)
        return ShardHead(str(table.codec), table.chunk_tokens)

    def _is_levelled(self, shard: int) -> bool:
        # The name of a file is made of it; an index that was written by hand may say anything.
        return bool(self._levels.levels) and bool(_SHA256.fullmatch(self._shards[shard]))


def _parsed(data: bytes | None) -> ShardHead | None:
    if data is None:
        return None
    try:
        head = msgspec.json.decode(data, type=ShardHead)
        codec_named(head.codec)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ConfigError):
        return None
    return head
