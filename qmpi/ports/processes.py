"""Processes: those of this host, this one among them; and what the outside asks of the run.

Promises, held by one conformance suite. Only a process of this job on this host is ever fenced,
never this one, nor a stranger that was given the number of a rank that has ended; leaving is final;
a request to stop is told once, however often it is made; a request for a profile is told once each.
A request for other weights is told once to each process that decides, until it is closed; so is
that it was taken back before.
"""

from collections.abc import Sequence
from typing import Protocol

from qmpi.ports.base import Effect, Event
from qmpi.protocol.profiles import ProfileRequest
from qmpi.protocol.recipe import RecipeRequest
from qmpi.units import Seconds


class FenceProcess(Effect, frozen=True):
    """Kill a process of this job on this host: it is alive but silent."""

    pid: int
    reason: str


class LeaveJob(Effect, frozen=True):
    """Flush what is queued and exit this process with `exit_code`.

    Attributes:
        together: the whole job ends, so nobody needs to be told of this rank's end; the launcher
            may then learn the exit code.
    """

    exit_code: int
    reason: str
    together: bool = False


class CloseRequest(Effect, frozen=True):
    """A request for other weights is answered: no later start shall hear of it."""

    name: str


class StopRequested(Event, frozen=True):
    """The user or the batch system wants the run to stop with its state saved."""

    reason: str


class ProfileRequested(Event, frozen=True):
    """The user wants to see what trainers do, over some steps."""

    request: ProfileRequest


class RecipeRequested(Event, frozen=True):
    """The user wants other weights of the sources; told again after a start until it is closed.

    Attributes:
        request: what is asked for; None: what was told of last was taken back unanswered.
    """

    request: RecipeRequest | None


class Processes(Protocol):
    """The processes of this host."""

    def fence(self, pid: int, reason: str) -> None:
        """Kill a process of this job on this host; one that is gone already is no error.

        Args:
            pid: which.
            reason: why, in words.
        """
        ...

    def leave(self, exit_code: int, reason: str, *, together: bool) -> None:
        """Note that this process shall leave once what is queued has left.

        Args:
            exit_code: with which code.
            reason: why, in words.
            together: the whole job ends.
        """
        ...

    def close_request(self, name: str) -> None:
        """Take a request for other weights away; one that is gone already is no error.

        Args:
            name: of the request; another one stays.
        """
        ...

    @property
    def leaving(self) -> bool:
        """True once this process shall leave."""
        ...

    def notices(self, now: Seconds) -> Sequence[Event]:
        """Return what the outside asks of this rank since the last look.

        Args:
            now: clock; looks may be cheap and rare inside.
        """
        ...
