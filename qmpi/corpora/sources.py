"""The data sources of a job, opened: facts of each, rows of those that are made, blocks of all.

Theory of operation. Plain values in and out, so that a rank's service and an audit build the same
blocks with the same code. The heavy libraries load when the sources are opened, so that a
coordinator or replica stays small.
"""

import logging
import os
from collections.abc import Callable, Sequence
from itertools import takewhile
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, cast

from qmpi.config.data import ContentSource, CorpusSource, Source
from qmpi.config.memory_checks import memory_fault
from qmpi.config.settings import Settings
from qmpi.corpora.builtin import PREFIX, resolve
from qmpi.corpora.known_future import KnownFuture
from qmpi.corpora.level_counts import counts_text, level_uses
from qmpi.corpora.levels import FrameLevels
from qmpi.corpora.tokenizer import check_rows, check_written_with, open_tokenizer
from qmpi.errors import InputError, StorageError
from qmpi.memory.cache import Cache
from qmpi.memory.levels import FrameKey
from qmpi.policy.eviction.choice import order_of
from qmpi.policy.eviction.clairvoyant import Clairvoyant
from qmpi.policy.held_out import split
from qmpi.protocol.level_use import LevelUse
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.recipe import ComingReads, RowAddress
from qmpi.storage.memory_here import memory_limit
from qmpi.storage.shard_files import ShardFiles
from qmpi.units import Digest, Seconds

if TYPE_CHECKING:
    from qmpi.content.address import Stream
    from qmpi.content.rows import RowMaker
    from qmpi.storage.block_builder import Frame
    from qmpi.storage.corpus import Chunks, Corpus
    from qmpi.storage.packed_corpus import PackedCorpus
    from qmpi.storage.shard_layout import ChunkKey
    from qmpi.storage.shard_reader import TokenArray
    from qmpi.storage.tokenizer import Tokenizer


logger = logging.getLogger(__name__)


def _timeless() -> Seconds:
    return Seconds(0.0)


class Sources:
    """Sources of one job; used by one thread at a time.

    Others may read chunks ahead for it, by what `serve` of the cache that it is given says.

    Attributes:
        tokenizer: that of the job, once the sources are open.
    """

    tokenizer: "Tokenizer"

    def __init__(
        self,
        settings: Settings,
        cache: Path,
        clock: Callable[[], Seconds] = _timeless,
        levels: Callable[[], FrameLevels] = FrameLevels,
        ahead: KnownFuture | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            settings: the job.
            cache: directory of built-in corpora.
            clock: tells how long a chunk was kept, and what it took; without one: no time at all.
            levels: opens those between the chunks that are kept and the shards.
            ahead: keeps decoded chunks; None: a cache of its own, as the job says.
        """
        self._settings = settings
        self._cache = cache
        self._packed = settings.data.packing == "best_fit"
        self._facts: tuple[SourceFact, ...] | None = None
        self._added: tuple[Source, ...] = ()
        self._makers: dict[str, RowMaker] = {}
        self._corpora: dict[int, Corpus | PackedCorpus] = {}
        self._shards: dict[int, tuple[Digest, ...]] = {}
        self._open_levels, self._levels = levels, FrameLevels()
        self._stored: dict[int, Corpus] = {}
        self._told = -1
        # One for all corpora: what is kept of each follows from what is read of it.
        self._chunks = self._room_for_chunks(clock) if ahead is None else ahead
        self._files = ShardFiles(clock=clock)
        if isinstance(self._chunks, KnownFuture):
            self._files = ShardFiles(self._chunks.guard, clock)
            self._chunks.serve(self._read, self._size_of)

    def _room_for_chunks(self, clock: Callable[[], Seconds]) -> "Chunks":
        memory = self._settings.memory
        ttl = memory.ttl_seconds or inf
        order = order_of(memory.policy, self._settings.job.seed)
        if isinstance(order, Clairvoyant):
            return KnownFuture(memory.budget, order, ttl=ttl, clock=clock)
        return Cache(memory.budget, order, ttl=ttl, clock=clock)

    def _read(self, key: "ChunkKey") -> "TokenArray":
        return self._stored[key.source].read_ahead(key.shard, key.chunk)

    def _size_of(self, key: "ChunkKey") -> int:
        return self._places.size_of(key)

    def open(self) -> tuple[SourceFact, ...]:
        """Open the tokenizer and every source; asked again, say the same.

        Returns:
            Facts of all sources, in the order of the job file.

        Raises:
            InputError: a source does not fit the job (vocabulary, tokenizer, length).
        """
        if self._facts is not None:
            return self.facts[: len(self._settings.data.sources)]
        from qmpi.corpora.read_order import ChunkPlaces
        from qmpi.storage.block_builder import BlockBuilder

        settings = self._settings
        check_memory(settings)
        tokenizer = open_tokenizer(settings, self._cache)
        check_rows(settings, tokenizer)
        length = settings.train.sequence_tokens
        self._levels = self._open_levels()
        self.tokenizer = tokenizer
        facts = tuple(self._opened(number, source) for number, source in enumerate(self._all))
        self._places = ChunkPlaces(self._corpora, length)
        self._builder = BlockBuilder(settings.model.vocab_size, self._corpora, length)
        self._facts = facts
        return facts

    @property
    def facts(self) -> tuple[SourceFact, ...]:
        """Facts of the sources that are open: of the job file, then of those that were added."""
        return self._facts or ()

    @property
    def _all(self) -> tuple[Source, ...]:
        return (*self._settings.data.sources, *self._added)

    def add(
        self, added: Sequence[Source], proposed: Sequence[Source] = ()
    ) -> tuple[SourceFact, ...]:
        """Open further sources behind those of the job file.

        Args:
            added: stay open if they are.
            proposed: behind them, opened anew in any case.

        Returns:
            Facts of all sources, in order.

        Raises:
            InputError: one does not fit the job (vocabulary, tokenizer, length); those before it
                are open.
            StorageError: one cannot be read; likewise.
        """
        first = len(self.open())
        alike = takewhile(lambda both: both[0] == both[1], zip(self._added, added, strict=False))
        kept = len(list(alike))
        self._drop(kept)
        for source in (*added[kept:], *proposed):
            self._facts = (*self.facts, self._opened(first + len(self._added), source))
            self._added = (*self._added, source)
        return self.facts

    def _drop(self, kept: int) -> None:
        """Close the added sources but the first `kept` ones."""
        if kept == len(self._added):
            return
        from qmpi.corpora.read_order import ChunkPlaces

        first = len(self._settings.data.sources) + kept
        for number, source in list(enumerate(self._all))[first:]:
            for kept_by_number in (self._corpora, self._stored, self._shards):
                kept_by_number.pop(number, None)
            self._makers.pop(source.name, None)
        self._facts, self._added = self.facts[:first], self._added[:kept]
        self._places = ChunkPlaces(self._corpora, self._settings.train.sequence_tokens)
        for key in [key for key in self._chunks if key.source >= first]:
            self._chunks.discard(key)  # another source may get that number

    def _opened(self, number: int, source: Source) -> SourceFact:
        from qmpi.content.rows import RowMaker, source_digest
        from qmpi.corpora.remaking import blocks_anew
        from qmpi.storage.corpus import Corpus

        settings = self._settings
        length = settings.train.sequence_tokens
        match source:
            case CorpusSource():
                path = resolve(source.path, self._cache)
                levels = self._levels.chain
                corpus = Corpus.open(path, self._chunks, number, levels, self._files)
                _check_corpus(source.name, corpus, self.tokenizer, length)
                corpus.shards.remaker = blocks_anew(corpus, self.tokenizer)
                self._shards[number] = tuple(shard.sha256 for shard in corpus.facts.shards)
                self._stored[number] = corpus
                self._corpora[number], rows, digest = self._rows_of(corpus)
                return split(source.name, rows, digest, settings.evaluation.held_out, length)
            case ContentSource():
                self._makers[source.name] = RowMaker(
                    self.tokenizer,
                    source,
                    settings.job.seed,
                    length,
                    settings.model.vocab_size,
                    packed=self._packed,
                )
                digest = source_digest(source, packed=self._packed)
                return SourceFact(source.name, 0, digest)

    def is_absent(self) -> bool:
        """Return whether a file or directory that the job names is not to be found now."""
        data = self._settings.data
        named = [s.path for s in data.sources if isinstance(s, CorpusSource)] + [data.tokenizer]
        paths = [name for name in named if name and not name.startswith(PREFIX)]
        return not all(os.access(path, os.F_OK) for path in paths)

    def _rows_of(self, corpus: "Corpus") -> "tuple[Corpus | PackedCorpus, int, Digest]":
        length = self._settings.train.sequence_tokens
        if not self._packed:
            return corpus, corpus.rows(length), corpus.digest
        from qmpi.corpora.packing import open_packed  # loads numpy

        packed = open_packed(corpus, length, self._cache)
        return packed, packed.index.rows, packed.index.digest

    def packing_fault(self) -> str:
        """Check that each id of a packed corpus is in one row at most; the sources must be open.

        Returns:
            What is wrong, in words; "" if nothing is, or rows are not packed.
        """
        if self._packed:
            for number, corpus in self._corpora.items():
                fault = cast("PackedCorpus", corpus).fault(self._settings.train.sequence_tokens)
                if fault:
                    return f"source {self._all[number].name!r}: {fault}"
        return ""

    def build(
        self, rows: Sequence[RowAddress], made: Sequence[tuple[int, "Frame"]]
    ) -> tuple[Digest, bytes]:
        """Read and join the rows of a block; the sources must be open.

        Args:
            rows: addresses, in order.
            made: (source, frame) pairs of generated rows, each in block order.

        Returns:
            Digest and bytes of the block.

        Raises:
            CorruptData: a shard is damaged.
            StorageError: a shard cannot be read.
        """
        return self._builder.build(rows, made)

    def foresee(self, coming: ComingReads) -> None:
        """Learn what will be read, to keep and read ahead what will be needed; changes no block.

        Args:
            coming: what is new; the sources must be open.
        """
        if not isinstance(self._chunks, KnownFuture):
            return
        self._levels.pass_by(coming.passed, is_anew=coming.is_anew)
        self._told = -1 if coming.is_anew else self._told
        chunks: list[tuple[int, list[ChunkKey]]] = []
        try:
            for place, rows in coming.blocks:
                if place < self._told:
                    continue  # told with a block that was put off: too late to be of use
                self._told = place
                keys = self._places.of(rows)
                chunks.append((place, keys))
                self._levels.foresee(place, map(self._frame_key, keys))
        except StorageError as error:
            # Told where it spoils a block. What is not foreseen is kept by what was used last.
            logger.warning("what will be read is not known: %s", error)
        self._chunks.foresee(chunks, coming.passed, is_anew=coming.is_anew)

    def _frame_key(self, key: "ChunkKey") -> FrameKey:
        return FrameKey(self._shards[key.source][key.shard], key.chunk)

    def close(self) -> str:
        """Leave nothing in the levels; what is asked for from now on comes from shards.

        Returns:
            What became of the chunks that were asked for; "" if none was.
        """
        levels = self._levels.chain
        levels.close()
        return counts_text(self._chunks.counts, levels, self._files)

    def uses(self) -> tuple[LevelUse, ...]:
        """Return what the levels were asked for so far; nothing while no chunk was."""
        return level_uses(self._chunks.counts, self._levels.chain, self._files)

    def makes(self, source: str) -> bool:
        """Return whether a source is generated; the sources must be open.

        Args:
            source: its name.
        """
        return source in self._makers

    def make(self, source: str, rows: Sequence[int]) -> bytes:
        """Generate rows; the sources must be open.

        Args:
            source: name of a generated one.
            rows: their numbers.

        Returns:
            Ids in the type of a block, [rows, sequence_tokens + 1].

        Raises:
            InputError: a row lies behind the end of the source.
        """
        return self._makers[source].make(rows)

    def build_all(self, rows: Sequence[RowAddress]) -> tuple[Digest, bytes]:
        """Make, read and join the rows of a block without anybody's help.

        Args:
            rows: addresses, in order.

        Returns:
            Digest and bytes of the block.

        Raises:
            InputError: a row lies behind the end of its source.
            StorageError: a shard is damaged, or cannot be read.
        """
        names = [source.name for source in self._all]
        asked: dict[int, list[int]] = {}
        for address in rows:
            if self.makes(names[address.source]):
                asked.setdefault(address.source, []).append(address.row)
        made = [(number, self.make(names[number], wanted)) for number, wanted in asked.items()]
        return self.build(rows, sorted(made))

    def stream_of(self, address: RowAddress) -> "Stream | None":
        """Return the stream that a row begins in; the sources must be open.

        Args:
            address: of the row.

        Returns:
            The stream; None for text that was not generated.
        """
        from qmpi.content.address import parse_stream

        source = self._all[address.source]
        if self.makes(source.name):
            return self._makers[source.name].stream_of(address.row)
        length = self._settings.train.sequence_tokens
        named = self._corpora[address.source].stream_of(address.row, length)
        return parse_stream(named) if named else None


def check_memory(settings: Settings) -> None:
    """Refuse to keep more in memory than processes may have here.

    Args:
        settings: the job.

    Raises:
        InputError: its memory ranks may keep more.
    """
    fault = memory_fault(settings, memory_limit())
    if fault:
        raise InputError(fault)


def _check_corpus(name: str, corpus: "Corpus", tokenizer: "Tokenizer", length: int) -> None:
    check_written_with(name, corpus.facts, tokenizer.digest)
    if corpus.rows(length) < 1:
        raise InputError(
            f"source {name!r} has {corpus.tokens} tokens, less than one sequence of {length} + 1; "
            "ingest more text or lower train.sequence_tokens"
        )
