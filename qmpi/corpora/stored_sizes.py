"""What a chunk takes compressed, as far as it can be told without opening its shard."""

from collections.abc import Mapping

from qmpi.storage.corpus import Corpus
from qmpi.storage.shard_layout import ChunkKey


class StoredSizes:
    """Bytes of compressed chunks: of each shard the mean, its tables counted in."""

    def __init__(self, corpora: Mapping[int, Corpus]) -> None:
        """Look at nothing yet.

        Args:
            corpora: open corpora, by number of the source in the job file.
        """
        self._corpora = corpora
        self._known: dict[tuple[int, int], int] = {}

    def of(self, key: ChunkKey) -> int:
        """Return the bytes that a chunk takes as it lies in its shard.

        Args:
            key: of a corpus that is open.

        Returns:
            Bytes of the shard's file over its chunks; those of a decoded chunk if the file cannot
            be seen.
        """
        shard = key[:2]
        if shard not in self._known:
            self._known[shard] = self._mean(*shard)
        return self._known[shard]

    def _mean(self, source: int, shard: int) -> int:
        corpus = self._corpora[source]
        layout, fact = corpus.layout(), corpus.facts.shards[shard]
        chunks = max(1, -(-fact.tokens // layout.chunk_tokens))
        try:
            return -(-(corpus.path / fact.name).stat().st_size // chunks)
        except OSError:
            return layout.chunk_bytes
