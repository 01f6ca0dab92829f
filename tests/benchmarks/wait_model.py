"""How long blocks keep a trainer waiting, worked out in time that is only counted.

The orders, the cache and its reservations are the product's; threads, files and the trainer are
modelled: a read takes a latency, then its bytes go over one link after those before; a trainer asks
for blocks three steps ahead and spends a fixed time on each step. So the figures do not hang on how
busy the machine is, and leave out what it costs to compute. `bench_data_wait.py` runs real jobs.

    python tests/benchmarks/wait_model.py
"""

import argparse
import heapq
import random
import sys

from qmpi.memory.cache import Cache
from qmpi.policy.eviction.choice import order_of
from qmpi.policy.eviction.lookahead import CREDIT_SHARE, Lookahead
from qmpi.runtime.read_ahead import READERS

LANES, ROWS, AHEAD = 8, 8, 3
ROWS_PER_CHUNK = 1024


class Files:
    """Reads of one rank: latencies pass at once, bytes one after another."""

    def __init__(self, latency: float, bytes_seconds: float) -> None:
        self.latency, self.bytes_seconds, self.free_at, self.reads = latency, bytes_seconds, 0.0, 0

    def done_at(self, now: float) -> float:
        self.reads += 1
        self.free_at = max(self.free_at, now + self.latency) + self.bytes_seconds
        return self.free_at


class Rank:
    """A memory rank whose chunks are equal."""

    def __init__(self, policy: str, room: int, files: Files, trace: list[int]) -> None:
        self.files, self.now, self.flights = files, 0.0, list[tuple[float, int]]()
        self.order = order_of(policy) if policy == "lru" else Lookahead(room // CREDIT_SHARE)
        self.cache: Cache[int, int] = Cache(room, self.order)
        if isinstance(self.order, Lookahead):
            self.order.extend(trace)

    def until(self, moment: float) -> None:
        """Let the reading threads work until then."""
        while self.flights and self.flights[0][0] <= moment:
            self.now, key = heapq.heappop(self.flights)
            self.cache.release(1)
            self.cache.put(key, key, 1)
            self._take()
        self.now = max(self.now, moment)
        self._take()

    def ask(self, key: int) -> None:
        """Have a chunk, at the time when it is there."""
        flying = next((done for done, other in self.flights if other == key), self.now)
        self.until(flying)
        if self.cache.get(key) is None:
            if isinstance(self.order, Lookahead):
                self.order.withhold(key)
            self.until(self.files.done_at(self.now))
            self.cache.put(key, key, 1)
            if isinstance(self.order, Lookahead):
                self.order.offer(key)
        self._take()

    def _take(self) -> None:
        while isinstance(self.order, Lookahead) and len(self.flights) < READERS:
            key = self.order.choose(self.cache.free, lambda _: 1)
            if key is None or not self.cache.reserve(key, 1):
                return
            self.order.take_up(key, 1)
            heapq.heappush(self.flights, (self.files.done_at(self.now), key))


def play(policy: str, chunks: int, room: int, files: Files, step: float, steps: int) -> list[float]:
    """Return the wait before each step."""
    rows = random.Random(1).sample(range(chunks * ROWS_PER_CHUNK), steps * LANES * ROWS)
    trace = [row // ROWS_PER_CHUNK for row in rows]
    rank, begun, waits = Rank(policy, room, files, trace), list[float](), list[float]()
    for number in range(steps):
        rank.until(begun[number - AHEAD] if number >= AHEAD else 0.0)
        for key in trace[number * LANES * ROWS : (number + 1) * LANES * ROWS]:
            rank.ask(key)
        free = begun[-1] + step if begun else 0.0
        waits.append(max(0.0, rank.now - free))
        begun.append(free + waits[-1])
    return waits


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--chunks", type=int, default=576)
    parser.add_argument("--room", type=int, default=256)
    parser.add_argument("--latency", type=float, default=0.005, help="seconds")
    parser.add_argument("--chunk-seconds", type=float, default=0.00075, help="of its bytes")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--step-seconds", type=float, nargs="+", default=[0.5, 1.0, 2.0])
    parser.add_argument("--skip", type=int, default=50)
    options = parser.parse_args()
    sys.stdout.write("| step, s | slower | policy | reads a step | wait, s a step | share |\n")
    sys.stdout.write("|---|---|---|---|---|---|\n")
    for step in options.step_seconds:
        for times in (1, 10):
            for policy in ("clairvoyant", "lru"):
                files = Files(times * options.latency, times * options.chunk_seconds)
                waits = play(policy, options.chunks, options.room, files, step, options.steps)
                mean = sum(waits[options.skip :]) / len(waits[options.skip :])
                cells = (step, times, policy, f"{files.reads / options.steps:.1f}", f"{mean:.3f}")
                share = mean / (mean + step)
                sys.stdout.write(f"| {' | '.join(map(str, cells))} | {share:.1%} |\n")


if __name__ == "__main__":
    main()
