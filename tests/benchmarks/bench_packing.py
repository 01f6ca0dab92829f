"""What best-fit packing spares: documents cut, tokens whose document began outside their row, cost.

Concatenated rows and packed ones of the same documents: the built-in corpus, generated text, and
lengths drawn at random, for a corpus of many documents. Counts are exact; times are CPU time.

    python tests/benchmarks/bench_packing.py --blocks 24 --drawn 100000
"""

import argparse
import os
import random
import sys
import time

import numpy as np

from qmpi.config.data import ContentSource
from qmpi.content.address import generator_key
from qmpi.content.block_maker import BlockMaker
from qmpi.content.lexicons import lexicon_digest
from qmpi.content.rows import streams_of
from qmpi.corpora.builtin import builtin_corpus
from qmpi.corpora.packing import document_counts, open_packed
from qmpi.policy.packing import WINDOW, pack
from qmpi.storage.cache import default_cache
from qmpi.storage.corpus import Corpus
from qmpi.storage.tokenizer import Tokenizer

LENGTHS = (256, 1024, 4096)
TYPES = ("technical", "mathematics", "conversation")
HEAD = (
    "| text | row | rows | documents, longer than a row | cut, of those that fit: before | after "
    "| begun outside: before | after | least | pieces a row | under 16 ids | us a document |"
)


def concatenated(counts, length):
    """Return documents cut that would fit a row, and the share of targets begun outside it."""
    counts = np.asarray(counts)
    ends = np.cumsum(counts)
    starts = ends - counts
    fits = counts <= length
    cut = int((fits & ((starts - 1) // length != (ends - 2) // length)).sum())
    targets = np.arange(1, (int(ends[-1]) - 1) // length * length + 1)
    begun = np.repeat(starts, counts)[targets]
    return cut, float((begun < (targets - 1) // length * length).mean())


def packed(groups, length, window):
    """Return what packing comes to; groups of documents are packed apart."""
    cut = outside = rows = pieces = slivers = 0
    spent = time.process_time()
    made = [list(pack(counts, length, window)) for counts in groups]
    spent = time.process_time() - spent
    for counts, found in zip(groups, made, strict=True):
        whole = sum(p.begins and p.ends for row in found for p in row)
        cut += sum(count <= length for count in counts) - whole
        outside += sum(p.size for row in found for p in row if not p.begins)
        slivers += sum(p.size for row in found for p in row if p.size < 16 and not p.begins)
        rows, pieces = rows + len(found), pieces + sum(map(len, found))
    ids = rows * length
    return rows, cut, outside / ids, pieces / rows, slivers / ids, spent


def show(name, groups, window=WINDOW):
    counts = [count for group in groups for count in group]
    for length in LENGTHS:
        long = sum(count > length for count in counts)
        least = sum(max(0, count - length) for count in counts) / sum(counts)
        cut, outside = concatenated(counts, length)
        rows, after, inside, pieces, slivers, spent = packed(groups, length, window)
        sys.stdout.write(
            f"| {name} | {length:,} | {rows:,} | {len(counts):,}, {long:,} | {cut:,} | {after:,} | "
            f"{outside:.1%} | {inside:.1%} | {least:.1%} | {pieces:.2f} | {slivers:.3%} | "
            f"{spent / len(counts) * 1e6:.1f} |\n"
        )
        sys.stdout.flush()


def generated(type_name, blocks, tokenizer):
    """Return document lengths of so many blocks, each a chapter of its own."""
    streams = streams_of(ContentSource(name="x", type=type_name))
    maker = BlockMaker(tokenizer, generator_key(lexicon_digest(), 0))
    groups = []
    for number in range(blocks):
        block = maker.make(streams[number * len(streams) // blocks], 0)
        groups.append(np.diff([*block.starts, block.ids.size]).tolist())
    return groups


def read_times(corpus, cache):
    """Print the time to read a random row, cut and packed."""
    for length in LENGTHS:
        rows = open_packed(corpus, length, cache)
        draw = random.Random(0)
        numbers = [draw.randrange(corpus.rows(length)) for _ in range(200)]
        spent = []
        for source in (corpus, rows):
            begun = time.process_time()
            for number in numbers:
                source.read_row(number, length)
            spent.append((time.process_time() - begun) / len(numbers) * 1e6)
        sys.stdout.write(f"row of {length:,}: cut {spent[0]:.0f} us, packed {spent[1]:.0f} us\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=24, help="generated, of each type")
    parser.add_argument("--drawn", type=int, default=100_000, help="documents of random length")
    wanted = parser.parse_args()
    cache = default_cache(os.environ)
    corpus = Corpus.open(builtin_corpus("python", cache, lambda _: None))
    sys.stdout.write(HEAD + "\n" + "|---" * 12 + "|\n")
    show("builtin:python", [list(document_counts(corpus))])
    tokenizer = Tokenizer.load(corpus.tokenizer_path)
    for name in TYPES:
        show(name, generated(name, wanted.blocks, tokenizer))
    draw = random.Random(1)
    drawn = [min(40_000, max(8, round(draw.lognormvariate(6, 1.2)))) for _ in range(wanted.drawn)]
    show("drawn", [drawn])
    show("drawn, windows of 1,024", [drawn], 1024)
    read_times(corpus, cache)


if __name__ == "__main__":
    main()
