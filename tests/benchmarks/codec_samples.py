"""Text and ids that codecs are set beside: of real text, and of generated text."""

import gzip
import os
import random
import sysconfig
from pathlib import Path

import numpy as np

from qmpi.storage.cache import default_cache
from qmpi.storage.tokenizer import Tokenizer, train_tokenizer

VOCABULARY = 32768
_PIECE = 20_000
_SUFFIXES = frozenset(
    {".txt", ".rst", ".md", ".py", ".dz", ".gz", ".c", ".h", ".js", ".Rmd", ".tex", ".html"}
)


def real_texts(folders, size):
    """Read UTF-8 text below folders, an equal share of each, until there are so many characters."""
    chosen = [Path(folder) for folder in folders] or [Path(sysconfig.get_path("stdlib"))]
    texts = []
    for folder in chosen:
        files = sorted(p for p in folder.rglob("*") if p.suffix in _SUFFIXES and p.is_file())
        random.Random(0).shuffle(files)
        left = size // len(chosen)
        for path in files:
            text = _text_of(path)[: 40 * _PIECE]
            texts += [text[k : k + _PIECE] for k in range(0, len(text), _PIECE)]
            left -= len(text)
            if left <= 0:
                break
    random.Random(1).shuffle(texts)
    return texts


def _text_of(path):
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix in {".gz", ".dz"} else data).decode()
    except (OSError, EOFError, UnicodeDecodeError):
        return ""


def encoded(tokenizer, texts):
    """Return ids of texts, uint16, each closed by the end token."""
    parts = tokenizer.encode_batch(texts)
    return np.concatenate([np.array([*ids, tokenizer.end_of_text], "<u2") for ids in parts])


def real_ids(texts, kept):
    """Return ids of real text in a vocabulary trained on it; the tokenizer is kept in a file."""
    path = Path(kept) if kept else None
    if path and path.exists():
        tokenizer = Tokenizer.load(path)
    else:
        tokenizer = train_tokenizer(texts[: len(texts) // 2], VOCABULARY)
        if path:
            tokenizer.save(path)
    return encoded(tokenizer, texts), tokenizer


def generated_ids(count):
    """Return ids of generated text of the usual mix, in the vocabulary that it has."""
    # The lexicons take seconds to load, which real text need not wait for.
    from qmpi.content.address import generator_key
    from qmpi.content.block_maker import BlockMaker
    from qmpi.content.lexicons import lexicon_digest
    from qmpi.content.mix import BlockPlan, default_mix
    from qmpi.corpora.content_tokenizer import content_tokenizer

    path = content_tokenizer(default_cache(os.environ), lambda _progress: None)
    maker = BlockMaker(Tokenizer.load(path), generator_key(lexicon_digest(), 0))
    plan, blocks, made = BlockPlan(default_mix()), [], 0
    while made < count:
        blocks.append(maker.make(*plan.address(len(blocks))).ids)
        made += blocks[-1].size
    return np.concatenate(blocks).astype("<u2")[:count]
