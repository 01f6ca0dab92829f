"""What all ports share: effects, events, frames, and the way back for results."""

from typing import Protocol

from msgspec import Struct

Frame = bytes | bytearray | memoryview
"""Bulk bytes beside a message; opaque to roles."""


class Effect(Struct, frozen=True):
    """What a role wants done. Each port has effects of its own."""


class Event(Struct, frozen=True):
    """What happened, told to a role. Each port has events of its own."""


class Started(Event, frozen=True):
    """The driver is ready; always the first event of a role."""


class RoleStarted(Event, frozen=True):
    """Another role of this rank has just been started."""

    role: str


class Announce(Effect, frozen=True):
    """Give `event` to every other role of this rank."""

    event: Event


class BecomeRole(Effect, frozen=True):
    """Build the role named `role` on this rank, in place of `instead_of` unless that is ""."""

    role: str
    instead_of: str
    reason: str


class WorkCrashed(Event, frozen=True):
    """Work that a port did beside the loop raised an error that no other event covers.

    Attributes:
        what: name of the error.
        exit_code: exit code of the error (2 user, 3 machine, 4 bug).
    """

    what: str
    reason: str
    exit_code: int


class Reply(Protocol):
    """The way back of one piece of work: hands an event to the role that asked.

    May be called from any thread, and more than once (progress, then the result). Never blocks.
    """

    def __call__(self, event: Event) -> None:
        """Hand over what came of the work.

        Args:
            event: one of the port's events, or `WorkCrashed`.
        """
        ...
