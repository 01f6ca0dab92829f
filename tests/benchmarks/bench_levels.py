"""What a chunk takes from each level of the cache: decoded memory, host, disk, shard.

Chunks of a corpus are fetched as a memory rank fetches them, checked and decoded, in shuffled
order, the levels in turn. "cold": the pages of the file were dropped before, by
posix_fadvise; where the disk has a cache of its own, that stays. Medians.

    python tests/benchmarks/bench_levels.py --disk /tmp --rounds 5
"""

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from qmpi.corpora.builtin import builtin_corpus
from qmpi.memory.cache import recent
from qmpi.memory.levels import NOTHING_BELOW, Levels
from qmpi.storage.cache import default_cache
from qmpi.storage.corpus import Corpus
from qmpi.storage.frame_folder import FrameFolder

ROOM = 1 << 33


def drop(folder: Path) -> None:
    """Drop the pages of all files below a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            number = os.open(path, os.O_RDONLY)
            os.fsync(number)
            os.posix_fadvise(number, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(number)


def level(folder: Path) -> FrameFolder:
    own = folder / f"bench-{os.getpid()}-1"
    own.mkdir()
    return FrameFolder("bench", own, recent(ROOM), time.perf_counter)


class Way:
    """One way to come by a chunk."""

    def __init__(self, name: str, corpus: Corpus, before: Callable[[], None]) -> None:
        self.name, self.corpus, self.before = name, corpus, before
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def fetch(self, shard: int, chunk: int) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        ids = self.corpus._chunk(shard, chunk)
        self.cpu.append(time.thread_time() - cpu)
        self.wall.append(time.perf_counter() - wall)
        assert ids.size


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpus", type=Path, help="default: the built-in one")
    parser.add_argument("--host", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--disk", type=Path, default=Path("/tmp"))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    path = options.corpus or builtin_corpus("python", default_cache(os.environ), lambda _: None)
    facts = Corpus.open(path).layout()
    places = facts.chunks(0, facts.starts[-1])
    host, disk = (TemporaryDirectory(dir=place) for place in (options.host, options.disk))
    with host as near, disk as far:
        run(path, places, Path(near), Path(far), options.rounds)


def run(path: Path, places: list[tuple[int, int]], near: Path, far: Path, rounds: int) -> None:
    def opened(levels: Levels, room: int) -> Corpus:
        corpus = Corpus.open(path, recent(room), levels=levels)
        for place in places:
            corpus._chunk(*place)
        return corpus

    below = {place: Levels([level(place)]) for place in (near, far)}
    ways = [
        Way("memory, decoded", opened(NOTHING_BELOW, ROOM), lambda: None),
        Way("host", opened(below[near], 0), lambda: None),
        Way("disk", opened(below[far], 0), lambda: None),
        Way("disk, cold", opened(below[far], 0), lambda: drop(far)),
        Way("shard", opened(NOTHING_BELOW, 0), lambda: None),
        Way("shard, cold", opened(NOTHING_BELOW, 0), lambda: drop(path)),
    ]
    for number in range(rounds):
        order = random.Random(number).sample(places, len(places))
        for way in ways:
            way.before()
            for place in order:
                way.fetch(*place)
    decode = decoding(ways[-2].corpus, places)
    write = sys.stdout.write
    write(
        f"{len(places)} chunks of {path.name}, {rounds} rounds; decoding alone {decode:,.0f} us\n\n"
    )
    write("| from | us, median | us, 95th of 100 | us of CPU |\n|---|---|---|---|\n")
    for way in ways:
        wall = sorted(way.wall)
        cells = [statistics.median(wall), wall[len(wall) * 95 // 100], statistics.median(way.cpu)]
        write(f"| {way.name} | " + " | ".join(f"{1e6 * cell:,.0f}" for cell in cells) + " |\n")
    for levels in below.values():
        levels.close()


def decoding(corpus: Corpus, places: list[tuple[int, int]]) -> float:
    """Return the median of microseconds that decoding a chunk takes."""
    from qmpi.storage.codecs import decompress

    spent: list[float] = []
    for shard, chunk in places:
        table, frame = corpus.shards.table(shard), corpus.shards.frame(shard, chunk)
        out = np.empty(table.chunk_tokens, table.dtype)
        begun = time.perf_counter()
        decompress(table.codec, frame, out)
        spent.append(time.perf_counter() - begun)
    return 1e6 * statistics.median(spent)


if __name__ == "__main__":
    main()
