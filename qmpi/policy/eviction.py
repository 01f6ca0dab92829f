"""What goes from a cache when room is short: the future's order, or one of the past.

Theory of operation. An order knows the kept keys and hears of each access; asked for room, it names
the key that goes. The clairvoyant one is told accesses before they come. What is used last goes
first, and a key that is used later than all that is kept is not taken in; for items of one size no
order has more hits (Belady, IBM Systems Journal 5, 1966). The others know the past alone: least
recently used, least often used, first in, random. Bytes, time and values are the cache's
(`qmpi.memory.cache`). Each call costs O(log n) at most.
"""

import heapq
from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable
from math import inf
from typing import Generic, Literal, TypeVar, get_args

from qmpi.errors import InvariantError

K = TypeVar("K", bound=Hashable)

OrderName = Literal["clairvoyant", "lru", "lfu", "fifo", "random"]
ORDERS: tuple[OrderName, ...] = get_args(OrderName)
"""Names of all orders, the best first."""

_WORD = (1 << 64) - 1
_FACTOR, _SUMMAND = 6364136223846793005, 1442695040888963407
"""Of Knuth's linear congruential generator, MMIX."""


class Order(ABC, Generic[K]):
    """Which of the kept keys goes first."""

    def accessed(self, key: K) -> None:
        """Hear of an access, before it is known whether the key is kept.

        Args:
            key: what was asked for.
        """
        del key

    def used(self, key: K) -> None:
        """Hear that a kept key served an access.

        Args:
            key: kept.
        """
        del key

    @abstractmethod
    def add(self, key: K) -> None:
        """Keep a key from now on.

        Args:
            key: not kept yet.
        """

    @abstractmethod
    def remove(self, key: K) -> None:
        """Keep a key no longer.

        Args:
            key: kept.
        """

    @abstractmethod
    def give_way(self, wanted: K) -> K | None:
        """Name a kept key that goes in favour of another, and keep it no longer.

        Args:
            wanted: not kept; at least one other is.

        Returns:
            The key; None if all that is kept is worth more than `wanted`. Only an order that does
            not depend on when keys were added says so: what gave way before is added again then.
        """


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
        """Name the key that goes."""
        del wanted
        return self._row.popitem(last=False)[0]


class FirstIn(_Queue[K]):
    """What was taken in first goes first."""


class LeastRecent(_Queue[K]):
    """What was not used for longest goes first."""

    def used(self, key: K) -> None:
        """Hear that a kept key served an access."""
        self._row.move_to_end(key)


class _Ranking(Generic[K]):
    """Keys by rank, the smallest first; of equal ranks the one that was ranked first.

    Invariants: the heap has an entry for each key that is current; outdated ones are passed over,
    and dropped before they outnumber the current.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, K]] = []
        self._current: dict[K, tuple[float, int, K]] = {}
        self._count = 0

    def __contains__(self, key: K) -> bool:
        return key in self._current

    def put(self, key: K, rank: float) -> None:
        self._count += 1
        entry = (rank, self._count, key)
        self._current[key] = entry
        if len(self._heap) > 2 * len(self._current) + 16:
            self._heap = list(self._current.values())
            heapq.heapify(self._heap)
        else:
            heapq.heappush(self._heap, entry)

    def remove(self, key: K) -> None:
        """Keep a key no longer."""
        del self._current[key]

    def first(self) -> tuple[float, K]:
        while True:
            entry = self._heap[0]
            rank, _, key = entry
            if self._current.get(key) is entry:
                return rank, key
            heapq.heappop(self._heap)


class LeastOften(Order[K]):
    """What was used least often since it was taken in goes first; of those the least recent."""

    def __init__(self) -> None:
        """Keep nothing."""
        self._uses: dict[K, int] = {}
        self._ranking = _Ranking[K]()

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
        """Name the key that goes."""
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
        """Name the key that goes."""
        del wanted
        self._state = (self._state * _FACTOR + _SUMMAND) & _WORD
        # The upper bits: the lower ones of such a generator have short periods.
        key = self._keys[(self._state >> 32) * len(self._keys) >> 32]
        self.remove(key)
        return key


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
        self._ranking = _Ranking[K]()
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
        """Name the key that goes."""
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


def order_of(name: OrderName, seed: int = 0) -> Order[K]:
    """Make an order.

    Args:
        name: which; the clairvoyant one knows no access yet.
        seed: of "random"; no other draws.

    Returns:
        One that keeps nothing.
    """
    match name:
        case "clairvoyant":
            return Clairvoyant()
        case "lru":
            return LeastRecent()
        case "lfu":
            return LeastOften()
        case "fifo":
            return FirstIn()
        case "random":
            return AnyOne(seed)
