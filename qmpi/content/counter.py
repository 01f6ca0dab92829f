"""Randomness as an address: the same key gives the same draws, anywhere and at any time.

Theory of operation. SHAKE-128, keyed with the address and a counter, gives a kilobyte at a time;
each four bytes are one word. Nothing is seeded once and then advanced, so document 7 of block 2^44
costs as much as the first one, and no draw depends on the process, PYTHONHASHSEED, locale or
library version. `random.Random` is refused because its methods have changed between Python
versions and neighbouring seeds overlap. One hash a word was measured ten times slower.
"""

import hashlib
import struct
from collections.abc import MutableSequence, Sequence
from typing import TypeVar

Item = TypeVar("Item")

_WORDS = 256
_UNPACK = struct.Struct(f"<{_WORDS}I").unpack
_SMALL = 1 << 16
_MEDIUM = 1 << 32


class Draw:
    """Draws of one document."""

    __slots__ = ("_counter", "_key", "_words")

    def __init__(self, key: bytes) -> None:
        """Start at the first word.

        Args:
            key: of any length; equal keys give equal draws.
        """
        self._key = key
        self._counter = 0
        self._words: list[int] = []

    def _refill(self) -> None:
        spelled = self._key + self._counter.to_bytes(8, "little")
        self._words[:0] = _UNPACK(hashlib.shake_128(spelled).digest(4 * _WORDS))
        self._counter += 1

    def word(self) -> int:
        """Return 32 random bits.

        Returns:
            0 <= word < 2**32.
        """
        if not self._words:
            self._refill()
        return self._words.pop()

    def take(self, count: int) -> list[int]:
        """Return several words at once, which is cheaper than one by one.

        Args:
            count: 1 to 256.

        Returns:
            `count` words, each 0 <= word < 2**32.
        """
        words = self._words
        if len(words) < count:
            self._refill()
        taken = words[-count:]
        del words[-count:]
        return taken

    def below(self, limit: int) -> int:
        """Return a number, each equally likely up to one part in 2**16.

        Args:
            limit: 1 <= limit <= 2**96.

        Returns:
            0 <= number < limit.
        """
        # Multiply and shift, without rejection: a cost that depends on luck would be a loop in the
        # hottest line of all. Four bytes serve small limits, eight and sixteen larger ones.
        words = self._words
        if not words:
            self._refill()
        if limit <= _SMALL:
            return (words.pop() * limit) >> 32
        if limit <= _MEDIUM:
            return (self.word() << 32 | self.word()) * limit >> 64
        high = self.word() << 32 | self.word()
        return (high << 64 | self.word() << 32 | self.word()) * limit >> 128

    def between(self, low: int, high: int) -> int:
        """Return a number, each equally likely.

        Args:
            low: smallest.
            high: largest, >= low.

        Returns:
            low <= number <= high.
        """
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """Return True in `percent` of a hundred cases.

        Args:
            percent: 0 to 100.

        Returns:
            The outcome.
        """
        return self.below(100) < percent

    def choice(self, items: Sequence[Item]) -> Item:
        """Return one of the items, each equally likely.

        Args:
            items: at least one.

        Returns:
            An item.
        """
        words = self._words
        if not words:
            self._refill()
        # Inlined `below`: the commonest draw. No sequence here has more than 2**20 items.
        return items[(words.pop() * len(items)) >> 32]

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
        size = len(items)
        if count * 8 < size:
            # Few of many: numbers drawn again when taken. A copy of a large list costs more.
            taken: dict[int, None] = {}
            while len(taken) < count:
                taken[self.below(size)] = None
            return [items[place] for place in taken]
        pool = list(items)
        for done in range(count):
            other = done + self.below(size - done)
            pool[done], pool[other] = pool[other], pool[done]
        return pool[:count]
