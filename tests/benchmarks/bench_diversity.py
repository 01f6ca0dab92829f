"""Diversity of generated text beside real text of the same kind, and the gates. Prints a table.

Run: python tests/benchmarks/bench_diversity.py [--type T] [--band B] [--megabytes 3] [--out F.md]
"""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
from content_sample import generated, up_to
from real_text import SOURCES, real_documents, what_lacks

from qmpi.content.address import TYPES
from qmpi.content.diversity import GATES, failures, growth, measure, word_hashes
from qmpi.content.level import BANDS, LEVELS
from qmpi.content.likeness import repeated, signature

COLUMNS = ("documents", "words", "types", "heaps", "novel", "zlib", "lzma", "near", "repeats")
COLUMNS += ("opening", "orders")
FORMS = {"documents": "{}", "words": "{}", "heaps": "{:.2f}", "novel": "{:.2f}", "zlib": "{:.2f}"}
FORMS |= {"lzma": "{:.2f}", "near": "{:.4f}", "repeats": "{:.4f}", "opening": "{:.4f}"}


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--type", choices=[*TYPES, "all"], default="all")
    parser.add_argument("--band", choices=[*(name for name, _, _ in BANDS), "all"], default="all")
    parser.add_argument("--megabytes", type=float, default=3.0)
    parser.add_argument("--real", type=Path, default=Path("/"), help="where packages are unpacked")
    parser.add_argument(
        "--crowd", type=int, default=0, help="documents for near-duplicates, 100000"
    )
    parser.add_argument("--curve", type=int, default=0, help="words for the growth curve, 10000000")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    return parser.parse_args()


def rows(wanted):
    """Yield a row each: type, what it is, figures, failed gates."""
    size = int(wanted.megabytes * 1e6)
    for name in TYPES if wanted.type == "all" else [wanted.type]:
        real = up_to(real_documents(name, wanted.real), size)
        if real:
            yield name, f"real: {SOURCES[name][0]}", measure(real), []
        else:
            sys.stderr.write(what_lacks(name, wanted.real) + "\n")
        for band, first, last in BANDS:
            if wanted.band in {band, "all"}:
                found = measure(up_to(generated(name, (first, last)), size))
                yield name, f"{band} ({first}-{last})", found, failures(found)


def table(lines):
    """Return rows as a table."""
    said = [f"| type | text | {' | '.join(COLUMNS)} | fails |", "|---" * (len(COLUMNS) + 3) + "|"]
    for name, what, found, failed in lines:
        cells = [FORMS.get(c, "{:.3f}").format(getattr(found, c)) for c in COLUMNS]
        names = ", ".join(text.split(" ")[0] for text in failed)
        said.append(f"| {name} | {what} | {' | '.join(cells)} | {names} |")
    return "\n".join(said) + "\n"


def crowd(name, count):
    """Say the share of near-duplicates among so many documents of a type."""
    texts = generated(name, (1, LEVELS))
    signatures = [signature(word_hashes(next(texts))) for _ in range(count)]
    return f"{name}: {sum(repeated(signatures)) / count:.5f} of {count} documents repeat another\n"


def curve(name, words):
    """Say how the vocabulary of a type grows, all levels in turn."""
    hashes, total = [], 0
    for text in generated(name, (1, LEVELS)):
        hashes.append(word_hashes(text))
        total += hashes[-1].size
        if total >= words:
            break
    points = growth(np.concatenate(hashes))
    said = ", ".join(f"{size}: {types}" for size, types in points[::4] + points[-1:])
    return f"{name}: different words by words read: {said}\n"


def main():
    wanted = options()
    start, lines = time.perf_counter(), []
    for row in rows(wanted):
        lines.append(row)
        if wanted.json:
            facts = msgspec.to_builtins(row[2])
            sys.stdout.write(json.dumps({"type": row[0], "text": row[1], **facts, "fails": row[3]}))
            sys.stdout.write("\n")
        else:
            sys.stdout.write(table([row]).split("\n", 2)[2])
        sys.stdout.flush()
    notes = ""
    for name in TYPES if wanted.type == "all" else [wanted.type]:
        notes += crowd(name, wanted.crowd) if wanted.crowd else ""
        notes += curve(name, wanted.curve) if wanted.curve else ""
    sys.stdout.write(notes)
    gates = ", ".join(f"{name} {side} {bound:g}" for name, (side, bound) in GATES.items())
    if wanted.out:
        wanted.out.write_text(
            f"# Diversity of generated text, {wanted.megabytes:g} MB a row\n\n"
            f"`python tests/benchmarks/bench_diversity.py {' '.join(sys.argv[1:])}`, "
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
            f"{time.perf_counter() - start:.0f} s.\n\nGates: {gates}.\n"
            "What the columns mean stands in `qmpi/content/diversity.py`. In Chinese and Japanese\n"
            f"each character counts as a word.\n\n{table(lines)}\n{notes}",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
