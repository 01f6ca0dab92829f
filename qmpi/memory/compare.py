"""Orders of going side by side: the same accesses through a cache each."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

from qmpi.memory.cache import Cache
from qmpi.policy.eviction.choice import ORDERS, OrderName, order_of
from qmpi.policy.eviction.clairvoyant import Clairvoyant
from qmpi.policy.eviction.order import Order

K = TypeVar("K", bound=Hashable)

Level = str
"""Where bytes come from: "memory", what is kept; "shards", read and decoded; "anew", generated."""


class Comparison(Struct, frozen=True):
    """What one order comes to.

    Attributes:
        hits: accesses that the caches served.
        misses: accesses that they did not.
        hit_rate: hits of all accesses; 0 without an access.
        evictions: items that went for want of room.
        bytes_by_level: bytes that each level served.
    """

    hits: int
    misses: int
    hit_rate: float
    evictions: int
    bytes_by_level: Mapping[Level, int]


def compare_orders(
    traces: Sequence[Sequence[K]], size_of: Callable[[K], int], budget: int, seed: int = 0
) -> dict[OrderName, Comparison]:
    """Let each order keep what it would.

    Args:
        traces: accesses of each cache, in order.
        size_of: bytes of an item.
        budget: bytes of each cache, >= 0.
        seed: of "random".

    Returns:
        What all caches together come to, by order.
    """
    return {name: _compare(name, traces, size_of, budget, seed) for name in ORDERS}


def _compare(
    name: OrderName,
    traces: Sequence[Sequence[K]],
    size_of: Callable[[K], int],
    budget: int,
    seed: int,
) -> Comparison:
    caches = [_run(name, trace, size_of, budget, seed + n) for n, trace in enumerate(traces)]
    hits, misses = (sum(getattr(c.counts, what) for c in caches) for what in ("hits", "misses"))
    served = sum(cache.counts.hit_bytes for cache in caches)
    whole = sum(size_of(key) for trace in traces for key in trace)
    return Comparison(
        hits=hits,
        misses=misses,
        hit_rate=hits / max(1, hits + misses),
        evictions=sum(cache.counts.evictions for cache in caches),
        bytes_by_level={"memory": served, "shards": whole - served},
    )


def _run(
    name: OrderName, trace: Sequence[K], size_of: Callable[[K], int], budget: int, seed: int
) -> Cache[K, K]:
    order: Order[K] = order_of(name, seed)
    if isinstance(order, Clairvoyant):
        order.extend(trace)
    cache: Cache[K, K] = Cache(budget, order)
    for key in trace:
        if cache.get(key) is None:
            cache.put(key, key, size_of(key))
    return cache
