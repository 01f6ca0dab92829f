"""Levels below a cache of decoded chunks: what lies nearer than the shards, compressed.

Theory of operation. Whoever misses a decoded chunk looks in each level in order, the nearest first,
and reads the shard if none has it. What was found is put into the levels above, what was read into
all. A level may keep it or not, and may lose it at any time: a shard holds every chunk, so nothing
depends on what a level does but how long it takes.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from qmpi.units import Digest, Seconds

HEAD = -1
"""In place of a chunk's number: what all chunks of the shard have in common."""


class FrameKey(NamedTuple):
    """A chunk named by its content, so that those of other corpora are never taken for it.

    Attributes:
        shard: SHA-256 of the shard's file, 64 hex digits.
        chunk: number in the shard, or `HEAD`.
    """

    shard: Digest
    chunk: int


class LevelCounts(Struct):
    """What became of the accesses of a level.

    Attributes:
        hits: served by it.
        misses: not in it.
        hit_bytes: compressed bytes that it served.
        seconds: what its hits took, in all.
        evictions: chunks that went for want of room.
        refused: chunks that were not taken in.
        damaged: chunks that were torn or flipped; each counts as a miss too.
    """

    hits: int = 0
    misses: int = 0
    hit_bytes: int = 0
    seconds: Seconds = Seconds(0.0)
    evictions: int = 0
    refused: int = 0
    damaged: int = 0


class Level(Protocol):
    """Keeps compressed chunks, as many as its budget holds; any thread may call.

    Promises, held by one suite. What `get` returns is what was put by that key, to the last byte,
    or nothing. No call raises an error of the machine: a level that cannot keep anything goes on
    without.

    Attributes:
        counts: what became of the accesses so far.
    """

    counts: LevelCounts

    @property
    def kind(self) -> str:
        """What it is called."""
        ...

    def get(self, key: FrameKey) -> bytes | None:
        """Look for a chunk.

        Args:
            key: of the chunk.

        Returns:
            Its bytes as they lie in the shard; None if it is not there, or damaged.
        """
        ...

    def put(self, key: FrameKey, frame: bytes) -> None:
        """Keep a chunk, if there is room for it.

        Args:
            key: of the chunk.
            frame: its bytes as they lie in the shard.
        """
        ...

    def close(self) -> None:
        """Keep nothing any more, and leave nothing behind."""
        ...


class Levels:
    """Levels one below the other."""

    def __init__(self, levels: Sequence[Level] = ()) -> None:
        """Join them.

        Args:
            levels: the nearest first; none: every chunk is read from its shard.
        """
        self.levels = tuple(levels)

    def get(self, key: FrameKey) -> bytes | None:
        """Look for a chunk in each level, and put it into those above the one that has it.

        Args:
            key: of the chunk.

        Returns:
            Its bytes as they lie in the shard; None if no level has it: read it, and `put` it.
        """
        for depth, level in enumerate(self.levels):
            frame = level.get(key)
            if frame is not None:
                self._put(key, frame, self.levels[:depth])
                return frame
        return None

    def put(self, key: FrameKey, frame: bytes) -> None:
        """Put a chunk that was read from its shard into all levels.

        Args:
            key: of the chunk.
            frame: its bytes as they lie in the shard.
        """
        self._put(key, frame, self.levels)

    def close(self) -> None:
        """Close all levels."""
        for level in self.levels:
            level.close()

    def _put(self, key: FrameKey, frame: bytes, levels: Sequence[Level]) -> None:
        for level in levels:
            level.put(key, frame)


NOTHING_BELOW = Levels()
"""For whoever reads shards alone."""
