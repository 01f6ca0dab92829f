"""Orders of going side by side: the same accesses through a cache each, and the levels below it."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from msgspec import Struct

from qmpi.memory.cache import Cache
from qmpi.policy.eviction.choice import ORDERS, OrderName, order_of
from qmpi.policy.eviction.clairvoyant import Clairvoyant
from qmpi.policy.eviction.order import Order

K = TypeVar("K", bound=Hashable)

LevelName = str
"""Where bytes come from: "memory", what is kept decoded; "host" and "disk", what is kept compressed
there; "shards", read; "anew", generated."""


class Room(NamedTuple):
    """A level below the decoded chunks.

    Attributes:
        name: of the level.
        budget: bytes that each cache keeps there, >= 0.
    """

    name: LevelName
    budget: int


class Sizes(NamedTuple, Generic[K]):
    """How large items are.

    Attributes:
        decoded: bytes of an item in memory.
        stored: bytes of an item in a level below.
    """

    decoded: Callable[[K], int]
    stored: Callable[[K], int]


class Comparison(Struct, frozen=True):
    """What one order comes to.

    Attributes:
        hits: accesses that the caches served from memory.
        misses: accesses that they did not.
        hit_rate: hits of all accesses; 0 without an access.
        evictions: items that went from memory for want of room.
        bytes_by_level: decoded bytes of what each level served.
    """

    hits: int
    misses: int
    hit_rate: float
    evictions: int
    bytes_by_level: Mapping[LevelName, int]


def _nobody(name: OrderName) -> None:
    """Be told of an order that nobody waits for."""
    del name


def compare_orders(
    traces: Sequence[Sequence[K]],
    sizes: Sizes[K],
    budget: int,
    seed: int = 0,
    rooms: Sequence[Room] = (),
    tell: Callable[[OrderName], None] = _nobody,
) -> dict[OrderName, Comparison]:
    """Let each order keep what it would.

    Args:
        traces: accesses of each cache, in order.
        sizes: of items.
        budget: bytes of each cache in memory, >= 0.
        seed: of "random".
        rooms: levels below, the nearest first; each cache has its own.
        tell: told of each order before it is played.

    Returns:
        What all caches together come to, by order.
    """
    compared: dict[OrderName, Comparison] = {}
    for name in ORDERS:
        tell(name)
        compared[name] = _sum(
            [_Play(name, seed + n, budget, rooms, sizes).run(t) for n, t in enumerate(traces)]
        )
    return compared


def _sum(plays: "Sequence[_Play[K]]") -> Comparison:
    hits, misses, evictions = (
        sum(getattr(play.memory.counts, what) for play in plays)
        for what in ("hits", "misses", "evictions")
    )
    served: dict[LevelName, int] = {"memory": 0, "host": 0, "disk": 0, "shards": 0}
    for play in plays:
        for level, number in play.served.items():
            served[level] += number
    return Comparison(
        hits=hits,
        misses=misses,
        hit_rate=hits / max(1, hits + misses),
        evictions=evictions,
        bytes_by_level=served,
    )


class _Play(Generic[K]):
    """One cache and the levels below it, in one order."""

    def __init__(
        self, name: OrderName, seed: int, budget: int, rooms: Sequence[Room], sizes: Sizes[K]
    ) -> None:
        self._orders: list[Order[K]] = [order_of(name, seed) for _ in range(1 + len(rooms))]
        self.memory: Cache[K, K] = Cache(budget, self._orders[0])
        self._below: list[tuple[LevelName, Cache[K, K]]] = [
            (room.name, Cache(room.budget, order))
            for room, order in zip(rooms, self._orders[1:], strict=True)
        ]
        self._sizes = sizes
        self.served: dict[LevelName, int] = {}

    def run(self, trace: Sequence[K]) -> "_Play[K]":
        """Let all accesses come.

        Returns:
            This play.
        """
        knowing = [order for order in self._orders if isinstance(order, Clairvoyant)]
        for order in knowing:
            order.extend(trace)
        for place, key in enumerate(trace):
            for order in knowing[1:]:
                order.pass_by(place)  # what was served above never came here
            level, size = self._served_by(key), self._sizes.decoded(key)
            self.served[level] = self.served.get(level, 0) + size
        return self

    def _served_by(self, key: K) -> LevelName:
        if self.memory.get(key) is not None:
            return "memory"
        found, above = "shards", list[Cache[K, K]]()
        for name, cache in self._below:
            if cache.get(key) is not None:
                found = name
                break
            above.append(cache)
        for cache in above:
            cache.put(key, key, self._sizes.stored(key))
        self.memory.put(key, key, self._sizes.decoded(key))
        return found
