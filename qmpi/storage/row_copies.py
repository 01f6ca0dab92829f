"""Copy rows out of the chunks of a corpus, each id once.

Theory of operation. The chunk that was read last stays at hand while rows are copied: what comes
from it too is no further access of the cache. Ids go from there to where they are wanted, with no
array between.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from qmpi.errors import InputError

Ids = np.ndarray[Any, Any]
_NOTHING: Ids = np.empty(0, np.uint16)


class Chunked(Protocol):
    """Ids that lie in chunks."""

    def chunk_of(self, token: int) -> tuple[int, Ids]:
        """Return the chunk that an id lies in: number of its first id, and its ids."""
        ...


class StoredRows(Chunked, Protocol):
    """Rows that can be read: of a `Corpus` or a `PackedCorpus`.

    Attributes:
        path: directory of the corpus.
        dtype: "uint16" or "uint32".
    """

    path: Path
    dtype: str

    def spans(self, row: int, sequence_tokens: int) -> list[tuple[int, int]]:
        """Return first id and number of ids of each range that is read for a row, in order."""
        ...


class Hand:
    """The chunk that was read last."""

    def __init__(self, source: Chunked) -> None:
        """Hold nothing yet.

        Args:
            source: of the ids.
        """
        self._source = source
        self._first, self._ids = 0, _NOTHING

    def fill(self, out: Ids, token: int) -> None:
        """Copy ids.

        Args:
            out: 1-D; filled. All that it takes must exist.
            token: number of the first id.

        Raises:
            CorruptData: a shard is damaged or gone.
        """
        done = 0
        while done < out.size:
            place = token + done - self._first
            if not 0 <= place < self._ids.size:
                self._first, self._ids = self._source.chunk_of(token + done)
                place = token + done - self._first
            piece = self._ids[place : place + out.size - done]
            out[done : done + piece.size] = piece
            done += piece.size


def read_rows(source: StoredRows, rows: Sequence[int], sequence_tokens: int, out: Ids) -> None:
    """Copy rows, each into a line of an array.

    Args:
        source: of the rows.
        rows: their numbers.
        sequence_tokens: tokens of a sequence.
        out: [rows, sequence_tokens + 1] ids, of a type that holds those of the source; filled.

    Raises:
        InputError: there is no such row, or it has another length.
        CorruptData: a shard is damaged or gone.
    """
    hand = Hand(source)
    for line, row in zip(out, rows, strict=True):
        done = 0
        for start, count in source.spans(row, sequence_tokens):
            hand.fill(line[done : done + count], start)
            done += count
        if done != line.size:
            raise InputError(f"row {row} of corpus {source.path} is not {sequence_tokens} long")
