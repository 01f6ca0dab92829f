"""Who hears when of a death: word goes round in waves, so that a death costs O(ranks) at most.

Theory of operation. Each rank has a place on a circle, drawn once; a death begins at a point of it
and reaches the ranks wave by wave, in the order of the circle or against it. So each hears in its
own time, in an order of its own for each death, and when thousands leave together nobody plans word
for those who have left as well.
"""

from bisect import bisect_left
from collections.abc import Callable

from qmpi.simulator.agenda import Agenda, Chance
from qmpi.simulator.hardware import Link
from qmpi.units import Rank

CIRCLES = 8
WAVES = 64

Tell = Callable[[Rank], None]
"""Tells a rank, unless it is gone too."""


class Circle:
    """An order of the ranks that live."""

    def __init__(self, ranks: int, chance: Chance) -> None:
        """Draw a place for each rank.

        Args:
            ranks: in all.
            chance: seeded.
        """
        self._ranks = sorted((chance.random(), Rank(rank)) for rank in range(ranks))

    def between(self, low: float, high: float) -> list[Rank]:
        """Return the ranks of a part of the circle.

        Args:
            low: 0 <= low.
            high: low <= high <= 1.
        """
        first = bisect_left(self._ranks, (low, -1))
        return [rank for _, rank in self._ranks[first : bisect_left(self._ranks, (high, -1))]]

    def forget(self, gone: set[Rank]) -> None:
        """Leave out who is gone.

        Args:
            gone: all who are.
        """
        self._ranks = [place for place in self._ranks if place[1] not in gone]


class Tidings:
    """Word of deaths, on its way to those who live.

    Invariants: each death reaches each living rank once.
    """

    def __init__(
        self, agenda: Agenda, chance: Chance, link: Link, size: int, gone: set[Rank]
    ) -> None:
        """Nobody is gone.

        Args:
            agenda: the clock.
            chance: seeded.
            link: how long word takes.
            size: ranks in all.
            gone: who is gone; kept by the network.
        """
        self._agenda = agenda
        self._chance = chance
        self._link = link
        self._size = size
        self._circles = [Circle(size, chance) for _ in range(CIRCLES)]
        self._gone = gone
        self._kept = size

    def spread(self, tell: Tell) -> None:
        """Let everyone hear of a death.

        Args:
            tell: tells one rank.
        """
        living = self._size - len(self._gone)
        if living < self._kept / 2:
            self._kept = living
            for circle in self._circles:
                circle.forget(self._gone)
        circle = self._circles[int(self._chance.random() * CIRCLES)]
        start, forward = self._chance.random(), self._chance.random() < 0.5
        self._wave(circle, tell, start if forward else -start, 0)

    def _wave(self, circle: Circle, tell: Tell, start: float, number: int) -> None:
        if number == WAVES or len(self._gone) == self._size:
            return
        share = 1.0 / WAVES
        delay = self._link.detect_seconds * (0.02 if number == 0 else 0.98 * share)

        def reach() -> None:
            step = number if start >= 0 else WAVES - 1 - number
            for low, high in _arc(abs(start) + step * share, share):
                for rank in circle.between(low, high):
                    tell(rank)
            self._wave(circle, tell, start, number + 1)

        self._agenda.after(delay * (0.5 + self._chance.random()), reach)


def _arc(begin: float, length: float) -> list[tuple[float, float]]:
    """Return the parts of [0, 1) that an arc of the circle covers."""
    low = begin % 1.0
    high = low + length
    return [(low, high)] if high <= 1.0 else [(low, 1.0), (0.0, high - 1.0)]
