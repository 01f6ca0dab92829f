"""Blocks of exactly 65,536 tokens: where documents of a stream become ids.

Theory of operation. Documents (b, 0), (b, 1), ... are encoded one by one, each closed by the
end-of-text token, until the next one does not fit. Then the room left is filled by closers, short
documents with numbers from 3,840 on, that are made for the room; what remains, a few tokens, is
end-of-text. No document is cut, so each one's certificate holds in the stream. How many documents
are made at a time is free and never changes a block.
"""

from typing import Any

import numpy as np
from msgspec import Struct

from qmpi.content.address import BLOCK_TOKENS, Place, Stream
from qmpi.content.catalogue import CLOSERS_FROM, write_document
from qmpi.content.document import Document
from qmpi.storage.tokenizer import Tokenizer

Ids = np.ndarray[Any, np.dtype[np.uint32]]
_BATCH = 24
_CLOSER_TRIES = 12
_LEAST_ROOM = 24
"""Room below which nothing sensible fits."""


class Block(Struct, frozen=True):
    """One block of a stream.

    Attributes:
        ids: the tokens, [65536].
        starts: offset of each document's first token, rising.
        numbers: number of each document in the block.
        padding: end-of-text tokens at the end that close no document.
    """

    ids: Ids
    starts: tuple[int, ...]
    numbers: tuple[int, ...]
    padding: int

    def number_at(self, offset: int) -> int | None:
        """Return the number of the document that a token belongs to.

        Args:
            offset: 0 to 65,535.

        Returns:
            Its number; None for padding.
        """
        if offset >= BLOCK_TOKENS - self.padding:
            return None
        place = int(np.searchsorted(self.starts, offset, side="right")) - 1
        return self.numbers[place]


class BlockMaker:
    """Makes blocks of any stream for one job and tokenizer."""

    def __init__(self, tokenizer: Tokenizer, key: bytes) -> None:
        """Remember what blocks depend on.

        Args:
            tokenizer: turns documents into ids.
            key: from `generator_key`.
        """
        self._tokenizer = tokenizer
        self._key = key

    def document(self, stream: Stream, place: Place) -> Document:
        """Return a document of a stream.

        Args:
            stream: type, level, language.
            place: block and number.

        Returns:
            The document with its certificate.
        """
        return write_document(self._key, stream, place)

    def make(self, stream: Stream, block: int) -> Block:
        """Make a block.

        Args:
            stream: type, level, language.
            block: 0 to 2**44 - 1.

        Returns:
            Always the same for the same job, tokenizer and arguments.
        """
        filling = _Filling(self._tokenizer.end_of_text)
        number, open_end = 0, True
        while open_end:
            count = filling.expected(_BATCH)
            ids, bounds = self._encoded(stream, block, range(number, number + count))
            for place in range(count):
                document = ids[bounds[place] : bounds[place + 1]]
                if not filling.fits(document):
                    open_end = False
                    break
                filling.add(document, number)
                number += 1
        self._close(filling, stream, block)
        return filling.block()

    def _close(self, filling: "_Filling", stream: Stream, block: int) -> None:
        number = CLOSERS_FROM
        while filling.room >= _LEAST_ROOM and number < CLOSERS_FROM + 10 * _CLOSER_TRIES:
            ids, bounds = self._encoded(stream, block, range(number, number + _CLOSER_TRIES))
            tried = [ids[bounds[n] : bounds[n + 1]] for n in range(_CLOSER_TRIES)]
            fitting = [(len(tried[n]), -n) for n in range(_CLOSER_TRIES) if filling.fits(tried[n])]
            if fitting:
                # The longest that fits, the first of equals.
                place = -max(fitting)[1]
                filling.add(tried[place], number + place)
            number += _CLOSER_TRIES

    # Ids of documents, each closed by end-of-text, and where each begins.
    def _encoded(self, stream: Stream, block: int, numbers: range) -> tuple[Ids, list[int]]:
        texts = [write_document(self._key, stream, Place(block, number)).text for number in numbers]
        ids, bounds = self._tokenizer.encode_flat(texts)
        return ids, bounds.tolist()


class _Filling:
    def __init__(self, end_of_text: int) -> None:
        self._end_of_text = end_of_text
        self._ids = np.full(BLOCK_TOKENS, end_of_text, np.uint32)
        self._used = 0
        self._starts: list[int] = []
        self._numbers: list[int] = []

    @property
    def room(self) -> int:
        return BLOCK_TOKENS - self._used

    # As many documents as should fill what is left, so that few are made in vain.
    def expected(self, most: int) -> int:
        if not self._starts:
            return most
        mean = self._used // len(self._starts)
        return min(most, max(1, self.room // mean))

    def fits(self, ids: Ids) -> bool:
        return self._used + len(ids) <= BLOCK_TOKENS

    def add(self, ids: Ids, number: int) -> None:
        self._starts.append(self._used)
        self._numbers.append(number)
        self._ids[self._used : self._used + len(ids)] = ids
        self._used += len(ids)

    def block(self) -> Block:
        self._ids.flags.writeable = False
        return Block(self._ids, tuple(self._starts), tuple(self._numbers), self.room)
