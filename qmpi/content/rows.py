"""Rows of token ids from generated documents.

Theory of operation. Row r is documents (r, 0), (r, 1), ... each closed by the end-of-text token,
cut where the row is full. Documents are encoded one by one, never joined first, so how many of them
are made and encoded at a time is free and never changes a row: a row is a pure function of the
seed, the source, the tokenizer, the generator's version and r.
"""

from collections.abc import Sequence

import numpy as np

from qmpi.config.settings import ProblemSource
from qmpi.content.reasoning.families import document
from qmpi.storage.shard_layout import dtype_name
from qmpi.storage.tokenizer import Tokenizer

_CHARACTERS_A_TOKEN = 2.0
"""A guess: too high costs documents thrown away, too low another round of encoding."""


class RowMaker:
    """Makes rows of one source."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        source: ProblemSource,
        seed: int,
        sequence_tokens: int,
        vocab_size: int,
    ) -> None:
        """Remember what rows depend on.

        Args:
            tokenizer: gives ids below `vocab_size`.
            source: name and levels.
            seed: of the job.
            sequence_tokens: tokens of a sequence, >= 1; a row has one more.
            vocab_size: rows of the model's embedding; fixes the type of ids.
        """
        self._tokenizer = tokenizer
        self._source = source
        self._seed = seed
        self._width = sequence_tokens + 1
        self._dtype = np.dtype(dtype_name(vocab_size)).newbyteorder("<")

    def make(self, rows: Sequence[int]) -> bytes:
        """Make rows.

        Args:
            rows: numbers of the rows, each 0 to 2**60, in any order.

        Returns:
            Ids, little-endian uint16 or uint32 as the vocabulary asks,
            [len(rows), sequence_tokens + 1].
        """
        made: list[list[int]] = [[] for _ in rows]
        written = [0] * len(rows)
        while True:
            texts: list[str] = []
            owners: list[int] = []
            for place, row in enumerate(rows):
                missing = self._width - len(made[place])
                if missing > 0:
                    new = self._texts(row, written[place], missing)
                    written[place] += len(new)
                    texts += new
                    owners += [place] * len(new)
            if not texts:
                break
            for place, ids in zip(owners, self._tokenizer.encode_batch(texts), strict=True):
                made[place] += ids
                made[place].append(self._tokenizer.end_of_text)
        ids = np.array([row[: self._width] for row in made], self._dtype)
        return ids.reshape(len(rows), self._width).tobytes()

    # Documents, from `number` on, that should fill the missing tokens.
    def _texts(self, row: int, number: int, missing: int) -> list[str]:
        source, texts = self._source, list[str]()
        characters = missing * _CHARACTERS_A_TOKEN
        while characters > 0:
            made = document(
                self._seed, source.name, row, number, source.min_level, source.max_level
            )
            texts.append(made.text)
            # The end-of-text token counts as well.
            characters -= len(made.text) + _CHARACTERS_A_TOKEN
            number += 1
        return texts
