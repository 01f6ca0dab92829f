"""What bench_learning sets side by side: texts, two models, recipes by name.

The peer is nanoGPT's model in our own words (LayerNorm without bias, learned positions, GELU of
four times the width, tied head) with its recipe: AdamW (0.9, 0.95), decay 0.1 on all matrices,
clipping at 1, warm-up, cosine to a tenth. Both models are trained by the same loop, over a flat
state, with the optimizers that are shipped.
"""

import hashlib
import math
import os
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from qmpi.config.model import ModelSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.corpora.builtin import builtin_corpus
from qmpi.model.initial import initialise
from qmpi.model.transformer import Transformer
from qmpi.storage.cache import default_cache
from qmpi.storage.corpus import Corpus
from qmpi.storage.shard_reader import ShardReader

CONTEXT = 256
VOCABULARY = 4096
HELD_OUT = 20
"""One document in so many is held out."""

SIZES = {
    "0.3M": ModelSettings(vocab_size=VOCABULARY, width=64, layers=2, heads=2, kv_heads=1),
    "1.3M": ModelSettings(vocab_size=VOCABULARY, width=128, layers=4, heads=4, kv_heads=2),
    "4M": ModelSettings(vocab_size=VOCABULARY, width=256, layers=4, heads=4, kv_heads=2),
    "13M": ModelSettings(vocab_size=VOCABULARY, width=384, layers=7, heads=6, kv_heads=2),
}


def documents():
    """Return the ids of each document of the built-in corpus, those held out apart."""
    path = builtin_corpus("python", default_cache(os.environ), lambda _: None)
    kept, held = [], []
    for shard in Corpus.open(path).facts.shards:
        reader = ShardReader(path / shard.name)
        bounds = [*reader.document_offsets.tolist(), reader.tokens]
        for start, end in pairwise(bounds):
            ids = np.asarray(reader.read(start, end - start)).astype(np.int64)
            mark = hashlib.blake2b(ids.tobytes(), digest_size=4).digest()
            out = int.from_bytes(mark, "little") % HELD_OUT == 0
            (held if out else kept).append(ids)
        reader.close()
    return kept, held


def rows(texts, seed):
    """Return rows of CONTEXT + 1 ids in random order; documents are shuffled before that."""
    draw = np.random.default_rng(seed)
    order = draw.permutation(len(texts))
    ids = np.concatenate([texts[n] for n in order])
    count = (ids.size - 1) // CONTEXT
    starts = np.arange(count)[:, None] * CONTEXT
    cut = torch.from_numpy(ids[starts + np.arange(CONTEXT + 1)[None, :]])
    return cut[torch.from_numpy(draw.permutation(count))]


class PeerBlock(nn.Module):
    """Attention and feed-forward of nanoGPT."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm_1 = nn.LayerNorm(width, bias=False)
        self.merged = nn.Linear(width, 3 * width, bias=False)
        self.out_proj = nn.Linear(width, width, bias=False)
        self.norm_2 = nn.LayerNorm(width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down_proj = nn.Linear(4 * width, width, bias=False)

    def forward(self, x):
        batch, tokens, width = x.shape
        parts = self.merged(self.norm_1(x)).split(width, dim=-1)
        q, k, v = (p.view(batch, tokens, self.heads, -1).transpose(1, 2) for p in parts)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out_proj(y.transpose(1, 2).reshape(batch, tokens, width))
        return x + self.down_proj(functional.gelu(self.up(self.norm_2(x))))


class Peer(nn.Module):
    """nanoGPT's model at the width, depth and heads of ours."""

    def __init__(self, shape, seed):
        super().__init__()
        self.embed = nn.Embedding(shape.vocab_size, shape.width)
        self.positions = nn.Embedding(CONTEXT, shape.width)
        self.blocks = nn.ModuleList(
            [PeerBlock(shape.width, shape.heads) for _ in range(shape.layers)]
        )
        self.norm = nn.LayerNorm(shape.width, bias=False)
        draw = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                thin = name.endswith("_proj.weight")
                std = 0.02 / math.sqrt(2 * shape.layers) if thin else 0.02
                parameter.data.normal_(0.0, std, generator=draw)

    def loss(self, ids, targets):
        x = self.embed(ids) + self.positions.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = functional.linear(self.norm(x), self.embed.weight).flatten(0, 1).float()
        return functional.cross_entropy(logits, targets.flatten())


def make_model(name, shape, seed):
    if name == "nanogpt":
        return Peer(shape, seed)
    model = Transformer(shape)
    initialise(model, shape, seed)
    return model


WORDS = {
    "rate": ("learning_rate", float),
    "ratio": ("table_ratio", float),
    "min": ("min_ratio", float),
    "schedule": ("schedule", str),
    "share": ("decay_share", float),
    "power": ("power", float),
    "momentum": ("momentum", float),
    "beta2": ("beta2", float),
    "decay": ("weight_decay", float),
    "tables": ("decay_tables", lambda text: text == "decayed"),
    "clip": ("clip_norm", float),
}


def read_arm(text):
    """Return model and recipe of "MODEL KIND KEY=VALUE ..."; other keys come back as they are."""
    model, kind, *words = text.split()
    fields, rest = {"kind": kind}, {}
    for word in words:
        key, value = word.split("=")
        if key in WORDS:
            fields[WORDS[key][0]] = WORDS[key][1](value)
        else:
            rest[key] = value
    return model, OptimizerSettings(**fields), rest
