"""Lanes of real text for benchmarks of the step: rows of the built-in corpus, in a fixed order."""

import hashlib
from pathlib import Path

import numpy as np

from qmpi.corpora.builtin import resolve
from qmpi.storage.corpus import Corpus

MOST_IDS = 4_000_000

HELD_OUT_SHARE = 20
"""Of so many rows the last is held out."""


class CorpusLanes:
    """Blocks of the built-in corpus: row after row of a random order, round and round."""

    def __init__(
        self, cache: Path, sequences: int, tokens: int, seed: int = 0, *, held_out: bool = False
    ) -> None:
        corpus = Corpus.open(resolve("builtin:python", cache))
        self.ids = corpus.read(0, min(corpus.tokens, MOST_IDS)).astype("<u2")
        self._sequences, self._tokens = sequences, tokens
        rows = (self.ids.size - 1) // tokens
        first = rows - rows // HELD_OUT_SHARE
        own = np.arange(first, rows) if held_out else np.arange(first)
        self._order = np.random.default_rng(seed).permutation(own)
        self._next = 0

    def block(self) -> bytes:
        """Return the next block, uint16 [sequences, tokens + 1]."""
        rows = np.arange(self._next, self._next + self._sequences) % self._order.size
        self._next += self._sequences
        starts = self._order[rows] * self._tokens
        return self.ids[starts[:, None] + np.arange(self._tokens + 1)].tobytes()

    def blocks(self, count: int) -> list[bytes]:
        """Return the next blocks."""
        return [self.block() for _ in range(count)]

    def counts(self, vocabulary: int) -> np.ndarray:
        """Return how often each token occurs."""
        return np.bincount(self.ids, minlength=vocabulary)


def digest(block: bytes) -> str:
    """Return what a block's digest is called by."""
    return hashlib.blake2b(block, digest_size=16).hexdigest()
