"""Does training on generated text lower the loss on real text? One small model an arm, every type.

Arms read the same number of tokens: generated text of the type; the same text with its words in
random order, which keeps the vocabulary and loses what it says; problems of reasoning-gym; and the
other seven types, which tells whether the type matters. Each is judged in bits a byte on real text
of the type that no arm saw, as it is and after a short tuning on other real text. The vocabulary is
trained on that other real text, so it favours no arm. An arm that is not lower is printed like all.

Run: python tests/benchmarks/bench_transfer.py [--tokens 100000] [--type T ...]
"""

import argparse
import importlib
import os
import platform
import random
import sys
import time
import warnings
from itertools import chain, count
from pathlib import Path

import torch
from content_sample import generated, up_to
from real_text import SOURCES, real_documents, what_lacks
from small_model import SmallModel, bits_a_byte, rows_of

from qmpi.content import diversity
from qmpi.content.address import TYPES
from qmpi.content.diversity import words_of
from qmpi.content.level import LEVELS
from qmpi.storage.tokenizer import train_tokenizer

VOCABULARY = 4096
HELD_OUT = 300_000
"""Bytes of real text that arms are judged on; a third of it where there is less than three times
as much. A fifth of this was too few: one odd file in fifteen decided about code."""
TUNING_SHARE = 0.1
TASKS = (
    *("chain_sum", "basic_arithmetic", "products", "gcd", "lcm", "fraction_simplification"),
    *("leg_counting", "letter_counting", "number_sorting", "word_sorting", "spell_backward"),
    *("base_conversion", "calendar_arithmetic", "simple_equations", "propositional_logic"),
    *("caesar_cipher", "syllogism", "family_relationships", "gsm_symbolic", "time_intervals"),
)
"""Tasks of reasoning-gym that make text faster than a megabyte a second."""


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--type", nargs="+", choices=TYPES, default=TYPES)
    parser.add_argument("--tokens", type=int, default=100_000, help="that each arm reads")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--real", type=Path, default=Path("/"), help="where packages are unpacked")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    return parser.parse_args()


def shuffled(text, seed):
    """Return a text with its words in random order; what stands between them stays."""
    words = words_of(text)
    order = iter(random.Random(seed).sample(words, len(words)))
    return diversity._WORD.sub(lambda _: next(order), text)


def gym(size, seed):
    """Return problems and answers of reasoning-gym, tasks in turn; None if it is not there."""
    try:
        library = importlib.import_module("reasoning_gym")
    except ImportError:
        return None
    tasks = [library.create_dataset(name, size=10**6, seed=seed * 10**6) for name in TASKS]
    items = (task[n] for n in count() for task in tasks)
    return up_to((f"{item['question']}\n{item['answer']}\n" for item in items), size)


def others(name, seed):
    """Yield documents of all other types in turn."""
    streams = [generated(other, (1, LEVELS), seed) for other in TYPES if other != name]
    yield from chain.from_iterable(zip(*streams, strict=True))


def arms(name, size, seed):
    """Return the texts of each arm."""
    own = up_to(generated(name, (1, LEVELS), seed), size)
    made = {
        "generated": own,
        "its words shuffled": [shuffled(text, n) for n, text in enumerate(own)],
        "the other types": up_to(others(name, seed), size),
    }
    problems = gym(size, seed)
    return made if problems is None else made | {"reasoning-gym": problems}


def results(name, wanted, seed):
    """Return arm -> (bits a byte as it is, after tuning); empty if there is no real text."""
    real = real_documents(name, wanted.real)
    held_out = up_to(real, min(HELD_OUT, sum(len(text.encode()) for text in real) // 3))
    rest = real[len(held_out) :]
    if not rest:
        sys.stderr.write(what_lacks(name, wanted.real) + "\n")
        return {}
    tokenizer = train_tokenizer(up_to(rest, 3_000_000), VOCABULARY)
    tested = rows_of(tokenizer, held_out)
    tuning = rows_of(tokenizer, up_to(rest, 10**6), int(wanted.tokens * TUNING_SHARE))
    said = {}
    # Nine bytes a token are more than any text here has: every arm is cut off at the tokens.
    for arm, texts in {"nothing": [], **arms(name, 9 * wanted.tokens, seed)}.items():
        model = SmallModel(tokenizer.size, seed)
        if texts:
            model.train(rows_of(tokenizer, texts, wanted.tokens))
        plain = bits_a_byte(*model.nats(tested), tokenizer, held_out)
        model.train(tuning)
        tuned = bits_a_byte(*model.nats(tested), tokenizer, held_out)
        said[arm] = (plain, tuned)
        sys.stdout.write(f"{name}, seed {seed}, {arm}: {plain:.3f}, tuned {tuned:.3f}\n")
        sys.stdout.flush()
    return said


def row(name, seeds):
    """Return lines of the table: mean over seeds, and whether the generated arm is the lowest."""
    lines = []
    for arm in seeds[0]:
        plain, tuned = (sum(s[arm][place] for s in seeds) / len(seeds) for place in (0, 1))
        ours = [sum(s["generated"][place] for s in seeds) / len(seeds) for place in (0, 1)]
        verdict = ["", ""]
        if arm != "generated":
            verdict = [
                f"{100 * (theirs - own) / theirs:+.1f} %"
                for own, theirs in zip(ours, (plain, tuned), strict=True)
            ]
        lines.append(
            f"| {name} | {SOURCES[name][0]} | {arm} | {plain:.3f} | {verdict[0]} | {tuned:.3f} "
            f"| {verdict[1]} |"
        )
    return lines


def main():
    wanted = options()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(wanted.threads)
    start, lines = time.perf_counter(), []
    for name in wanted.type:
        seeds = [results(name, wanted, seed) for seed in range(1, wanted.seeds + 1)]
        lines += row(name, seeds) if seeds[0] else [f"| {name} | missing | | | | | |"]
    head = "| type | real text | trained on | bits a byte | ours is lower by | tuned | by |"
    table = "\n".join([head, "|---" * 7 + "|", *lines]) + "\n"
    sys.stdout.write(table)
    if wanted.out:
        wanted.out.write_text(
            f"# Transfer to real text, {wanted.tokens} tokens an arm, {wanted.seeds} seeds\n\n"
            f"`python tests/benchmarks/bench_transfer.py {' '.join(sys.argv[1:])}`, "
            f"{platform.machine()}, {os.cpu_count()} cores, {time.perf_counter() - start:.0f} s.\n"
            f"Model of {SmallModel(VOCABULARY, 0).parameters:,} parameters; what the arms are "
            "stands in the program.\nTuning reads a tenth as many tokens of other real text.\n\n"
            + table,
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
