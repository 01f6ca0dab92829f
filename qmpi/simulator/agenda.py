"""What happens when: a heap of (time, sequence) over a virtual clock.

Sequence numbers break ties in the order of planning, so equal runs stay equal whatever the hash
seed is.
"""

import heapq
from collections.abc import Callable
from typing import Protocol

from qmpi.units import Seconds

Action = Callable[[], None]


class Chance(Protocol):
    """The seeded source of chance; made in `qmpi.simulator.engine` alone."""

    def random(self) -> float:
        """Return a number in [0, 1)."""
        ...

    def uniform(self, a: float, b: float) -> float:
        """Return a number in [a, b].

        Args:
            a: lower bound.
            b: upper bound.
        """
        ...


class Agenda:
    """The virtual clock and what is planned on it.

    Invariants: `now` never falls; an action runs at its time, actions of one time in the order of
    planning.
    """

    def __init__(self) -> None:
        """Start at time 0 with nothing planned."""
        self.now = Seconds(0.0)
        self.done = 0
        self._heap: list[tuple[Seconds, int, Action]] = []
        self._sequence = 0

    def at(self, time: float, action: Action) -> None:
        """Plan an action.

        Args:
            time: moment on the virtual clock; a past one means now.
            action: what happens.
        """
        self._sequence += 1
        moment = Seconds(time) if time > self.now else self.now
        heapq.heappush(self._heap, (moment, self._sequence, action))

    def after(self, delay: float, action: Action) -> None:
        """Plan an action `delay` seconds from now.

        Args:
            delay: seconds, >= 0.
            action: what happens.
        """
        self.at(self.now + delay, action)

    def next_time(self) -> Seconds | None:
        """Return the time of the next action, or None if nothing is planned."""
        return self._heap[0][0] if self._heap else None

    def step(self) -> bool:
        """Run the next action.

        Returns:
            False if nothing was planned.
        """
        if not self._heap:
            return False
        self.now, _, action = heapq.heappop(self._heap)
        self.done += 1
        action()
        return True
