"""Which rank does which unit of a stage.

Theory of operation. Every unit not yet done waits or is held by a rank. A free rank gets the lowest
waiting unit; while there is plenty, one more in advance, so that it never waits for an answer. A
lost or failed unit waits again. When nothing waits any more, a free rank does once more what has
been under way for far longer than usual: a slow machine does not hold up the whole stage, and a
unit done twice does no harm. Dealing fixed shares at the start was rejected: one slow rank would
set the time of all.

A unit that takes its rank down several times, or fails on several, is named instead of being dealt
for ever.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from qmpi.errors import InvariantError
from qmpi.units import Rank, Seconds

MOST_TRIES = 4
"""Deaths or failures of one unit after which it is given up: too many for bad luck."""

SLOW_FACTOR = 3.0
"""A unit under way this many times longer than the median is dealt once more."""

ENOUGH_TIMES = 3
"""Units done before the median says anything."""

KEPT_TIMES = 64


class WorkBook:
    """The units of one stage.

    Invariants: a unit that is not done waits, or is held by at least one rank, never both.

    Attributes:
        units: their number.
        done: units whose result exists.
        held: units of each rank, in the order dealt; the first is under way.
        dealt_again: units dealt more than once.
    """

    def __init__(self, units: int, done: Iterable[int]) -> None:
        """Begin a stage.

        Args:
            units: their number.
            done: those done already.
        """
        self.units = units
        self.done = {unit for unit in done if 0 <= unit < units}
        self.held: dict[Rank, list[int]] = {}
        self.dealt_again = 0
        self._waiting = [unit for unit in range(units) if unit not in self.done]
        self._tries: Counter[int] = Counter()
        self._since: dict[Rank, Seconds] = {}
        self._times: list[float] = []

    @property
    def finished(self) -> bool:
        """True if every unit is done."""
        return len(self.done) == self.units

    def deal(self, free: Sequence[Rank], crowd: int, now: Seconds) -> list[tuple[Rank, int]]:
        """Give units to ranks that have room.

        Args:
            free: ranks to look at, ascending.
            crowd: ranks that work, in all.
            now: clock.

        Returns:
            (rank, unit), in the order to be told.
        """
        dealt = [self._give(rank, now) for rank in free if self._waiting and not self._of(rank)]
        dealt.extend(
            self._give(rank, now)
            for rank in free
            if len(self._waiting) > crowd and len(self._of(rank)) == 1
        )
        idle = [rank for rank in free if not self._of(rank)]
        for rank, unit in zip(idle, self._slow(now), strict=False):
            self._hold(rank, unit, now)
            self.dealt_again += 1
            dealt.append((rank, unit))
        return dealt

    def reported(self, rank: Rank, unit: int, now: Seconds) -> bool:
        """Note a result.

        Args:
            rank: who did it.
            unit: which.
            now: clock.

        Returns:
            True if the unit was not done before.
        """
        if not 0 <= unit < self.units:
            return False
        since = self._since.get(rank)
        if since is not None and self._of(rank)[:1] == [unit]:
            self._times = [*self._times[1 - KEPT_TIMES :], now - since]
        self._drop(rank, unit, now)
        if unit in self.done:
            return False
        self.done.add(unit)
        if unit in self._waiting:
            # Its rank was counted as lost, and had done it all the same.
            self._waiting.remove(unit)
            heapq.heapify(self._waiting)
        return True

    def failed(self, rank: Rank, unit: int, now: Seconds) -> int:
        """Let a unit wait again that could not be done on a rank.

        Args:
            rank: where.
            unit: which.
            now: clock.

        Returns:
            How often it has failed or killed its rank so far; 0 if it does not matter any more.
        """
        if unit not in self._of(rank):
            return 0
        self._drop(rank, unit, now)
        if unit in self.done:
            return 0
        self._await(unit)
        self._tries[unit] += 1
        return self._tries[unit]

    def lost(self, rank: Rank) -> tuple[int, ...]:
        """Let the units of a lost rank wait again.

        Args:
            rank: the rank.

        Returns:
            Those not done yet.
        """
        units = self.held.pop(rank, [])
        self._since.pop(rank, None)
        if units and units[0] not in self.done:
            self._tries[units[0]] += 1
        for unit in units:
            self._await(unit)
        return tuple(unit for unit in units if unit not in self.done)

    def hopeless(self) -> int | None:
        """Return a unit that has failed too often, or None."""
        worst = self._tries.most_common(1)
        return worst[0][0] if worst and worst[0][1] >= MOST_TRIES else None

    def check(self) -> None:
        """Check the invariants of the class.

        Raises:
            InvariantError: one of them is broken.
        """
        held = {unit for units in self.held.values() for unit in units}
        waiting = set(self._waiting)
        if waiting & (held | self.done) or len(waiting) != len(self._waiting):
            raise InvariantError("a unit waits that is held or done")
        if len(waiting | held | self.done) != self.units:
            raise InvariantError("a unit is lost: it neither waits, nor is held, nor done")

    def _of(self, rank: Rank) -> list[int]:
        return self.held.get(rank, [])

    def _give(self, rank: Rank, now: Seconds) -> tuple[Rank, int]:
        unit = heapq.heappop(self._waiting)
        self._hold(rank, unit, now)
        return rank, unit

    def _hold(self, rank: Rank, unit: int, now: Seconds) -> None:
        self.held.setdefault(rank, []).append(unit)
        self._since.setdefault(rank, now)

    def _drop(self, rank: Rank, unit: int, now: Seconds) -> None:
        units = self._of(rank)
        if unit not in units:
            return
        units.remove(unit)
        self._since[rank] = now
        if not units:
            del self.held[rank], self._since[rank]

    def _await(self, unit: int) -> None:
        elsewhere = any(unit in units for units in self.held.values())
        if unit not in self.done and not elsewhere:
            heapq.heappush(self._waiting, unit)
            self.dealt_again += 1

    def _slow(self, now: Seconds) -> list[int]:
        if self._waiting or len(self._times) < ENOUGH_TIMES:
            return []
        limit = SLOW_FACTOR * median(self._times)
        holders = Counter(unit for units in self.held.values() for unit in units)
        late = [
            (self._since[rank], unit)
            for rank, units in self.held.items()
            for unit in units
            if holders[unit] == 1 and unit not in self.done and now - self._since[rank] > limit
        ]
        return [unit for _, unit in sorted(late)]
