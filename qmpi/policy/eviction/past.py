"""Orders that know the past alone: least recent, least often, first in, random."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import TypeVar

from qmpi.policy.eviction.order import Order
from qmpi.policy.eviction.ranking import Ranking

K = TypeVar("K", bound=Hashable)

_WORD = (1 << 64) - 1
_FACTOR, _SUMMAND = 6364136223846793005, 1442695040888963407
"""Of Knuth's linear congruential generator, MMIX."""


class _Queue(Order[K]):
    """Kept keys in a row, the first of which goes."""

    def __init__(self) -> None:
        """Keep nothing."""
        self._row: OrderedDict[K, None] = OrderedDict()

    def add(self, key: K) -> None:
        """Keep a key from now on."""
        self._row[key] = None

    def remove(self, key: K) -> None:
        """Keep a key no longer."""
        del self._row[key]

    def give_way(self, wanted: K) -> K | None:
        """Name the key that goes.

        Returns:
            One of those that are kept.
        """
        del wanted
        return self._row.popitem(last=False)[0]


class FirstIn(_Queue[K]):
    """What was taken in first goes first."""


class LeastRecent(_Queue[K]):
    """What was not used for longest goes first."""

    def used(self, key: K) -> None:
        """Hear that a kept key served an access."""
        self._row.move_to_end(key)


class LeastOften(Order[K]):
    """What was used least often since it was taken in goes first; of those the least recent."""

    def __init__(self) -> None:
        """Keep nothing."""
        self._uses: dict[K, int] = {}
        self._ranking = Ranking[K]()

    def used(self, key: K) -> None:
        """Hear that a kept key served an access."""
        self._uses[key] += 1
        self._ranking.put(key, self._uses[key])

    def add(self, key: K) -> None:
        """Keep a key from now on."""
        self._uses[key] = 1
        self._ranking.put(key, 1)

    def remove(self, key: K) -> None:
        """Keep a key no longer."""
        del self._uses[key]
        self._ranking.remove(key)

    def give_way(self, wanted: K) -> K | None:
        """Name the key that goes.

        Returns:
            One of those that are kept.
        """
        del wanted
        _, key = self._ranking.first()
        self.remove(key)
        return key


class AnyOne(Order[K]):
    """A kept key that is drawn goes."""

    def __init__(self, seed: int) -> None:
        """Keep nothing.

        Args:
            seed: of the draws; equal seeds draw alike.
        """
        self._state = seed & _WORD
        self._keys: list[K] = []
        self._places: dict[K, int] = {}

    def add(self, key: K) -> None:
        """Keep a key from now on."""
        self._places[key] = len(self._keys)
        self._keys.append(key)

    def remove(self, key: K) -> None:
        """Keep a key no longer."""
        place, last = self._places.pop(key), self._keys.pop()
        if place < len(self._keys):
            self._keys[place] = last
            self._places[last] = place

    def give_way(self, wanted: K) -> K | None:
        """Name the key that goes.

        Returns:
            One of those that are kept.
        """
        del wanted
        self._state = (self._state * _FACTOR + _SUMMAND) & _WORD
        # The upper bits: the lower ones of such a generator have short periods.
        key = self._keys[(self._state >> 32) * len(self._keys) >> 32]
        self.remove(key)
        return key
