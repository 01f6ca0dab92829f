"""Randomness as an address: the same key gives the same draws, anywhere and at any time.

Theory of operation. BLAKE2b, keyed with the address, hashes a counter; each hash gives eight 64-bit
words. Nothing is seeded once and then advanced, so document 7 of row 2^60 costs as much as the
first one, and no draw depends on the process, PYTHONHASHSEED, locale or library version.
`random.Random` is refused because its methods have changed between Python versions.
"""

import hashlib
import struct
from collections.abc import MutableSequence, Sequence
from typing import TypeVar

GENERATOR_VERSION = "problems-1"
"""Raised whenever any text at any address changes; part of a source's identity and of every key."""

Item = TypeVar("Item")

_WORD = 1 << 64
_MASK = _WORD - 1
_EIGHT_WORDS = struct.Struct("<8Q")


class Draw:
    """Draws of one document."""

    __slots__ = ("_block", "_key", "_words")

    def __init__(self, key: bytes) -> None:
        """Start at the first word.

        Args:
            key: 1 to 64 bytes.
        """
        self._key = key
        self._block = 0
        self._words: list[int] = []

    def _word(self) -> int:
        if not self._words:
            counter = self._block.to_bytes(8, "little")
            digest = hashlib.blake2b(counter, key=self._key, digest_size=64).digest()
            self._words.extend(_EIGHT_WORDS.unpack(digest))
            self._block += 1
        return self._words.pop()

    def below(self, limit: int) -> int:
        """Return a number, each equally likely.

        Args:
            limit: 1 <= limit <= 2**64.

        Returns:
            0 <= number < limit.
        """
        # Lemire's multiply and reject: one multiplication, and a second draw in limit of
        # 2**64 cases only.
        product = self._word() * limit
        if product & _MASK < limit:
            refused = _WORD % limit
            while product & _MASK < refused:
                product = self._word() * limit
        return product >> 64

    def between(self, low: int, high: int) -> int:
        """Return a number, each equally likely.

        Args:
            low: smallest.
            high: largest, >= low.

        Returns:
            low <= number <= high.
        """
        return low + self.below(high - low + 1)

    def choice(self, items: Sequence[Item]) -> Item:
        """Return one of the items, each equally likely.

        Args:
            items: at least one.

        Returns:
            An item.
        """
        return items[self.below(len(items))]

    def shuffle(self, items: MutableSequence[Item]) -> None:
        """Put the items into an order, each equally likely.

        Args:
            items: changed in place.
        """
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]

    def sample(self, items: Sequence[Item], count: int) -> list[Item]:
        """Return different items in random order.

        Args:
            items: to draw from.
            count: 0 <= count <= len(items).

        Returns:
            `count` of them.
        """
        pool = list(items)
        # A partial shuffle: drawing with repeats and refusing them would make the cost
        # depend on luck.
        for taken in range(count):
            other = taken + self.below(len(pool) - taken)
            pool[taken], pool[other] = pool[other], pool[taken]
        return pool[:count]


def draw_for(seed: int, source: str, index: int, document: int) -> Draw:
    """Return the draws of a document.

    Args:
        seed: of the job, 0 to 2**64 - 1.
        source: name of the source.
        index: row, 0 to 2**64 - 1.
        document: number of the document in the row.

    Returns:
        Draws that depend on these four and on `GENERATOR_VERSION` alone.
    """
    address = struct.pack("<3Q", seed, index, document)
    # Fixed-width numbers first and the version closed by a zero byte: no two addresses share
    # a spelling.
    spelled = address + GENERATOR_VERSION.encode() + b"\0" + source.encode()
    return Draw(hashlib.blake2b(spelled, digest_size=32).digest())
