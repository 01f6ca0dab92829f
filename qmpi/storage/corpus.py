"""A corpus: a directory of shards, a tokenizer and an index.

Theory of operation: `index.json` names the shards in order; their ids, laid end to end, are one
long sequence of tokens. Row r of length S is tokens [r*S, r*S + S], one more than S because the
target of a position is the next token. The digest of an ingested corpus covers tokenizer, type,
documents and ids, not names or shard bounds, so equal content has an equal digest wherever it lies.
The file of the index also keeps a digest over its other fields.
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from qmpi.errors import CorruptData, InputError
from qmpi.memory.cache import Cache, recent
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained
from qmpi.storage.remedy import MANIFEST_NAME, remedy
from qmpi.storage.shard_layout import ChunkKey, CorpusLayout
from qmpi.units import Digest, Tokens

if TYPE_CHECKING:
    from qmpi.storage.shard_reader import ShardReader, TokenArray

    Chunks = Cache[ChunkKey, TokenArray]

INDEX_NAME = "index.json"
TOKENIZER_NAME = "tokenizer.json"
INDEX_VERSION = 1
DEFAULT_CACHE_BYTES = 64 << 20
_OPEN_SHARDS = 4
_ID_BYTES = {"uint16": 2, "uint32": 4}
_PLAIN_NAME = re.compile(r"[^./\0][^/\0]*")


class ShardFact(msgspec.Struct, frozen=True, kw_only=True):
    """One shard: file name, number of ids, and SHA-256 of the file."""

    name: str
    tokens: int
    sha256: Digest


class CorpusFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """index.json.

    Attributes:
        version: format of the index.
        name: what the corpus is called.
        tokenizer_digest: of its tokenizer; see `Tokenizer.digest`.
        vocab_size: ids of the tokenizer.
        dtype: "uint16" or "uint32".
        tokens: ids of all shards.
        documents: number of documents.
        shards: in order.
        left_out: number of inputs left out, by reason.
        digest: identity of the content.
        codec: of the shards; "": they say it themselves.
        codec_reason: why that one.
    """

    version: int
    name: str
    tokenizer_digest: Digest
    vocab_size: int
    dtype: str
    tokens: Tokens
    documents: int
    shards: tuple[ShardFact, ...]
    left_out: dict[str, int]
    digest: Digest
    # Left out of the file while empty: the seals of indexes without them must hold.
    codec: str = ""
    codec_reason: str = ""


class _SealedFacts(CorpusFacts, frozen=True, kw_only=True):
    """index.json as it lies on disk; an index without a seal was written by hand."""

    seal: Digest = Digest("")


def is_plain_name(name: str) -> bool:
    """Whether a name that an index gives to a shard leads to a file beside the index.

    Args:
        name: as it stands there.

    Returns:
        True if it does.
    """
    return bool(_PLAIN_NAME.fullmatch(name))


def read_corpus_facts(path: Path) -> CorpusFacts:
    """The index alone; loads neither numpy nor h5py.

    Args:
        path: directory of the corpus.

    Returns:
        The facts.

    Raises:
        InputError: the directory holds no corpus, or one of another format.
        StorageError: the index cannot be read.
        CorruptData: the index is damaged, or that of a generated corpus is missing.
    """
    index = path / INDEX_NAME
    if not index.is_file():
        if (path / MANIFEST_NAME).is_file():
            raise CorruptData(f"{index} is missing; {remedy(path)}")
        raise InputError(f"{path} is not a corpus (no {INDEX_NAME}); make one with `qmpi ingest`")
    with explained("read the corpus index", index):
        data = index.read_bytes()
    try:
        sealed = msgspec.json.decode(data, type=_SealedFacts)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptData(f"{index} is damaged ({error}); {remedy(path)}") from error
    facts = CorpusFacts(**{name: getattr(sealed, name) for name in CorpusFacts.__struct_fields__})
    if facts.version != INDEX_VERSION:
        raise InputError(f"{index} has format {facts.version}; this qmpi reads {INDEX_VERSION}")
    if sum(shard.tokens for shard in facts.shards) != facts.tokens:
        raise CorruptData(f"{index} is damaged: its shards do not add up; {remedy(path)}")
    if not all(is_plain_name(shard.name) for shard in facts.shards):
        raise CorruptData(f"{index} is damaged: it names shards elsewhere; {remedy(path)}")
    if sealed.seal and sealed.seal != _seal(facts):
        raise CorruptData(
            f"{index} is damaged, or was changed by hand: it does not match its own digest; "
            f"{remedy(path)}"
        )
    return facts


def _seal(facts: CorpusFacts) -> Digest:
    return Digest(hashlib.sha256(msgspec.json.encode(facts)).hexdigest())


def write_corpus_facts(path: Path, facts: CorpusFacts) -> None:
    """Write the index.

    Args:
        path: directory of the corpus.
        facts: what it holds.

    Raises:
        StorageError: it cannot be written.
    """
    sealed = _SealedFacts(**msgspec.structs.asdict(facts), seal=_seal(facts))
    data = msgspec.json.format(msgspec.json.encode(sealed), indent=1)
    write_atomic(path / INDEX_NAME, data + b"\n")


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
        self, path: Path, facts: CorpusFacts, kept: "Chunks | None" = None, source: int = 0
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
        # Each counts as one: a shard that is open takes a file, and its tables.
        self._readers: Cache[int, ShardReader] = recent(_OPEN_SHARDS, lambda _, r: r.close())
        self._chunk_tokens: dict[int, int] = {}

    @classmethod
    def open(cls, path: Path, kept: "Chunks | None" = None, source: int = 0) -> Self:
        """Open a corpus; shards are opened when first read.

        Args:
            path: its directory.
            kept: keeps decoded chunks, perhaps of other corpora too; None: a cache of its own.
            source: number of the corpus among those that share the cache.

        Returns:
            The corpus.

        Raises:
            InputError: the directory holds no corpus.
            StorageError: its index cannot be read.
        """
        return cls(path, read_corpus_facts(path), kept, source)

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
        first, size = self._starts[shard], self._size_of_chunks(shard)
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
        size = self._size_of_chunks(0)
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

    def _size_of_chunks(self, shard: int) -> int:
        # Remembered, so that a chunk that is kept is served without its file.
        size = self._chunk_tokens.get(shard)
        if size is None:
            size = self._chunk_tokens[shard] = self._reader(shard).chunk_tokens
        return size

    def _chunk(self, shard: int, number: int) -> "TokenArray":
        key = ChunkKey(self._source, shard, number)
        chunk = self._kept.get(key)
        if chunk is None:
            chunk = self._reader(shard).decoded(number)
            self._kept.put(key, chunk, chunk.nbytes)
        return chunk

    def document_starts(self) -> "Iterator[TokenArray]":
        """Where documents begin, shard by shard; none is skipped, a document may cross shards.

        Yields:
            Number of each document's first id in the corpus, ascending.

        Raises:
            CorruptData: a shard is damaged or gone.
        """
        for shard, first in enumerate(self._starts[:-1]):
            yield self._reader(shard).document_offsets + first

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
        reader = self._reader(shard)
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

    def _reader(self, number: int) -> "ShardReader":
        from qmpi.storage.shard_reader import ShardReader  # see `read`

        reader = self._readers.get(number)
        if reader is None:
            fact = self.facts.shards[number]
            reader = ShardReader(self.path / fact.name)
            self._check(reader, fact)
            self._readers.put(number, reader, 1)
        return reader

    def _check(self, reader: "ShardReader", fact: ShardFact) -> None:
        expected = (fact.tokens, self.dtype, self.facts.tokenizer_digest)
        if (reader.tokens, reader.dtype.name, reader.tokenizer_digest) != expected:
            reader.close()
            raise CorruptData(f"shard {self.path / fact.name} is not the one in the index")

    def verify(self) -> list[str]:
        """Check every shard.

        Returns:
            What is wrong, in words; empty if all is well.
        """
        faults = []
        for number in range(len(self.facts.shards)):
            try:
                self._reader(number).verify()
            except (CorruptData, OSError) as error:
                faults.append(str(error))
        return faults

    def close(self) -> None:
        """Close all shards."""
        self._readers.clear()
