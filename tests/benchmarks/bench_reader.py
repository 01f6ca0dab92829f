"""Token readers beside each other: tokens a second, random windows a second, bytes on disk.

The same ids, of real text in a vocabulary of 32,768, on the same disk: qmpi in process and over MPI
(a memory rank and one reader), mosaicml-streaming, litdata, a map of uint16, h5py with gzip and
without, and the bare decoding of qmpi's Blosc2 frames. Readers take turns, each round in the
opposite order; a figure is the median of its rounds. Cold: files are written through to the disk
and dropped from the page cache before. With --cpu-time warm figures are by the processor time of
all threads and ranks: on a busy machine nothing else means something. What is not installed is
null.

    python tests/benchmarks/bench_reader.py --json
    python tests/benchmarks/bench_reader.py --tokens 40000000 --keep IDS --json

The peers install beside our torch only without what they depend on; a folder of their own does:

    pip install --no-deps --target PEERS mosaicml-streaming litdata zstd Brotli python-snappy \
        cramjam xxhash obstore catalogue tifffile boto3 botocore s3transfer jmespath \
        python-dateutil six pillow lightning-utilities
    PYTHONPATH=PEERS python tests/benchmarks/bench_reader.py --json
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from reader_data import drop, ids_in
from reader_mpi import OverMpi
from reader_peers import PEERS, importable
from reader_sides import LENGTH, SIDES

from qmpi.storage.corpus_index import TOKENIZER_NAME

READERS = ("qmpi", "qmpi_mpi", "streaming", "litdata", "memmap", "h5py", "raw_blosc2")
TOKENS = "tokens_per_second"
FEW = 5
"""Random windows that are compared with the ids before anything is timed."""


def options(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=20_000_000)
    parser.add_argument("--vocabulary", type=int, default=32_768)
    parser.add_argument("--windows", type=int, default=2000, help="random rows of a pass")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(READERS), help="readers, by commas")
    parser.add_argument("--real", type=Path, default=Path("/"), help="where packages are unpacked")
    parser.add_argument("--text", action="append", default=[], help="folder of text, if too little")
    parser.add_argument("--keep", type=Path, help="folder for ids and vocabulary, made if missing")
    parser.add_argument("--disk", type=Path, help="folder on the disk to be measured")
    parser.add_argument("--cpu-time", action="store_true", help="warm figures by processor time")
    parser.add_argument("--json", action="store_true", help="one line, for scripts")
    return parser.parse_args(arguments)


def timed(rows):
    """Take rows; return how many, seconds, and seconds of processor time."""
    count, begun, cpu = 0, time.perf_counter(), time.process_time()
    for found in rows:
        count += len(found) if found.ndim > 1 else 1
    return count, time.perf_counter() - begun, time.process_time() - cpu


def fault(side, ids):
    """Return what is wrong with what a side reads, or ""."""
    side.open()
    wanted = np.random.default_rng(1).integers(0, side.rows, FEW).tolist()
    for row, found in zip(wanted, side.read_some(wanted), strict=True):
        right = ids[row * LENGTH : row * LENGTH + LENGTH + 1]
        if not np.array_equal(np.asarray(found), right[: len(found)]):
            return f"row {row} is wrong"
    first = np.asarray(next(iter(side.read_all()))).reshape(-1)[:LENGTH]
    side.close()
    return "" if np.array_equal(first, ids[:LENGTH]) else "the first row is wrong"


def one_round(side, windows, *, by_cpu):
    """Return figures of a side in one round, by name; warm ones perhaps by processor time."""
    found = {}
    for name, read in (
        (TOKENS, side.read_all),
        ("random_windows_per_second", lambda: side.read_some(windows)),
    ):
        drop(side.files)
        side.open()
        for state in ("cold_", ""):
            count, seconds, cpu = timed(read())
            size = LENGTH if name == TOKENS else 1
            found[state + name] = size * count / (cpu if by_cpu and not state else seconds)
            if size > 1:
                found[state + "cpu_nanoseconds_per_token"] = cpu / (LENGTH * count) * 1e9
        side.close()
    return found


def sides_of(wanted, folder, ids, tokenizer):
    """Yield (reader, form, side) of all that are wanted and installed."""
    for reader in READERS:
        if reader not in wanted or (reader in PEERS and importable(reader) is None):
            continue
        if reader == "qmpi_mpi":
            yield from OverMpi.forms(folder, ids, tokenizer)
            continue
        for form, make in {**SIDES, **PEERS}[reader].items():
            yield reader, form, make(folder, ids, tokenizer)


def measure(sides, wanted):
    """Return the median of each figure by (reader, form)."""
    rows = np.random.default_rng(0)
    figures = defaultdict(lambda: defaultdict(list))
    for number in range(wanted.rounds):
        for reader, form, side in sides[:: -1 if number % 2 else 1]:
            chosen = rows.integers(0, side.rows, wanted.windows).tolist()
            if reader == "qmpi_mpi":
                found = side.round(by_cpu=wanted.cpu_time)
            else:
                found = one_round(side, chosen, by_cpu=wanted.cpu_time)
            for name, value in found.items():
                figures[reader, form][name].append(value)
            sys.stderr.write(f"round {number}: {reader} {form} {found[TOKENS]:,.0f}\n")
    return {
        key: {name: statistics.median(values) for name, values in found.items()}
        for key, found in figures.items()
    }


def summary(found, held):
    """Return the object to print: each reader's best form, and all forms."""
    names = sorted({TOKENS, *(name for figures in found.values() for name in figures)})
    best = {}
    for reader in READERS:
        forms = [key for key in found if key[0] == reader and key[1] != "all kept"]
        best[reader] = max(forms, key=lambda key: found[key][TOKENS], default=None)
    told = {
        name: {r: key and rounded(found[key].get(name)) for r, key in best.items()}
        for name in names
    }
    sizes = {r: key and round(held[key], 3) for r, key in best.items()}
    return {
        TOKENS: told.pop(TOKENS),
        "bytes_per_token": sizes,
        **told,
        "form": {reader: key and key[1] for reader, key in best.items()},
        "forms": {
            " ".join(key).strip(): {n: rounded(v) for n, v in figures.items()}
            | {"bytes_per_token": round(held[key], 3)}
            for key, figures in found.items()
        },
    }


def rounded(value):
    """Return four digits of a number."""
    return None if value is None else float(f"{value:.4g}")


def report(wanted):
    """Measure all readers that are wanted and installed; return what is printed."""
    with tempfile.TemporaryDirectory(dir=wanted.disk, ignore_cleanup_errors=True) as place:
        folder, keep = Path(place), wanted.keep or Path(place) / "ids"
        ids = ids_in(keep, wanted)
        sides = list(sides_of(set(wanted.only.split(",")), folder, ids, keep / TOKENIZER_NAME))
        for reader, form, side in sides:
            wrong = reader != "qmpi_mpi" and fault(side, ids)
            if wrong:
                sys.exit(f"{reader} {form}: {wrong}")
        held = {(reader, form): side.bytes_held() / ids.size for reader, form, side in sides}
        found = measure(sides, wanted)
    about = {"tokens": ids.size, "rounds": wanted.rounds}
    return summary(found, held) | about | {"load": [round(load, 1) for load in os.getloadavg()]}


def main():
    wanted = options()
    told = report(wanted)
    sys.stdout.write(json.dumps(told, indent=None if wanted.json else 1) + "\n")
    sys.stdout.flush()
    os._exit(0)  # readers of others leave threads behind


if __name__ == "__main__":
    main()
