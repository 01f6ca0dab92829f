"""What each order of going comes to: hits on shuffled passes, and what an access costs.

Equal chunks are read in passes, each in an order of its own; the first pass misses them all. The
least of several tries is the cost of an access, `get` and perhaps `put`, in CPU time.

    python tests/benchmarks/bench_cache.py --tries 5
"""

import argparse
import random
import sys
import time

from qmpi.memory.cache import Cache
from qmpi.policy.eviction.choice import ORDERS, order_of
from qmpi.policy.eviction.clairvoyant import Clairvoyant

CHUNKS, PASSES = 1000, 6
CAPACITIES = (800, 500, 200)


def passes(chunks: int, count: int, seed: int) -> list[int]:
    draw = random.Random(seed)
    return [key for _ in range(count) for key in draw.sample(range(chunks), chunks)]


def play(name: str, trace: list[int], room: int) -> tuple[float, float]:
    """Return the share of hits, and nanoseconds an access."""
    order = order_of(name, 1)
    if isinstance(order, Clairvoyant):
        order.extend(trace)
    cache = Cache(room, order)
    begun = time.process_time()
    for key in trace:
        if cache.get(key) is None:
            cache.put(key, key, 1)
    return cache.counts.hits / len(trace), (time.process_time() - begun) / len(trace) * 1e9


def best(name: str, trace: list[int], room: int, tries: int) -> tuple[float, float]:
    played = [play(name, trace, room) for _ in range(tries)]
    return played[0][0], min(cost for _, cost in played)


def telling(tries: int) -> float:
    """Return nanoseconds for telling one access of the future."""
    trace, costs = passes(CHUNKS, PASSES, 1), []
    for _ in range(tries):
        begun = time.process_time()
        Clairvoyant(trace)
        costs.append((time.process_time() - begun) / len(trace) * 1e9)
    return min(costs)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tries", type=int, default=5)
    tries = parser.parse_args().tries
    write = sys.stdout.write
    write(f"{PASSES} passes over {CHUNKS:,} equal chunks: hits, and ns an access\n\n")
    write("| order | " + " | ".join(f"room for {room}: hits | ns" for room in CAPACITIES))
    write(" | 100 times as many chunks, room for half: hits | ns |\n")
    write("|---" * (3 + 2 * len(CAPACITIES)) + "|\n")
    trace, long = passes(CHUNKS, PASSES, 1), passes(100 * CHUNKS, 2, 1)
    for name in ORDERS:
        found = [best(name, trace, room, tries) for room in CAPACITIES]
        found.append(play(name, long, 50 * CHUNKS))
        cells = [f"{share:.1%} | {cost:,.0f}" for share, cost in found]
        write(f"| {name} | " + " | ".join(cells) + " |\n")
    write(f"\nTelling the clairvoyant order one access: {telling(tries):,.0f} ns.\n")


if __name__ == "__main__":
    main()
