"""What every clock must do: go on, and never back."""

from collections.abc import Callable
from typing import Protocol

from qmpi.ports.clock import Clock

MOMENT = 0.05
SLACK = 30.0
"""A busy machine may take so long between two reads."""


class World(Protocol):
    """A clock and the time it tells of."""

    clock: Clock

    def pass_time(self, seconds: float) -> None:
        """Let at least so much time pass."""
        ...

    def set_back(self, seconds: float) -> None:
        """Set the machine's wall clock back, as an administrator does."""
        ...


def check_it_never_goes_back(world: World) -> None:
    times = [world.clock.now() for _ in range(1000)]
    assert times == sorted(times)
    assert times[0] >= 0.0


def check_it_goes_with_time(world: World) -> None:
    before = world.clock.now()
    world.pass_time(MOMENT)
    gone = world.clock.now() - before
    # A ten thousandth for clocks that tick.
    assert MOMENT * 0.9999 <= gone < MOMENT + SLACK


def check_a_wall_clock_that_is_set_back_moves_it_not(world: World) -> None:
    before = world.clock.now()
    world.set_back(3600.0)
    assert before <= world.clock.now() < before + SLACK
    world.pass_time(MOMENT)
    assert world.clock.now() >= before + MOMENT * 0.9999


Check = Callable[[World], None]
CHECKS: tuple[Check, ...] = (
    check_it_never_goes_back,
    check_it_goes_with_time,
    check_a_wall_clock_that_is_set_back_moves_it_not,
)
