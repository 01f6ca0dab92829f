"""Ratio and speed of shards by chunk size, and of the journal. Prints; asserts nothing.

Run: python tests/benchmarks/bench_storage.py [CORPUS]; without a corpus, Zipf-distributed ids.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from qmpi.protocol.journal import StepCommitted
from qmpi.storage.corpus import Corpus
from qmpi.storage.journal import JournalWriter, read_journal
from qmpi.storage.shard_reader import ShardReader
from qmpi.storage.shard_writer import ShardWriter


def _shard(ids, chunk, folder):
    path = folder / f"{chunk}.h5"
    start = time.process_time()
    writer = ShardWriter(path, ids.dtype.name, "d", chunk_tokens=chunk)
    writer.append(ids)
    writer.close()
    write = ids.nbytes / 1e6 / (time.process_time() - start)
    reader = ShardReader(path, cache_bytes=0)
    start = time.process_time()
    for begin in range(0, ids.size - chunk, chunk):
        reader.read(begin, chunk)
    read = ids.nbytes / 1e6 / (time.process_time() - start)
    places = np.random.default_rng(0).integers(0, ids.size - 2049, 200)
    start = time.process_time()
    for place in places:
        reader.read(int(place), 2049)
    windows = len(places) / (time.process_time() - start)
    ratio = ids.nbytes / path.stat().st_size
    sys.stdout.write(
        f"{chunk:8d} ids a chunk: ratio {ratio:.2f}, write {write:.0f} MB/s, "
        f"read {read:.0f} MB/s, {windows:.0f} random windows/s without cache\n"
    )


def _journal(folder):
    path = folder / "journal.jsonl"
    with JournalWriter.open(path) as writer:
        writer.append(
            [
                StepCommitted(1.0, n, 1, 0, ("ab" * 16,) * 8, (2.0,) * 8, 2.0, "")
                for n in range(10**5)
            ]
        )
    start = time.process_time()
    count = sum(1 for _ in read_journal(path))
    sys.stdout.write(f"journal: {count} lines checked in {time.process_time() - start:.2f} s\n")


def main():
    """Print all figures."""
    if len(sys.argv) > 1:
        corpus = Corpus.open(Path(sys.argv[1]))
        ids = corpus.read(0, corpus.tokens)
    else:
        ids = np.random.default_rng(0).zipf(1.3, 4_000_000).clip(0, 4095).astype("u2")
    with tempfile.TemporaryDirectory() as folder:
        for chunk in (1 << 16, 1 << 17, 1 << 18, 1 << 20):
            _shard(ids, chunk, Path(folder))
        _journal(Path(folder))


if __name__ == "__main__":
    main()
