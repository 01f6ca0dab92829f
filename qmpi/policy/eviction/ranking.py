"""Keys by rank, the smallest first: a heap whose entries may change."""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Ranking(Generic[K]):
    """Keys by rank, the smallest first; of equal ranks the one that was ranked first.

    Invariants: the heap has an entry for each key that is current; outdated ones are passed over,
    and dropped before they outnumber the current.
    """

    def __init__(self) -> None:
        """Rank nothing."""
        self._heap: list[tuple[float, int, K]] = []
        self._current: dict[K, tuple[float, int, K]] = {}
        self._count = 0

    def __contains__(self, key: K) -> bool:
        """Return whether a key is ranked."""
        return key in self._current

    def __len__(self) -> int:
        """Return the number of keys that are ranked."""
        return len(self._current)

    def put(self, key: K, rank: float) -> None:
        """Rank a key, perhaps anew.

        Args:
            key: any.
            rank: its rank.
        """
        self._count += 1
        entry = (rank, self._count, key)
        self._current[key] = entry
        if len(self._heap) > 2 * len(self._current) + 16:
            self._heap = list(self._current.values())
            heapq.heapify(self._heap)
        else:
            heapq.heappush(self._heap, entry)

    def remove(self, key: K) -> None:
        """Rank a key no longer.

        Args:
            key: ranked.
        """
        """Keep a key no longer."""
        del self._current[key]

    def first(self) -> tuple[float, K]:
        """Return the smallest rank and its key; one at least is ranked."""
        while True:
            entry = self._heap[0]
            rank, _, key = entry
            if self._current.get(key) is entry:
                return rank, key
            heapq.heappop(self._heap)
