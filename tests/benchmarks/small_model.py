"""A small model for benchmarks of text: trained on a list of texts, judged in bits a byte.

Bits a byte do not depend on the vocabulary, so texts of all kinds and scripts can be set side by
side. Texts are encoded one by one, closed by end-of-text, joined, and cut into rows.
"""

import math

import numpy as np
import torch

from qmpi.config.model import ModelSettings
from qmpi.config.optimizer import OptimizerSettings
from qmpi.config.schedule import learning_rate
from qmpi.model.initial import initialise
from qmpi.model.shape import parameter_count
from qmpi.model.transformer import Transformer

CONTEXT = 128
ROWS = 4
TOKENS_A_STEP = CONTEXT * ROWS
RATE = 3e-3


def rows_of(tokenizer, texts, tokens=None):
    """Return rows of CONTEXT + 1 ids, neighbours one id apart, cut off after so many tokens."""
    ids = tokenizer.encode_flat(texts)[0].astype(np.int64)[: None if tokens is None else tokens + 1]
    count = (ids.size - 1) // CONTEXT
    starts = np.arange(count)[:, None] * CONTEXT
    return torch.from_numpy(ids[starts + np.arange(CONTEXT + 1)[None, :]])


class SmallModel:
    """A transformer of about a million parameters with its optimizer."""

    def __init__(self, vocabulary, seed, width=128, layers=3):
        shape = ModelSettings(
            vocab_size=vocabulary, width=width, layers=layers, heads=4, kv_heads=2
        )
        self.parameters = parameter_count(shape)
        self.model = Transformer(shape)
        initialise(self.model, shape, seed)
        self._seed = seed

    def train(self, rows, rate=RATE):
        """Read all rows once, in a random order; return the mean loss of the last tenth, nats."""
        steps = len(rows) // ROWS
        settings = OptimizerSettings(learning_rate=rate, warmup_steps=max(1, steps // 20))
        adam = torch.optim.AdamW(
            self.model.parameters(), rate, (0.9, 0.95), weight_decay=0.01, fused=True
        )
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(self._seed))
        losses = []
        for step in range(steps):
            batch = rows[order[step * ROWS : (step + 1) * ROWS]]
            for group in adam.param_groups:
                group["lr"] = learning_rate(settings, step, steps)
            loss = self.model.loss(batch[:, :-1], batch[:, 1:])
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            adam.step()
            losses.append(loss.item())
        return float(np.mean(losses[-max(1, steps // 10) :]))

    @torch.no_grad()
    def nats(self, rows):
        """Return the sum of losses over rows, and how many ids were told."""
        total = 0.0
        for start in range(0, len(rows), 4 * ROWS):
            batch = rows[start : start + 4 * ROWS]
            total += self.model.loss(batch[:, :-1], batch[:, 1:]).item() * batch[:, 1:].numel()
        return total, len(rows) * CONTEXT


def bits_a_byte(nats, ids, tokenizer, texts):
    """Return bits a byte, from the loss of so many ids of the texts."""
    told = sum(len(part) + 1 for part in tokenizer.encode_batch(texts))
    # The few ids behind the last whole row are not told: a byte's share of ids is taken from all.
    size = sum(len(text.encode()) for text in texts) * ids / told
    return nats / math.log(2) / size
