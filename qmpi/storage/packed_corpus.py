"""A corpus whose rows are packed: which ids a row holds stands in an index, not in its number.

Theory of operation. A row is its pieces, joined, after the id that lies before the first of them.
That is the end token of the document before, or the id before the cut: so every id of the corpus is
a target once, with its own past before it where a document is cut. Before the first id lies the
last, which ends a document too.
"""

from qmpi.errors import InputError
from qmpi.storage.corpus import Corpus
from qmpi.storage.packing_index import PackingIndex, Table
from qmpi.storage.shard_layout import CorpusLayout


class PackedCorpus:
    """An open corpus with its index.

    Attributes:
        path: directory of the corpus.
        dtype: "uint16" or "uint32".
        index: its rows.
    """

    def __init__(self, corpus: Corpus, index: PackingIndex) -> None:
        """Join the two.

        Args:
            corpus: open.
            index: of its rows.
        """
        self.path, self.dtype, self.index = corpus.path, corpus.dtype, index
        self._corpus = corpus

    def read_row(self, row: int, sequence_tokens: int) -> Table:
        """One row.

        Args:
            row: 0 <= row < rows of the index.
            sequence_tokens: tokens of a sequence; those that the index was made for.

        Returns:
            sequence_tokens + 1 ids.

        Raises:
            InputError: there is no such row.
            CorruptData: a shard is damaged or gone.
        """
        import numpy as np  # as in `Corpus`

        from qmpi.storage.row_copies import read_rows

        out = np.empty((1, sequence_tokens + 1), self.dtype)
        read_rows(self, (row,), sequence_tokens, out)
        return out[0]

    def chunk_of(self, token: int) -> tuple[int, Table]:
        """The chunk that an id of the corpus lies in.

        Args:
            token: number of the id.

        Returns:
            As `Corpus.chunk_of`.

        Raises:
            InputError: there is no such id.
            CorruptData: a shard is damaged or gone.
        """
        if token >= self._corpus.tokens:
            raise InputError(f"the index of rows of corpus {self.path} leads behind its last id")
        return self._corpus.chunk_of(token)

    def spans(self, row: int, sequence_tokens: int) -> list[tuple[int, int]]:
        """Which ids a row is made of.

        Args:
            row: 0 <= row < rows of the index.
            sequence_tokens: tokens of a sequence.

        Returns:
            First id and number of ids of each range that is read for it, in order.

        Raises:
            InputError: there is no such row.
        """
        del sequence_tokens  # the index has it
        (first, count), *others = self._pieces(row)
        if first:
            return [(first - 1, count + 1), *others]
        return [(self._corpus.tokens - 1, 1), (0, count), *others]

    def layout(self) -> CorpusLayout:
        """Where the ids of the corpus lie.

        Returns:
            As `Corpus.layout`.

        Raises:
            CorruptData: the first shard is damaged or gone.
        """
        return self._corpus.layout()

    def stream_of(self, row: int, sequence_tokens: int) -> str:
        """The generated stream that a row's first piece comes from.

        Args:
            row: 0 <= row < rows of the index.
            sequence_tokens: tokens of a sequence.

        Returns:
            As users write it; "" in a shard that is not generated.

        Raises:
            CorruptData: the shard is damaged or gone.
        """
        del sequence_tokens  # the index has it
        return self._corpus.stream_at(self._pieces(row)[0][0])

    def fault(self, sequence_tokens: int) -> str:
        """Check that each id of the corpus is in one row at most, and each row full.

        Args:
            sequence_tokens: tokens of a sequence.

        Returns:
            What is wrong, in words; "" if nothing is.
        """
        return self.index.fault(self._corpus.tokens, sequence_tokens)

    def _pieces(self, row: int) -> list[tuple[int, int]]:
        if not 0 <= row < self.index.rows:
            raise InputError(f"row {row} lies outside corpus {self.path}")
        return self.index.pieces(row)
