"""The order that knows the future: what is used last goes first.

Theory of operation. Accesses are told before they come, and may be told further while they do. A
key that is used later than all that is kept is not taken in. For items of one size no order has
more hits (Belady, IBM Systems Journal 5, 1966).
"""

from collections import deque
from collections.abc import Hashable, Iterable
from math import inf
from typing import TypeVar

from qmpi.errors import InvariantError
from qmpi.policy.eviction.order import Order
from qmpi.policy.eviction.ranking import Ranking

K = TypeVar("K", bound=Hashable)


class Clairvoyant(Order[K]):
    """What is used last goes first, and before it what is not known to be used again.

    Of keys of which nothing more is known the least recent goes first, so an order that is told
    nothing is `LeastRecent`.

    Accesses have places, whole numbers that do not fall. Each access of a key uses up the first of
    its places, whenever it comes: where accesses overtake one another the count stays right.
    """

    def __init__(self, accesses: Iterable[K] = ()) -> None:
        """Keep nothing.

        Args:
            accesses: the first ones to come, in order.
        """
        self._places: dict[K, deque[int]] = {}
        self._coming: deque[tuple[int, K]] = deque()
        self._last = -1
        self._ranking = Ranking[K]()
        self.extend(accesses)

    def extend(self, accesses: Iterable[K]) -> None:
        """Learn of accesses that come after all that are known.

        Args:
            accesses: keys in order; each takes the next place.
        """
        for key in accesses:
            self.foresee(self._last + 1, (key,))

    def foresee(self, place: int, keys: Iterable[K]) -> None:
        """Learn of accesses that come together.

        Args:
            place: not before that of what is known already.
            keys: what will be asked for.

        Raises:
            InvariantError: the place lies before others.
        """
        if place < self._last:
            raise InvariantError(f"an access at {place} cannot come after one at {self._last}")
        self._last = place
        for key in keys:
            mine = self._places.setdefault(key, deque())
            mine.append(place)
            self._coming.append((place, key))
            if len(mine) == 1:
                self._rank(key)

    def pass_by(self, place: int) -> None:
        """Wait no longer for accesses before a place, which others may have served.

        Args:
            place: first one that may still come.
        """
        while self._coming and self._coming[0][0] < place:
            _, key = self._coming.popleft()
            mine = self._places.get(key)
            if mine is not None and mine[0] < place:
                self._use_up(key, mine)

    def forget(self) -> None:
        """Wait for no access any more; what comes may be told anew."""
        self.pass_by(self._last + 1)
        self._last = -1

    def next_use(self, key: K) -> float:
        """Return the place of a key's next access.

        Args:
            key: kept or not.

        Returns:
            A place; infinity if none is known.
        """
        mine = self._places.get(key)
        return mine[0] if mine else inf

    def last_use(self) -> float | None:
        """Return the place of the kept key that is used last.

        Returns:
            A place; infinity if it is not known to be used; None if nothing is kept.
        """
        return -self._ranking.first()[0] if self._ranking else None

    def accessed(self, key: K) -> None:
        """Use up the first place of a key."""
        mine = self._places.get(key)
        if mine is not None:
            self._use_up(key, mine)

    def add(self, key: K) -> None:
        """Keep a key from now on."""
        self._ranking.put(key, -self.next_use(key))

    def remove(self, key: K) -> None:
        """Keep a key no longer."""
        self._ranking.remove(key)

    def give_way(self, wanted: K) -> K | None:
        """Name the key that goes.

        Returns:
            That which is used last; None if that is `wanted`.
        """
        rank, key = self._ranking.first()
        if self.next_use(wanted) > -rank:
            return None
        self._ranking.remove(key)
        return key

    def _use_up(self, key: K, mine: deque[int]) -> None:
        mine.popleft()
        if not mine:
            del self._places[key]
        self._rank(key)

    def used(self, key: K) -> None:
        """Hear that a kept key served an access."""
        if key not in self._places:
            self._rank(key)

    def _rank(self, key: K) -> None:
        if key in self._ranking:
            self._ranking.put(key, -self.next_use(key))
