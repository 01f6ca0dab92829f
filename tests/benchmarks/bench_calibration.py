"""Does the loss of a fixed small model rise with the level? By type, band and rank correlation.

The reference model is always the same: made from a fixed seed, trained on documents of all types,
levels and languages in turn, with a vocabulary trained on the same text. It is then judged on other
documents, level by level. Loss a token is what a curriculum sees; bits a byte do not change when
rarer words fall into more tokens, so both are printed.

Run: python tests/benchmarks/bench_calibration.py [--tokens N] [--judged N] [--type T]
"""

import argparse
import math
import os
import platform
import sys
import time
from itertools import chain
from pathlib import Path

import torch
from content_sample import generated, up_to
from small_model import SmallModel, bits_a_byte, rows_of

from qmpi.content.address import TYPES, varieties_of
from qmpi.content.level import BANDS, LEVELS
from qmpi.storage.tokenizer import train_tokenizer

SEED = 20
"""Of the reference model and what it reads."""
JUDGED_SEED = 21
VOCABULARY = 4096


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tokens", type=int, default=2_000_000, help="that the reference model reads"
    )
    parser.add_argument("--judged", type=int, default=3000, help="tokens a type and level")
    parser.add_argument("--step", type=int, default=1, help="judge every so many levels")
    parser.add_argument("--type", nargs="+", choices=TYPES, default=TYPES, help="to be judged")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    return parser.parse_args()


def ranks(values):
    """Return the rank of each value, equal ones their mean rank."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for place in order[start:end]:
            found[place] = (start + end - 1) / 2
        start = end
    return found


def spearman(first, second):
    """Return the rank correlation of two series; 0 if one of them is constant."""
    one, other = ranks(first), ranks(second)
    middle = (len(one) - 1) / 2
    shared = sum((x - middle) * (y - middle) for x, y in zip(one, other, strict=True))
    spread = math.prod(sum((x - middle) ** 2 for x in series) for series in (one, other))
    return shared / math.sqrt(spread) if spread else 0.0


def reference(tokens):
    """Return the reference model and its tokenizer."""
    streams = [generated(name, (1, LEVELS), SEED) for name in TYPES]
    texts = up_to(chain.from_iterable(zip(*streams, strict=True)), 6 * tokens)
    tokenizer = train_tokenizer(texts, VOCABULARY)
    model = SmallModel(tokenizer.size, SEED)
    loss = model.train(rows_of(tokenizer, texts, tokens))
    sys.stdout.write(f"reference model of {model.parameters:,} parameters: loss {loss:.3f}\n")
    return model, tokenizer


def judged(model, tokenizer, name, level, tokens):
    """Return loss a token in nats, and bits a byte, of other documents of a type and level.

    Languages count alike: they differ more than levels do, and share out differently in a sample.
    """
    languages, found = varieties_of(name), []
    for language in languages:
        sample = generated(name, (level, level), JUDGED_SEED, (language,))
        texts = up_to(sample, 4 * tokens // len(languages))
        nats, ids = model.nats(rows_of(tokenizer, texts))
        found.append((nats / ids, bits_a_byte(nats, ids, tokenizer, texts)))
    return tuple(sum(values) / len(languages) for values in zip(*found, strict=True))


def line(name, levels, found):
    """Return a row: means of the bands, then rank correlation with the level."""
    cells = []
    for measure in (0, 1):
        values = [pair[measure] for pair in found]
        bands = []
        for _, first, last in BANDS:
            inside = [v for level, v in zip(levels, values, strict=True) if first <= level <= last]
            bands.append(sum(inside) / len(inside))
        cells.append(
            f"| {name} | {' | '.join(f'{v:.3f}' for v in bands)} | {spearman(levels, values):+.2f} "
            f"| {spearman(range(len(bands)), bands):+.2f} |"
        )
    return cells


def main():
    wanted = options()
    torch.set_num_threads(wanted.threads)
    start = time.perf_counter()
    model, tokenizer = reference(wanted.tokens)
    levels = list(range(1, LEVELS + 1, wanted.step))
    tables, columns = [[], []], []
    for name in wanted.type:
        found = [judged(model, tokenizer, name, level, wanted.judged) for level in levels]
        columns.append([f"{loss:.3f}" for loss, _ in found])
        for table, cells in zip(tables, line(name, levels, found), strict=True):
            table.append(cells)
            sys.stdout.write(cells + "\n")
        sys.stdout.flush()
    bands = " | ".join(f"{name} {first}-{last}" for name, first, last in BANDS)
    head = f"| type | {bands} | by level | by band |\n{'|---' * (len(BANDS) + 3)}|\n"
    said = [head + "\n".join(table) + "\n" for table in tables]
    each = [f"| level | {' | '.join(wanted.type)} |", "|---" * (len(wanted.type) + 1) + "|"]
    for place, level in enumerate(levels):
        each.append(f"| {level} | {' | '.join(column[place] for column in columns)} |")
    by_level = "\n".join(each) + "\n"
    if wanted.out:
        wanted.out.write_text(
            f"""# Levels, calibrated

Mean loss of one fixed small model on documents that it has not read, by type and band of levels,
and the rank correlation (Spearman) of the loss with the level, over all levels and over the bands.
The model has {model.parameters:,} parameters and has read {wanted.tokens:,} tokens of all types and
levels; each level of a type is judged on some {wanted.judged:,} tokens, so a single one is noisy.
A level whose documents are longer, and no harder, would not show: the model sees 128 tokens.

`python tests/benchmarks/bench_calibration.py {" ".join(sys.argv[1:])}`, {platform.machine()},
{os.cpu_count()} cores, {time.perf_counter() - start:.0f} s.

## Loss a token, nats

{said[0]}
## Bits a byte of text

{said[1]}
## Loss a token by level, nats

{by_level}""",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
