"""A corpus whose rows are packed: which ids a row holds stands in an index, not in its number.

Theory of operation. A row is its pieces, joined, after the id that lies before the first of them.
That is the end token of the document before, or the id before the cut: so every id of the corpus is
a target once, with its own past before it where a document is cut. Before the first id lies the
last, which ends a document too.
"""

from qmpi.errors import InputError
from qmpi.storage.corpus import Corpus
from qmpi.storage.packing_index import PackingIndex, Table


class PackedCorpus:
    """An open corpus with its index.

    Attributes:
        path: directory of the corpus.
        index: its rows.
    """

    def __init__(self, corpus: Corpus, index: PackingIndex) -> None:
        """Join the two.

        Args:
            corpus: open.
            index: of its rows.
        """
        self.path, self.index = corpus.path, index
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

        pieces = self._pieces(row)
        first, count = pieces[0]
        if first:
            read = [self._corpus.read(first - 1, count + 1)]
        else:
            read = [self._corpus.read(self._corpus.tokens - 1, 1), self._corpus.read(0, count)]
        read += [self._corpus.read(start, count) for start, count in pieces[1:]]
        joined = np.concatenate(read)
        if joined.size != sequence_tokens + 1:
            raise InputError(f"row {row} of corpus {self.path} is not {sequence_tokens} long")
        return joined

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
