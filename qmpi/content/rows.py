"""Rows of token ids from generated documents, for training without shards.

Theory of operation. A content source names a type, a range of levels and languages or families: a
set of streams. Chapter c of the source is the next blocks of one of its streams; all streams come
once in a cycle, in an order that a keyed permutation gives each cycle. A row is the next sequence
of a chapter, so neighbouring rows come from one block, which is made once and kept. A row is a pure
function of the seed, the source, the tokenizer, the generator's version and its number.

Where rows are packed, the documents of a chapter are put together by best fit (`policy.packing`)
when it is made. All its rows are full, so how many there are is arithmetic, as without packing.
"""

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from qmpi.config.data import DRILLS, ContentSource
from qmpi.content.address import (
    BLOCK_TOKENS,
    GENERATOR_VERSION,
    STREAM_BLOCKS,
    Stream,
    generator_key,
    held_out_key,
    varieties_of,
)
from qmpi.content.block_maker import Block, BlockMaker
from qmpi.content.lexicons import lexicon_digest
from qmpi.content.mix import coprime_stride
from qmpi.errors import InputError
from qmpi.memory.cache import Cache, recent
from qmpi.policy.held_out import HELD_OUT_ROWS
from qmpi.policy.packing import PACKING_VERSION, pack
from qmpi.policy.shuffle import permute, shuffle_key
from qmpi.storage.shard_layout import dtype_name
from qmpi.storage.tokenizer import Tokenizer
from qmpi.units import Digest

SHELF_CHAPTERS = 14
"""Chapters that consecutive held-out rows go round: two a band of levels."""

_MOST_HELD_OUT = 1 << 32
_KEPT_CHAPTERS = 8


def streams_of(source: ContentSource) -> list[Stream]:
    """Return the streams that a source draws on.

    Args:
        source: of the job file.

    Returns:
        A stream a level and variety, in order.
    """
    named: dict[str, tuple[str, ...]] = {
        "multilingual": source.languages,
        DRILLS: source.families,
    }
    varieties = named.get(source.type) or varieties_of(source.type)
    levels = range(source.min_level, source.max_level + 1)
    return [Stream(source.type, level, variety) for level in levels for variety in varieties]


def source_digest(source: ContentSource, *, packed: bool = False) -> Digest:
    """Return the identity of a source's content, for `SourceFact`.

    Args:
        source: of the job file.
        packed: its rows are packed by best fit.

    Returns:
        SHA-256 over the generator's version, the vocabulary and the streams, and how rows are
        packed.
    """
    streams = " ".join(map(str, streams_of(source)))
    identity = f"{GENERATOR_VERSION} {lexicon_digest()} {streams}"
    identity += f" best_fit {PACKING_VERSION}" if packed else ""
    return Digest(hashlib.sha256(identity.encode()).hexdigest())


class RowMaker:
    """Makes rows of one source."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        source: ContentSource,
        seed: int,
        sequence_tokens: int,
        vocab_size: int,
        *,
        packed: bool = False,
    ) -> None:
        """Remember what rows depend on.

        Args:
            tokenizer: gives ids below `vocab_size`.
            source: type, levels, languages or families.
            seed: of the job.
            sequence_tokens: tokens of a sequence, >= 1; a row has one more.
            vocab_size: rows of the model's embedding; fixes the type of ids.
            packed: put documents together by best fit instead of cutting chapters.
        """
        self._name = source.name
        self._seed = seed
        self._streams = streams_of(source)
        self._length = sequence_tokens
        self._blocks = -(-(sequence_tokens + 1) // BLOCK_TOKENS)
        # Rows that are cut from a chapter overlap by one id, packed ones lie side by side.
        self._packed, self._stride = packed, sequence_tokens + packed
        self._rows = (self._blocks * BLOCK_TOKENS - (not packed)) // sequence_tokens
        self._dtype = np.dtype(dtype_name(vocab_size)).newbyteorder("<")
        lexicons = lexicon_digest()
        keys = (generator_key(lexicons, seed), held_out_key(lexicons))
        self._makers = tuple(BlockMaker(tokenizer, key) for key in keys)
        largest = max(self._blocks * BLOCK_TOKENS, self._rows * (sequence_tokens + 1))
        budget = _KEPT_CHAPTERS * largest * self._dtype.itemsize
        self._kept: Cache[_Chapter, _Rows] = recent(budget)

    @property
    def rows(self) -> int:
        """Number of rows before the source ends; about 2**60 tokens a stream."""
        return STREAM_BLOCKS // self._blocks * len(self._streams) * self._rows

    def make(self, rows: Sequence[int]) -> bytes:
        """Make rows.

        Args:
            rows: numbers of the rows, each below `rows`, in any order.

        Returns:
            Ids, little-endian uint16 or uint32 as the vocabulary asks,
            [len(rows), sequence_tokens + 1].

        Raises:
            InputError: a row lies behind the end of the source.
        """
        made = np.empty((len(rows), self._length + 1), self._dtype)
        places = [self._place(row) for row in rows]
        # Chapter by chapter: a chapter costs a thousand times what a row of it costs.
        for number in sorted(range(len(rows)), key=places.__getitem__):
            chapter, start = places[number]
            made[number] = self._laid_out(chapter).ids[start : start + self._length + 1]
        return made.tobytes()

    def where(self, row: int) -> tuple[Stream, int]:
        """Return where a row begins.

        Args:
            row: below `rows`.

        Returns:
            Stream, and offset of the row's first token in it.
        """
        chapter, start = self._place(row)
        stream, block = self._address(chapter)
        if self._packed:
            start = self._laid_out(chapter).firsts[start // self._stride]
        return stream, block * BLOCK_TOKENS + start

    def stream_of(self, row: int) -> Stream:
        """Return the stream that a row comes from; makes nothing.

        Args:
            row: below `rows`.
        """
        return self._address(self._place(row)[0])[0]

    def _place(self, row: int) -> "tuple[_Chapter, int]":
        held_out = row >= HELD_OUT_ROWS
        number = row - HELD_OUT_ROWS if held_out else row
        if not 0 <= number < (_MOST_HELD_OUT if held_out else self.rows):
            raise InputError(f"source {self._name!r} ends before row {row}")
        if not held_out:
            chapter, within = divmod(number, self._rows)
            return _Chapter(held_out=False, number=chapter), within * self._stride
        chapters = min(SHELF_CHAPTERS, len(self._streams))
        rest, chapter = divmod(number, chapters)
        shelf, at = divmod(rest, self._rows)
        # Neighbours of a chapter often lie in one document; a stride takes far ones first.
        within = (at * coprime_stride(self._rows) + chapter) % self._rows
        return _Chapter(held_out=True, number=shelf * chapters + chapter), within * self._stride

    def _address(self, chapter: "_Chapter") -> tuple[Stream, int]:
        count = len(self._streams)
        cycle, place = divmod(chapter.number, count)
        if chapter.held_out:
            stream = self._streams[place * coprime_stride(count) % count]
        else:
            stream = self._streams[permute(place, count, shuffle_key(self._seed, 0, cycle))]
        return stream, cycle * self._blocks

    def _laid_out(self, chapter: "_Chapter") -> "_Rows":
        kept = self._kept.get(chapter)
        if kept is None:
            stream, first = self._address(chapter)
            maker = self._makers[chapter.held_out]
            blocks = [maker.make(stream, first + n) for n in range(self._blocks)]
            ids = np.concatenate([block.ids for block in blocks]).astype(self._dtype)
            kept = self._pack(ids, blocks) if self._packed else _Rows(ids)
            self._kept.put(chapter, kept, kept.ids.nbytes)
        return kept

    def _pack(self, ids: np.ndarray[Any, Any], blocks: Sequence[Block]) -> "_Rows":
        starts = [n * BLOCK_TOKENS + at for n, block in enumerate(blocks) for at in block.starts]
        counts = [end - start for start, end in pairwise([*starts, ids.size])]
        rows = list(pack(counts, self._length))
        laid = np.empty((len(rows), self._stride), self._dtype)
        for number, row in enumerate(rows):
            # The id before the first is the end token of the last document: -1 leads to it.
            laid[number, 0] = ids[row[0].start - 1]
            laid[number, 1:] = np.concatenate([ids[p.start : p.start + p.size] for p in row])
        return _Rows(laid.reshape(-1), tuple(row[0].start for row in rows))


class _Rows(NamedTuple):
    """Rows of a chapter, end to end; of packed ones also where in it each begins."""

    ids: np.ndarray[Any, Any]
    firsts: tuple[int, ...] = ()


class _Chapter(NamedTuple):
    held_out: bool
    number: int
