"""What a corpus of many shards costs whoever reads it here and there: chunks drawn by chance.

Each shard has the tables of one of 2**28 ids (2,048 chunks, half a million documents); its chunks
are small, so that what is seen is what comes on top of reading and decoding.

    python tests/benchmarks/bench_shards.py --shards 64 --reads 2000
"""

import argparse
import random
import shutil
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from qmpi.storage.memory_here import resident_bytes
from qmpi.storage.open_shards import ExpectedShard, OpenShards
from qmpi.storage.shard_reader import ShardReader
from qmpi.storage.shard_writer import ShardWriter
from qmpi.units import Digest

CHUNK, CHUNKS, DOCUMENTS = 1024, 2048, 1 << 19
TOKENIZER = Digest("d" * 64)


def made(folder: Path, shards: int) -> OpenShards:
    """Write one shard, and copies of it."""
    ids = (np.random.default_rng(3).integers(0, 90, CHUNK * CHUNKS) ** 2).astype("uint16")
    first = folder / "0.h5"
    writer = ShardWriter(first, "uint16", TOKENIZER, chunk_tokens=CHUNK)
    for _ in range(DOCUMENTS):
        writer.start_document()
    writer.append(ids)
    writer.close()
    for number in range(1, shards):
        shutil.copyfile(first, folder / f"{number}.h5")
    expected = [ExpectedShard(f"{number}.h5", ids.size) for number in range(shards)]
    return OpenShards(folder / "index.json", expected, "uint16", TOKENIZER)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--shards", type=int, default=64)
    parser.add_argument("--reads", type=int, default=2000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp"))
    options = parser.parse_args()
    with TemporaryDirectory(dir=options.folder) as folder:
        run(Path(folder), options.shards, options.reads)


def run(folder: Path, shards: int, reads: int) -> None:
    held, chance = made(folder, shards), random.Random(1)
    opening: list[float] = []
    for _ in range(5):
        begun = time.thread_time()
        ShardReader(folder / "0.h5").close()
        opening.append(time.thread_time() - begun)
    spent: list[float] = []
    before = resident_bytes()
    for _ in range(reads):
        shard, chunk = chance.randrange(shards), chance.randrange(CHUNKS)
        begun = time.thread_time()
        held.decoded(shard, chunk)
        spent.append(time.thread_time() - begun)
    grown = resident_bytes() - before
    late = sorted(spent[reads // 2 :])
    figures = (
        ("opening a shard, ms of CPU", 1e3 * statistics.median(opening)),
        ("a chunk, us of CPU, mean of the first half", 1e6 * statistics.fmean(spent[: reads // 2])),
        ("a chunk, us of CPU, mean of the second half", 1e6 * statistics.fmean(late)),
        ("a chunk, us of CPU, median of the second half", 1e6 * statistics.median(late)),
        ("resident, MiB more", grown / 2**20),
        ("files open", float(len(list(Path("/proc/self/fd").iterdir())))),
    )
    for name, figure in figures:
        sys.stdout.write(f"{name}: {figure:,.1f}\n")


if __name__ == "__main__":
    main()
