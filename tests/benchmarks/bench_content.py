"""Tokens a second and core of generated text, encoding included, by type. Prints a table.

Each figure is the median of five rounds of processor time on one core, types in turn. First each
type writes 4,000 documents, which makes the tables that a process makes once; how long that takes
is a column of its own. Then two processes do the same at once. A bare loop of Python is timed in
each round, because the speed of shared machines halves and doubles.

Run: python tests/benchmarks/bench_content.py [--type T] [--seconds 1] [--tokenizer F] [--out F.md]
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections import deque
from itertools import islice
from pathlib import Path

from content_sample import generated

from qmpi.content.address import ALL_TYPES, TYPES
from qmpi.content.level import LEVELS
from qmpi.corpora.content_tokenizer import content_tokenizer
from qmpi.storage.cache import default_cache
from qmpi.storage.tokenizer import Tokenizer

ROUNDS = 5
BATCH = 20
WARM = 4000
"""Documents of a type after which tables are made; later batches are equally fast."""
LOOP = 1_000_000
TARGET = {"code": 0.5, "mathematics": 0.5, "drills": 0.5}
"""Million tokens a second and core; 1 for all others."""


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--type", choices=[*ALL_TYPES, "all"], default="all")
    parser.add_argument("--seconds", type=float, default=1.0, help="a round and type")
    parser.add_argument("--tokenizer", type=Path, help="a tokenizer.json; default builtin:content")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    return parser.parse_args()


def measured(documents, tokenizer, seconds, clock=time.process_time):
    """Return tokens, bytes, seconds of writing and of encoding, of a round."""
    tokens = size = 0
    writing = encoding = 0.0
    while writing + encoding < seconds:
        start = clock()
        texts = list(islice(documents, BATCH))
        middle = clock()
        ids, _ = tokenizer.encode_flat(texts)
        encoding += clock() - middle
        writing += middle - start
        tokens += ids.size
        size += sum(len(text.encode()) for text in texts)
    return tokens, size, writing, encoding


def bare_loop():
    """Return million turns a second of a loop that adds numbers, by processor time."""
    start, total = time.process_time(), 0
    for number in range(LOOP):
        total += number * number % 7
    return LOOP / (time.process_time() - start) / 1e6


def warmed(stream):
    """Return the stream without its first documents, and the seconds that they took."""
    start = time.process_time()
    deque(islice(stream, WARM), 0)
    return stream, time.process_time() - start


def rounds(names, tokenizer, seconds):
    """Return the median turns of the bare loop, and a row of the table for each type."""
    streams = {name: warmed(generated(name, (1, LEVELS), seed=3)) for name in names}
    found, loops = {name: [] for name in names}, []
    for _ in range(ROUNDS):
        for name in names:
            loops.append(bare_loop())
            found[name].append(measured(streams[name][0], tokenizer, seconds))
    loop = statistics.median(loops)
    return loop, [row(name, parts, loop, streams[name][1]) for name, parts in found.items()]


def row(name, parts, loop, warm):
    """Return a line of the table, of the rounds of a type."""
    speed = statistics.median(tokens / (w + e) for tokens, _, w, e in parts)
    rate = statistics.median(size / (w + e) for _, size, w, e in parts)
    share = statistics.median(e / (w + e) for _, _, w, e in parts)
    each = sum(size for _, size, _, _ in parts) / sum(t for t, _, _, _ in parts)
    return (
        f"| {name} | {speed / 1e6:.2f} | {TARGET.get(name, 1.0):g} | {rate / 1e6:.1f} "
        f"| {100 * share:.0f} % | {each:.2f} | {loop * 1e6 / speed:.0f} | {warm:.1f} |"
    )


def together(wanted, names, tokenizer_path):
    """Return wall-clock tokens a second of one process and of two at once, all types in turn."""
    command = [sys.executable, __file__, "--child", "--tokenizer", str(tokenizer_path)]
    command += ["--type", wanted.type, "--seconds", str(max(2.0, wanted.seconds * len(names)))]
    said = []
    for count in (1, 2):
        children = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)
        ]
        said.append(sum(float(child.communicate(timeout=600)[0]) for child in children))
    return said


def child(wanted, names, tokenizer):
    """Print wall-clock tokens a second, all types in turn."""
    streams = [warmed(generated(name, (1, LEVELS), seed=4))[0] for name in names]
    mixed = (next(stream) for _ in iter(int, 1) for stream in streams)
    tokens, _, writing, encoding = measured(mixed, tokenizer, wanted.seconds, time.perf_counter)
    sys.stdout.write(f"{tokens / (writing + encoding)}\n")


def main():
    wanted = options()
    names = list(TYPES) if wanted.type == "all" else [wanted.type]
    path = wanted.tokenizer or content_tokenizer(default_cache(os.environ), lambda _: None)
    tokenizer = Tokenizer.load(path)
    if wanted.child:
        child(wanted, names, tokenizer)
        return
    loop, rows = rounds(names, tokenizer, wanted.seconds)
    head = "| type | million tokens/s | target | MB/s | encoding | bytes a token "
    head += f"| turns of the bare loop a token | first {WARM:,} documents, s |"
    lines = [head, "|---" * 8 + "|", *rows]
    sys.stdout.write("\n".join(lines) + f"\nBare loop: {loop:.1f} million turns/s.\n")
    one, two = together(wanted, names, path)
    note = (
        f"All types in turn, wall clock: one process {one / 1e6:.2f}, two at once {two / 1e6:.2f} "
        f"million tokens/s ({two / one:.2f} times).\n"
    )
    sys.stdout.write(note)
    if wanted.out:
        table = "\n".join(lines)
        wanted.out.write_text(
            f"# Speed of generated text\n\n`python tests/benchmarks/bench_content.py "
            f"{' '.join(sys.argv[1:])}`, {platform.machine()}, {os.cpu_count()} cores, Python "
            f"{platform.python_version()}.\nProcessor time of one core, generating and encoding, "
            f"medians of {ROUNDS}; {tokenizer.size} ids.\n"
            f"Bare loop of Python: {loop:.1f} million turns/s.\n\n{table}\n\n{note}",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
