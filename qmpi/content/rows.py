"""Rows of token ids from generated documents, for training without shards.

Theory of operation. A content source names a type, a range of levels and languages: a set of
streams. Chapter c of the source is the next blocks of one of its streams; all streams come once in
a cycle, in an order that a keyed permutation gives each cycle. A row is the next sequence of a
chapter, so neighbouring rows come from one block, which is made once and kept. A row is a pure
function of the seed, the source, the tokenizer, the generator's version and its number.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from qmpi.config.settings import ContentSource
from qmpi.content.address import (
    BLOCK_TOKENS,
    GENERATOR_VERSION,
    LANGUAGES,
    STREAM_BLOCKS,
    Stream,
    generator_key,
)
from qmpi.content.block_maker import BlockMaker
from qmpi.content.lexicons import lexicon_digest
from qmpi.errors import InputError
from qmpi.policy.shuffle import permute, shuffle_key
from qmpi.storage.shard_layout import dtype_name
from qmpi.storage.tokenizer import Tokenizer
from qmpi.units import Digest

_KEPT_CHAPTERS = 8


def streams_of(source: ContentSource) -> list[Stream]:
    """Return the streams that a source draws on.

    Args:
        source: of the job file.

    Returns:
        A stream a level and language, in order.
    """
    spoken = (source.languages or LANGUAGES) if source.type == "multilingual" else ("en",)
    levels = range(source.min_level, source.max_level + 1)
    return [Stream(source.type, level, language) for level in levels for language in spoken]


def source_digest(source: ContentSource) -> Digest:
    """Return the identity of a source's content, for `SourceFact`.

    Args:
        source: of the job file.

    Returns:
        SHA-256 over the generator's version, the vocabulary and the streams.
    """
    streams = " ".join(map(str, streams_of(source)))
    identity = f"{GENERATOR_VERSION} {lexicon_digest()} {streams}"
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
    ) -> None:
        """Remember what rows depend on.

        Args:
            tokenizer: gives ids below `vocab_size`.
            source: type, levels, languages.
            seed: of the job.
            sequence_tokens: tokens of a sequence, >= 1; a row has one more.
            vocab_size: rows of the model's embedding; fixes the type of ids.
        """
        self._maker = BlockMaker(tokenizer, generator_key(lexicon_digest(), seed))
        self._name = source.name
        self._seed = seed
        self._streams = streams_of(source)
        self._length = sequence_tokens
        self._blocks = -(-(sequence_tokens + 1) // BLOCK_TOKENS)
        self._rows = (self._blocks * BLOCK_TOKENS - 1) // sequence_tokens
        self._dtype = np.dtype(dtype_name(vocab_size)).newbyteorder("<")
        self._kept: OrderedDict[int, np.ndarray[Any, Any]] = OrderedDict()

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
        for place, row in enumerate(rows):
            if not 0 <= row < self.rows:
                raise InputError(f"source {self._name!r} ends before row {row}")
            chapter, within = divmod(row, self._rows)
            start = within * self._length
            made[place] = self._chapter(chapter)[start : start + self._length + 1]
        return made.tobytes()

    def where(self, row: int) -> tuple[Stream, int]:
        """Return where a row begins.

        Args:
            row: below `rows`.

        Returns:
            Stream, and offset of the row's first token in it.
        """
        chapter, within = divmod(row, self._rows)
        stream, block = self._address(chapter)
        return stream, block * BLOCK_TOKENS + within * self._length

    def _address(self, chapter: int) -> tuple[Stream, int]:
        cycle, place = divmod(chapter, len(self._streams))
        key = shuffle_key(self._seed, 0, cycle)
        return self._streams[permute(place, len(self._streams), key)], cycle * self._blocks

    def _chapter(self, chapter: int) -> np.ndarray[Any, Any]:
        kept = self._kept.pop(chapter, None)
        if kept is None:
            stream, first = self._address(chapter)
            blocks = [self._maker.make(stream, first + n).ids for n in range(self._blocks)]
            kept = np.concatenate(blocks).astype(self._dtype)
        while len(self._kept) >= _KEPT_CHAPTERS:
            self._kept.popitem(last=False)
        self._kept[chapter] = kept
        return kept
