"""A corpus: a directory of shards, a tokenizer and an index.

Theory of operation: `index.json` names the shards in order; their ids, laid end to end, are one
long sequence of tokens. Row r of length S is tokens [r*S, r*S + S], one more than S because the
target of a position is the next token. The digest of an ingested corpus covers tokenizer, type,
documents and ids, not names or shard bounds, so equal content has an equal digest wherever it lies.
The file of the index also keeps a digest over its other fields. Any thread may decode a chunk.
"""

from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Self

from qmpi.errors import InputError, StorageError
from qmpi.memory.cache import Cache, recent
from qmpi.memory.levels import NOTHING_BELOW, Levels
from qmpi.storage.corpus_index import INDEX_NAME, TOKENIZER_NAME, CorpusFacts, read_corpus_facts
from qmpi.storage.frames_below import FramesBelow
from qmpi.storage.shard_files import ShardFiles
from qmpi.storage.shard_layout import ChunkKey, CorpusLayout
from qmpi.units import Seconds

if TYPE_CHECKING:
    from qmpi.storage.open_shards import OpenShards
    from qmpi.storage.shard_reader import TokenArray

    Chunks = Cache[ChunkKey, TokenArray]
DEFAULT_CACHE_BYTES = 64 << 20
_ID_BYTES = {"uint16": 2, "uint32": 4}


class Corpus:
    """An open corpus.

    Attributes:
        path: its directory.
        facts: its index.
        tokens: ids in all.
        digest: identity of the content.
        dtype: "uint16" or "uint32".
        tokenizer_path: its tokenizer.json.
    """

    def __init__(
        self,
        path: Path,
        facts: CorpusFacts,
        kept: "Chunks | None" = None,
        source: int = 0,
        levels: Levels = NOTHING_BELOW,
        files: ShardFiles | None = None,
    ) -> None:
        """Use `Corpus.open`."""
        self.path = path
        self.facts = facts
        self.tokens = facts.tokens
        self.digest = facts.digest
        self.dtype = facts.dtype
        self.tokenizer_path = path / TOKENIZER_NAME
        self._starts = [0, *accumulate(shard.tokens for shard in facts.shards)]
        self._source = source
        self._kept: Chunks = recent(DEFAULT_CACHE_BYTES) if kept is None else kept
        self._files = ShardFiles() if files is None else files
        digests = [shard.sha256 for shard in facts.shards]
        self._below = FramesBelow(digests, facts.dtype, levels, lambda: self.shards)

    @classmethod
    def open(
        cls,
        path: Path,
        kept: "Chunks | None" = None,
        source: int = 0,
        levels: Levels = NOTHING_BELOW,
        files: ShardFiles | None = None,
    ) -> Self:
        """Open a corpus; shards are opened when first read.

        Args:
            path: its directory.
            kept: keeps decoded chunks, perhaps of other corpora too; None: a cache of its own.
            source: number of the corpus among those that share the cache.
            levels: where chunks that the cache misses are looked for before their shard is read.
            files: of shards, of all corpora of the process; None: this one's alone.

        Returns:
            The corpus.

        Raises:
            InputError: the directory holds no corpus.
            StorageError: its index cannot be read.
        """
        return cls(path, read_corpus_facts(path), kept, source, levels, files)

    @cached_property
    def shards(self) -> "OpenShards":
        """Its shards, opened when first read."""
        from qmpi.storage.open_shards import ExpectedShard, OpenShards  # see `read`

        facts = self.facts
        shards = [ExpectedShard(shard.name, shard.tokens) for shard in facts.shards]
        index, digest = self.path / INDEX_NAME, facts.tokenizer_digest
        return OpenShards(index, shards, self.dtype, digest, self._files)

    def rows(self, sequence_tokens: int) -> int:
        """Rows of one epoch.

        Args:
            sequence_tokens: tokens of a sequence, >= 1.

        Returns:
            Number of whole rows; 0 if the corpus is shorter than one.
        """
        return max(0, self.tokens - 1) // sequence_tokens

    def read_row(self, row: int, sequence_tokens: int) -> "TokenArray":
        """One row.

        Args:
            row: 0 <= row < rows(sequence_tokens).
            sequence_tokens: tokens of a sequence, >= 1.

        Returns:
            sequence_tokens + 1 ids.

        Raises:
            InputError: there is no such row.
            CorruptData: a shard is damaged or gone.
        """
        ((start, count),) = self.spans(row, sequence_tokens)
        return self.read(start, count)

    def read(self, start: int, count: int) -> "TokenArray":
        """A range of ids, across shards.

        Args:
            start: first id, >= 0.
            count: ids, >= 1; start + count <= tokens.

        Returns:
            The ids.

        Raises:
            InputError: the range leaves the corpus.
            CorruptData: a shard is damaged or gone.
        """
        import numpy as np  # ranks that read facts must not load it

        from qmpi.storage.row_copies import Hand

        if start < 0 or count < 1 or start + count > self.tokens:
            raise InputError(f"ids {start} to {start + count} lie outside corpus {self.path}")
        out = np.empty(count, self.dtype)
        Hand(self).fill(out, start)
        return out

    def chunk_of(self, token: int) -> "tuple[int, TokenArray]":
        """The chunk that an id lies in.

        Args:
            token: 0 <= token < tokens.

        Returns:
            Number of its first id in the corpus, and its ids.

        Raises:
            CorruptData: a shard is damaged or gone.
        """
        shard = bisect_right(self._starts, token) - 1
        first, size = self._starts[shard], self._below.chunk_tokens(shard)
        number = (token - first) // size
        first += number * size
        # The last chunk of a shard is filled up with zeros.
        return first, self._chunk(shard, number)[: self._starts[shard + 1] - first]

    def layout(self) -> CorpusLayout:
        """Where the ids of the corpus lie; the first shard tells the size of chunks for all.

        Returns:
            The layout.

        Raises:
            CorruptData: the first shard is damaged or gone.
        """
        size = self._below.chunk_tokens(0)
        width = _ID_BYTES[self.dtype]
        return CorpusLayout(tuple(self._starts), size, size * width)

    def spans(self, row: int, sequence_tokens: int) -> list[tuple[int, int]]:
        """Which ids a row is made of.

        Args:
            row: 0 <= row < rows(sequence_tokens).
            sequence_tokens: tokens of a sequence, >= 1.

        Returns:
            First id and number of ids of each range that is read for it, in order.

        Raises:
            InputError: there is no such row.
        """
        if not 0 <= row < self.rows(sequence_tokens):
            raise InputError(f"row {row} lies outside corpus {self.path}")
        return [(row * sequence_tokens, sequence_tokens + 1)]

    def _chunk(self, shard: int, number: int) -> "TokenArray":
        key, begun = ChunkKey(self._source, shard, number), self._files.clock()
        chunk = self._kept.get(key)
        if chunk is None:
            chunk = self._below.decoded(shard, number)
            self._kept.put(key, chunk, chunk.nbytes)
        else:
            self._kept.hit_took(Seconds(self._files.clock() - begun))
        return chunk

    def read_ahead(self, shard: int, number: int) -> "TokenArray":
        """A chunk of a shard, by their numbers, past the cache; any thread may call.

        Returns:
            Its ids.

        Raises:
            StorageError: it cannot be read; whoever asks for it gets it made anew, if that can be.
        """
        return self._below.read(shard, number)

    def document_starts(self) -> "Iterator[TokenArray]":
        """Where documents begin, shard by shard; none is skipped, a document may cross shards.

        Yields:
            Number of each document's first id in the corpus, ascending.

        Raises:
            CorruptData: a shard is damaged or gone.
        """
        for shard, first in enumerate(self._starts[:-1]):
            yield self.shards.reader(shard).document_offsets + first

    def stream_at(self, token: int) -> str:
        """The generated stream that an id comes from.

        Args:
            token: 0 <= token < tokens.

        Returns:
            As users write it, "technical/37/en"; "" in a shard that is not generated.

        Raises:
            CorruptData: the shard is damaged or gone.
        """
        shard = bisect_right(self._starts, token) - 1
        reader = self.shards.reader(shard)
        if not reader.addresses:
            return ""
        block = (token - self._starts[shard]) * len(reader.addresses) // reader.tokens
        return reader.addresses[block].stream

    def stream_of(self, row: int, sequence_tokens: int) -> str:
        """The generated stream that a row begins in.

        Args:
            row: 0 <= row < rows(sequence_tokens).
            sequence_tokens: tokens of a sequence, >= 1.

        Returns:
            As `stream_at` says.
        """
        return self.stream_at(row * sequence_tokens)

    def verify(self) -> list[str]:
        """Check every shard.

        Returns:
            What is wrong, in words; empty if all is well.
        """
        faults = []
        for number in range(len(self.facts.shards)):
            try:
                self.shards.reader(number).verify()
            except StorageError as error:
                faults.append(str(error))
        return faults

    def close(self) -> None:
        """Close all shards."""
        self.shards.close()
