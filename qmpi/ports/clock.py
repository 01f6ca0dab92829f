"""Clock: the time that roles are told, and timers.

Promises, held by one conformance suite. The time goes on as the machine's does while it runs, and
never back, whatever is done to the wall clock. Timers are kept by the driver.
"""

from typing import Protocol

from qmpi.ports.base import Effect, Event
from qmpi.units import Seconds


class SetTimer(Effect, frozen=True):
    """Fire `TimerFired(name)` at `at`, on the clock of `now`; replaces one of that name."""

    name: str
    at: Seconds


class TimerFired(Event, frozen=True):
    """A timer set by this role is due."""

    name: str


class Slept(Event, frozen=True):
    """This process did not run for `seconds`: it was stopped, or the machine was.

    Told before anything that waited in the meantime, so that nobody takes the gap for the silence
    of others.
    """

    seconds: Seconds


class Clock(Protocol):
    """Seconds since the epoch that never jump."""

    def now(self) -> Seconds:
        """Return the time."""
        ...
