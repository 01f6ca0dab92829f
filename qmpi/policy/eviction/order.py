"""The order in which what is kept goes: one small interface.

Theory of operation. An order knows the kept keys and hears of each access; asked for room, it names
the key that goes. Bytes, time and values are the cache's (`qmpi.memory.cache`). Each call costs
O(log n) at most.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


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
