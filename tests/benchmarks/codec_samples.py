"""Data of every kind that codecs are set beside: ids of real and generated text, weights, text."""

import gzip
import os
import random
import sysconfig
from pathlib import Path

import numpy as np
import torch
from small_model import ROWS, TOKENS_A_STEP, SmallModel, rows_of

from qmpi.content.address import generator_key
from qmpi.content.block_maker import BlockMaker
from qmpi.content.lexicons import lexicon_digest
from qmpi.content.mix import BlockPlan, default_mix
from qmpi.corpora.content_tokenizer import content_tokenizer
from qmpi.storage.cache import default_cache
from qmpi.storage.tokenizer import Tokenizer, train_tokenizer

VOCABULARY = 32768
_PIECE = 20_000
_SUFFIXES = frozenset(
    {".txt", ".rst", ".md", ".py", ".dz", ".gz", ".c", ".h", ".js", ".Rmd", ".tex", ".html"}
)
_STEPS = 100


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
        tokenizer = train_tokenizer(texts, VOCABULARY)
        if path:
            tokenizer.save(path)
    return encoded(tokenizer, texts), tokenizer


def generated_ids(count):
    """Return ids of generated text of the usual mix, in the vocabulary that it has."""
    path = content_tokenizer(default_cache(os.environ), lambda _progress: None)
    maker = BlockMaker(Tokenizer.load(path), generator_key(lexicon_digest(), 0))
    plan, blocks, made = BlockPlan(default_mix()), [], 0
    while made < count:
        blocks.append(maker.make(*plan.address(len(blocks))).ids)
        made += blocks[-1].size
    return np.concatenate(blocks).astype("<u2")[:count]


def trained(tokenizer, texts):
    """Train a small model for a while; return what it has of each kind, float32, by name."""
    model = SmallModel(tokenizer.size, seed=1)
    rows = rows_of(tokenizer, texts[:400], tokens=_STEPS * TOKENS_A_STEP)
    matrices = [p for p in model.model.parameters() if p.ndim == 2]
    adam = torch.optim.AdamW(model.model.parameters(), 1e-3, (0.9, 0.95), fused=True)
    for batch in rows.split(ROWS):
        adam.zero_grad()
        model.model.loss(batch[:, :-1], batch[:, 1:]).backward()
        adam.step()
    return {
        "weights": _flat(matrices),
        "gradients": _flat([p.grad for p in matrices]),
        "first moments": _flat([adam.state[p]["exp_avg"] for p in matrices]),
        "second moments": _flat([adam.state[p]["exp_avg_sq"] for p in matrices]),
    }


def _flat(tensors):
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def floats(state):
    """Return arrays by kind: float32 as it is, bfloat16 as its bits."""
    narrow = {"weights", "gradients"}
    plain = {f"{name}, float32": values.numpy() for name, values in state.items()}
    bits = {
        f"{name}, bfloat16": state[name].bfloat16().view(torch.int16).numpy() for name in narrow
    }
    return dict(sorted({**plain, **bits}.items()))
