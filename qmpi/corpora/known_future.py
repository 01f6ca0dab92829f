"""Chunks that are kept by what will be read; who reads ahead does more (`qmpi.runtime`)."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from math import inf
from typing import TYPE_CHECKING, TypeAlias

from qmpi.memory.cache import Cache
from qmpi.policy.eviction.clairvoyant import Clairvoyant
from qmpi.storage.shard_layout import ChunkKey
from qmpi.units import Seconds

if TYPE_CHECKING:
    from qmpi.storage.shard_reader import TokenArray

Coming: TypeAlias = Iterable[tuple[int, Sequence[ChunkKey]]]
"""Place and chunks of each block, by rising place."""

Read: TypeAlias = 'Callable[[ChunkKey], "TokenArray"]'
SizeOf: TypeAlias = Callable[[ChunkKey], int]


class KnownFuture(Cache[ChunkKey, "TokenArray"]):
    """A cache of chunks that is told which ones will be asked for.

    Attributes:
        guard: held while a shard is opened, where several threads read.
    """

    guard: AbstractContextManager[object]

    def __init__(
        self,
        budget: int,
        order: Clairvoyant[ChunkKey],
        *,
        ttl: float = inf,
        clock: Callable[[], Seconds],
    ) -> None:
        """Keep nothing, know nothing.

        Args:
            budget: most bytes kept, >= 0.
            order: what goes first; this cache's alone.
            ttl: seconds for which a chunk is kept at most, > 0.
            clock: tells the time, for `ttl`.
        """
        super().__init__(budget, order, ttl=ttl, clock=clock)
        self.guard = nullcontext()
        self._future = order

    def serve(self, read: "Read", size_of: SizeOf) -> None:
        """Learn how chunks are read; this one reads none by itself.

        Args:
            read: reads and decodes a chunk.
            size_of: bytes of a chunk that was foreseen, once it is decoded.
        """
        del read, size_of

    def foresee(self, coming: Coming, passed: int, *, is_anew: bool) -> None:
        """Learn what will be asked for.

        Args:
            coming: what is new.
            passed: place of the first block that may still be asked for.
            is_anew: what was told before does not hold any more.
        """
        if is_anew:
            self._future.forget()
        self._future.pass_by(passed)
        for place, keys in coming:
            self._future.foresee(place, keys)
