"""The chunks that a job will read, in the order in which its memory ranks read them.

Theory of operation. Which rows a memory rank joins to blocks follows from the recipe log
(`qmpi.policy.reads`), which chunks a row lies in from the layout of its corpus. Nothing but the
index of a corpus and the head of its first shard is read for it.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from qmpi.config.data import CorpusSource
from qmpi.config.memory import id_bytes
from qmpi.config.settings import Settings
from qmpi.corpora.builtin import resolve
from qmpi.corpora.stored_sizes import StoredSizes
from qmpi.errors import InputError
from qmpi.policy.held_out import split
from qmpi.policy.reads import ComingBlock, coming_rows
from qmpi.policy.recipes import begun_recipes, course_of
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.recipe import Recipe, RowAddress
from qmpi.storage.corpus import Corpus
from qmpi.storage.packed_corpus import PackedCorpus
from qmpi.storage.shard_layout import ChunkKey, CorpusLayout
from qmpi.units import Digest, Rank


class ChunkPlaces:
    """Which chunks of which corpora rows lie in."""

    def __init__(self, corpora: Mapping[int, Corpus | PackedCorpus], sequence_tokens: int) -> None:
        """Look at nothing yet.

        Args:
            corpora: open corpora, by number of the source in the job file.
            sequence_tokens: tokens of a sequence.
        """
        self._corpora, self._length = corpora, sequence_tokens
        self._layouts: dict[int, CorpusLayout] = {}
        # Each chunk is named by one object, however often it is read: futures are long.
        self._names: dict[ChunkKey, ChunkKey] = {}

    def of(self, rows: Iterable[RowAddress]) -> list[ChunkKey]:
        """Return the chunks that rows are read from.

        Args:
            rows: addresses; those of generated sources lie in no chunk.

        Returns:
            One entry an access, in order; a chunk that is still at hand is not accessed.

        Raises:
            CorruptData: the first shard of a corpus is damaged or gone.
        """
        found: list[ChunkKey] = []
        for source, group in groupby(rows, attrgetter("source")):
            if source not in self._corpora:
                continue
            layout, last = self._layout(source), None
            for row in (address.row for address in group):
                for start, count in self._corpora[source].spans(row, self._length):
                    for key in (self._named(source, *at) for at in layout.chunks(start, count)):
                        found += [] if key == last else [key]
                        last = key
        return found

    def _named(self, source: int, shard: int, chunk: int) -> ChunkKey:
        key = ChunkKey(source, shard, chunk)
        return self._names.setdefault(key, key)

    def size_of(self, key: ChunkKey) -> int:
        """Return the bytes that a chunk takes once it is decoded.

        Args:
            key: of a corpus that is open.
        """
        return self._layout(key.source).chunk_bytes

    def _layout(self, source: int) -> CorpusLayout:
        layout = self._layouts.get(source)
        if layout is None:
            layout = self._layouts[source] = self._corpora[source].layout()
        return layout


class JobData(NamedTuple):
    """The sources of a job, as far as the order of its reads depends on them.

    Attributes:
        recipes: the log that the job begins with.
        facts: the sources, in the order of the job file; digests may be missing.
        places: where rows lie.
        stored: what chunks take compressed.
    """

    recipes: tuple[Recipe, ...]
    facts: tuple[SourceFact, ...]
    places: ChunkPlaces
    stored: StoredSizes


class Reads(NamedTuple):
    """What a job reads.

    Attributes:
        chunks: accesses of each memory rank, in order.
        rows: rows of corpora.
        generated_bytes: ids of generated rows, which lie in no chunk.
    """

    chunks: dict[Rank, list[ChunkKey]]
    rows: int
    generated_bytes: int


def open_job_data(settings: Settings, cache: Path) -> JobData:
    """Open the corpora of a job, without its tokenizer.

    Args:
        settings: the job.
        cache: directory of built-in corpora.

    Returns:
        What its order of reads depends on.

    Raises:
        InputError: a corpus is missing, or shorter than one sequence.
        StorageError: a corpus cannot be read.
    """
    length, facts = settings.train.sequence_tokens, list[SourceFact]()
    corpora: dict[int, Corpus | PackedCorpus] = {}
    plain: dict[int, Corpus] = {}
    for number, source in enumerate(settings.data.sources):
        if not isinstance(source, CorpusSource):
            facts.append(SourceFact(source.name, 0, Digest("")))
            continue
        plain[number] = Corpus.open(resolve(source.path, cache))
        corpora[number], rows = _opened(plain[number], settings, cache)
        facts.append(split(source.name, rows, "", settings.evaluation.held_out, length))
    recipes = begun_recipes(settings, course_of(settings, ()))
    return JobData(recipes, tuple(facts), ChunkPlaces(corpora, length), StoredSizes(plain))


def _opened(corpus: Corpus, settings: Settings, cache: Path) -> tuple[Corpus | PackedCorpus, int]:
    length = settings.train.sequence_tokens
    if corpus.rows(length) < 1:
        raise InputError(
            f"{corpus.path} has {corpus.tokens} tokens, less than one sequence of {length} + 1; "
            "ingest more text or lower train.sequence_tokens"
        )
    if settings.data.packing == "concatenate":
        return corpus, corpus.rows(length)
    from qmpi.corpora.packing import open_packed  # loads numpy

    packed = open_packed(corpus, length, cache)
    return packed, packed.index.rows


def reads_of(
    settings: Settings, data: JobData, blocks: Iterable[ComingBlock], memories: Sequence[Rank]
) -> Reads:
    """Follow blocks to the chunks that they are read from.

    Args:
        settings: the job.
        data: its sources.
        blocks: in the order in which they are built.
        memories: all homes that they may have.

    Returns:
        What each memory rank reads.

    Raises:
        CorruptData: the first shard of a corpus is damaged or gone.
    """
    train, generated = settings.train, 0
    chunks: dict[Rank, list[ChunkKey]] = {rank: [] for rank in memories}
    rows_per_block, rows_read = train.microbatches * train.sequences, 0
    for block, rows in coming_rows(blocks, data.recipes, data.facts, rows_per_block):
        chunks[block.home] += data.places.of(rows)
        stored = sum(data.facts[address.source].rows > 0 for address in rows)
        rows_read, generated = rows_read + stored, generated + len(rows) - stored
    row_bytes = (train.sequence_tokens + 1) * id_bytes(settings.model.vocab_size)
    return Reads(chunks, rows_read, generated * row_bytes)
