"""What is read before it is asked for: the clairvoyant order, with the keys that are missing.

Theory of operation. Three rules are those of integrated prefetching and caching (Cao, Felten,
Karlin and Li, SIGMETRICS 1995): what is read next is the missing key that is used first; what goes
for it is the kept key that is used last; nothing goes that is not used later than what comes. They
alone would read so far ahead that little of what was used is still there when it is used again:
as many reads as without a future. So what is read ahead and not used yet may displace others up to
a credit only; room that is free is filled.

Invariants: a key is missing if its next access is known and it is neither kept nor withheld.
`ahead_bytes` is the sum of what was taken up and neither used, nor gone, since.
"""

from collections import deque
from collections.abc import Callable, Hashable
from typing import TypeVar

from qmpi.policy.eviction.clairvoyant import Clairvoyant
from qmpi.policy.eviction.ranking import Ranking
from qmpi.units import Bytes

K = TypeVar("K", bound=Hashable)

CREDIT_SHARE = 16
"""A budget divided by this is a good credit: with room for half of all keys, drawn by chance, it
costs a tenth more reads than a clairvoyant order's; an eighth costs a fifth, a quarter two."""


class Lookahead(Clairvoyant[K]):
    """The clairvoyant order, and which missing key is read next.

    Attributes:
        ahead_bytes: of what was read ahead, or is being read, and was not used yet.
    """

    def __init__(self, credit: int) -> None:
        """Keep nothing, know nothing.

        Args:
            credit: most bytes read ahead for which others go, >= 0.
        """
        self._credit = credit
        self._missing = Ranking[K]()
        self._withheld: set[K] = set()
        self._ahead: dict[K, int] = {}
        self.ahead_bytes = Bytes(0)
        super().__init__()

    def choose(self, free: int, size_of: Callable[[K], int]) -> K | None:
        """Name what shall be read now.

        Args:
            free: bytes of the budget that nothing takes.
            size_of: bytes of a missing key.

        Returns:
            The missing key that is used first; None if there is none, or no room for it yet.
        """
        if not self._missing:
            return None
        _, key = self._missing.first()
        size = size_of(key)
        if size <= free or (self.ahead_bytes + size <= self._credit and self._displaces(key)):
            return key
        return None

    def take_up(self, key: K, size: int) -> None:
        """Hear that a key is being read ahead.

        Args:
            key: what `choose` named.
            size: its bytes.
        """
        self.withhold(key)
        self._ahead[key] = size
        self.ahead_bytes = Bytes(self.ahead_bytes + size)

    def withhold(self, key: K) -> None:
        """Name a key no more until it is kept, offered, or asked for again.

        Args:
            key: one that is being read, by whomever.
        """
        self._withheld.add(key)
        self._sort(key)

    def offer(self, key: K) -> None:
        """Hear that a key is not being read any more.

        Args:
            key: kept or not.
        """
        self._withheld.discard(key)
        self._sort(key)

    def give_up(self, key: K) -> None:
        """Hear that a key could not be read ahead; whoever asks for it will see why.

        Args:
            key: taken up.
        """
        self._settle(key)

    def accessed(self, key: K) -> None:
        """Use up the first place of a key; it may be read ahead for the next one."""
        self._withheld.discard(key)
        super().accessed(key)
        self._sort(key)

    def add(self, key: K) -> None:
        """Keep a key from now on."""
        self._withheld.discard(key)
        super().add(key)
        self._sort(key)

    def remove(self, key: K) -> None:
        """Keep a key no longer."""
        super().remove(key)
        self._settle(key)
        self._sort(key)

    def give_way(self, wanted: K) -> K | None:
        """Name the key that goes.

        Returns:
            That which is used last; None if that is `wanted`.
        """
        key = super().give_way(wanted)
        if key is not None:
            self._settle(key)
            self._sort(key)
        return key

    def _displaces(self, key: K) -> bool:
        last = self.last_use()
        return last is not None and last > self.next_use(key)

    def _settle(self, key: K) -> None:
        self.ahead_bytes = Bytes(self.ahead_bytes - self._ahead.pop(key, 0))

    def _use_up(self, key: K, mine: deque[int]) -> None:
        self._settle(key)
        super()._use_up(key, mine)

    def _rank(self, key: K) -> None:
        super()._rank(key)
        self._sort(key)

    def _sort(self, key: K) -> None:
        mine = self._places.get(key)
        if mine and key not in self._ranking and key not in self._withheld:
            self._missing.put(key, mine[0])
        elif key in self._missing:
            self._missing.remove(key)
