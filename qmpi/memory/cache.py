"""A cache with a budget in bytes, whose order says what goes when room is short.

Theory of operation. Whoever asks looks with `get`; what is missed is made and given to `put`, which
makes room or keeps nothing. One item that is larger than the budget, or that the order thinks worth
less than all that is kept, is served by whoever made it and not kept. With a time to live an item
goes so long after it was put, used or not; as time does not fall, the oldest always goes first, and
an access costs O(log n) at most.

Who makes an item without being asked reserves its room before: so what is kept and what is being
made are never more than the budget.

Invariants: the sizes of what is kept add up to `bytes`; they and what is reserved to the budget at
most.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from math import inf
from typing import Generic, TypeVar

from msgspec import Struct

from qmpi.policy.eviction.order import Order
from qmpi.policy.eviction.past import LeastRecent
from qmpi.units import Bytes, Seconds

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Counts(Struct):
    """What became of the accesses of a cache.

    Attributes:
        hits: served from it.
        misses: not in it.
        hit_bytes: bytes that it served.
        evictions: kept items that went for want of room.
        expired: kept items that went because their time was over.
        refused: items that were not taken in.
        seconds: what hits took in all, as far as whoever asked has told.
    """

    hits: int = 0
    misses: int = 0
    hit_bytes: int = 0
    evictions: int = 0
    expired: int = 0
    refused: int = 0
    seconds: Seconds = Seconds(0.0)


class _Item(Struct, Generic[V]):
    value: V
    size: int
    put_at: float


def _timeless() -> Seconds:
    return Seconds(0.0)


class Cache(Generic[K, V]):
    """Values by key, as many as fit a budget.

    Attributes:
        order: says what goes first.
        counts: what became of the accesses so far.
        bytes: sum of the sizes of what is kept.
        gone: called with each item that goes.
        reserved: bytes of room for what is being made.
    """

    def __init__(
        self,
        budget: int,
        order: Order[K],
        *,
        ttl: float = inf,
        clock: Callable[[], Seconds] = _timeless,
        gone: Callable[[K, V], None] | None = None,
    ) -> None:
        """Keep nothing yet.

        Args:
            budget: most bytes kept, >= 0.
            order: what goes first; one that keeps nothing, and is this cache's alone.
            ttl: seconds for which an item is kept at most, > 0.
            clock: tells the time, for `ttl`.
            gone: called with each item that goes.
        """
        self.order = order
        self.counts = Counts()
        self.bytes = Bytes(0)
        self.reserved = Bytes(0)
        self._budget = budget
        self._ttl = ttl
        self._clock = clock
        self.gone = gone
        # In the order in which they were put, which is that in which they expire.
        self._items: OrderedDict[K, _Item[V]] = OrderedDict()

    def __contains__(self, key: object) -> bool:
        """Return whether a key is kept; no access."""
        return key in self._items

    def __iter__(self) -> Iterator[K]:
        """Return the kept keys, that which was put first at first; no access."""
        return iter(self._items)

    def __len__(self) -> int:
        """Return the number of kept items."""
        return len(self._items)

    def get(self, key: K) -> V | None:
        """Look for an item.

        Args:
            key: what is wanted.

        Returns:
            Its value; None if it is not kept: then make it, and `put` it.
        """
        self._expire()
        self.order.accessed(key)
        item = self._items.get(key)
        if item is None:
            self.counts.misses += 1
            return None
        self.order.used(key)
        self.counts.hits += 1
        self.counts.hit_bytes += item.size
        return item.value

    def hit_took(self, seconds: Seconds) -> None:
        """Count what a hit took.

        Args:
            seconds: as whoever asked saw it, waiting included.
        """
        self.counts.seconds = Seconds(self.counts.seconds + seconds)

    def put(self, key: K, value: V, size: int) -> None:
        """Keep an item, if the order lets it in.

        Args:
            key: its name; what is kept by it goes.
            value: what `get` returns.
            size: bytes, >= 0.
        """
        if key in self._items:
            self._drop(key)
        if not self._make_room(key, size):
            self.counts.refused += 1
            return
        self._items[key] = _Item(value, size, self._clock())
        self.bytes = Bytes(self.bytes + size)
        self.order.add(key)

    def discard(self, key: K) -> None:
        """Keep an item no longer, if it is kept.

        Args:
            key: its name.
        """
        if key in self._items:
            self._drop(key)

    @property
    def free(self) -> Bytes:
        """Bytes of the budget that nothing takes."""
        return Bytes(self._budget - self.bytes - self.reserved)

    def reserve(self, wanted: K, size: int) -> bool:
        """Hold room for an item that is being made.

        Args:
            wanted: its name; not kept.
            size: bytes, >= 0; to be given back by `release`.

        Returns:
            False if there is none, and nothing went.
        """
        is_there = self._make_room(wanted, size)
        if is_there:
            self.reserved = Bytes(self.reserved + size)
        return is_there

    def release(self, size: int) -> None:
        """Give reserved room back.

        Args:
            size: bytes.
        """
        self.reserved = Bytes(self.reserved - size)

    def clear(self) -> None:
        """Keep nothing any more."""
        for key in list(self._items):
            self._drop(key)

    def _make_room(self, wanted: K, size: int) -> bool:
        if size + self.reserved > self._budget:
            return False
        short = size - self.free
        going: list[K] = []
        while short > 0:
            key = self.order.give_way(wanted)
            if key is None:
                for other in going:
                    self.order.add(other)
                return False
            going.append(key)
            short -= self._items[key].size
        for key in going:
            self._forget(key)
        self.counts.evictions += len(going)
        return True

    def _expire(self) -> None:
        if self._ttl == inf:
            return
        dead = self._clock() - self._ttl
        while self._items:
            key = next(iter(self._items))
            if self._items[key].put_at > dead:
                return
            self._drop(key)
            self.counts.expired += 1

    def _drop(self, key: K) -> None:
        self.order.remove(key)
        self._forget(key)

    def _forget(self, key: K) -> None:
        item = self._items.pop(key)
        self.bytes = Bytes(self.bytes - item.size)
        if self.gone is not None:
            self.gone(key, item.value)


def recent(budget: int, gone: Callable[[K, V], None] | None = None) -> Cache[K, V]:
    """Make a cache from which goes what was not used for longest.

    Args:
        budget: most bytes kept, >= 0.
        gone: called with each item that goes.

    Returns:
        An empty one.
    """
    return Cache(budget, LeastRecent(), gone=gone)
