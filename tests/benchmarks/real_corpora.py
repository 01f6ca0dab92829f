"""Real text of this machine as separate corpora, with documents held out of each.

"python" is the built-in corpus; "perl" its library and "manuals" its manual pages, where they are.
"""

import gzip
import hashlib
from pathlib import Path

import numpy as np
from learning_arms import documents

HELD_OUT = 20
"""One document in so many is held out."""

MOST_BYTES = 6_000_000

_PLACES = {
    "perl": ("usr/share/perl", "**/*.p[lm]"),
    "manuals": ("usr/share/man/man[1-8]", "*.gz"),
}


def corpus_rows(name, tokenizer, tokens, count, held):
    """Return rows of ids [count, tokens + 1] of a corpus, and rows of documents held out."""
    if name == "python":
        kept, out = documents()
    else:
        texts = list(_texts(name))
        if not texts:
            folder, pattern = _PLACES[name]
            raise SystemExit(f"no real text for {name}: there is no /{folder}/{pattern}")
        sides = ([], [])
        for text in texts:
            mark = hashlib.blake2b(text.encode(), digest_size=4).digest()
            sides[int.from_bytes(mark, "little") % HELD_OUT == 0].append(text)
        kept, out = ([_encoded(tokenizer, text) for text in side] for side in sides)
    rows = [_cut(side, tokens) for side in (kept, out)]
    if len(rows[0]) < count or len(rows[1]) < held:
        raise SystemExit(f"{name} has {len(rows[0])} rows and {len(rows[1])} held out: too few")
    return rows[0][:count], rows[1][:held]


def _texts(name):
    folder, pattern = _PLACES[name]
    size = 0
    for path in sorted(p for place in Path("/").glob(folder) for p in place.glob(pattern)):
        if not path.is_file():
            continue
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = data.decode("utf-8", errors="replace")
        size += len(data)
        yield text
        if size > MOST_BYTES:
            return


def _encoded(tokenizer, text):
    return np.array([*tokenizer.encode(text), tokenizer.end_of_text], np.int64)


def _cut(texts, tokens):
    order = np.random.default_rng(0).permutation(len(texts))
    ids = np.concatenate([texts[n] for n in order])
    count = (ids.size - 1) // tokens
    starts = np.arange(count)[:, None] * tokens
    rows = ids[starts + np.arange(tokens + 1)[None, :]]
    return rows[np.random.default_rng(1).permutation(count)]
