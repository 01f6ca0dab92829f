"""Rows of generated text: a fixed number of tokens, a pure function of the row's address."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from qmpi.config.settings import ProblemSource
from qmpi.content.problems import document

WIDE_VOCABULARY = 1 << 16
BATCH_DOCUMENTS = 4


class Encoder(Protocol):
    """What a row needs of a tokenizer."""

    @property
    def end_of_text(self) -> int:
        """Id that stands between documents."""
        ...

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text."""
        ...


class RowMaker:
    """Makes rows of one source.

    A row holds documents (row, 0), (row, 1), ... one after the other, the last cut where the row ends.
    """

    def __init__(
        self,
        tokenizer: Encoder,
        source: ProblemSource,
        seed: int,
        sequence_tokens: int,
        vocab_size: int,
    ) -> None:
        """Set up.

        Args:
            tokenizer: of the job.
            source: name and levels.
            seed: of the job.
            sequence_tokens: a row has one token more.
            vocab_size: rows of the embedding; fixes the width of an id.
        """
        self._tokenizer = tokenizer
        self._source = source
        self._seed = seed
        self._length = sequence_tokens + 1
        self._dtype = np.dtype("<u4" if vocab_size > WIDE_VOCABULARY else "<u2")

    def make(self, rows: Sequence[int]) -> bytes:
        """Make rows.

        Args:
            rows: their numbers.

        Returns:
            Ids, little endian, shape [len(rows), sequence_tokens + 1].
        """
        return b"".join(np.array(self._row(row), dtype=self._dtype).tobytes() for row in rows)

    def _row(self, row: int) -> list[int]:
        source, ids = self._source, [self._tokenizer.end_of_text]
        levels, number = (source.min_level, source.max_level), 0
        while len(ids) < self._length:
            texts = [
                document(self._seed, source.name, row, number + i, levels).text
                for i in range(BATCH_DOCUMENTS)
            ]
            for encoded in self._tokenizer.encode_batch(texts):
                ids += [*encoded, self._tokenizer.end_of_text]
            number += BATCH_DOCUMENTS
        return ids[: self._length]
