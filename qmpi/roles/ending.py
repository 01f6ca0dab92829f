"""How the job ends: the marker first, then everybody leaves, the coordinator last.

The end marker is the only proof of how a run ended: an MPI launcher under fault tolerance returns 0
after a dead rank and after a lost host alike. So it is on disk before anyone leaves.
"""

from typing import Literal

from msgspec import Struct

from qmpi.errors import ExitCode
from qmpi.protocol.journal import RunEnded
from qmpi.protocol.membership import Leave
from qmpi.protocol.status import EndMarker, RunState
from qmpi.roles.crew import Crew
from qmpi.roles.interface import AppendJournal, Effect, LeaveJob, Send, SetTimer, WriteEnd
from qmpi.units import Digest, Rank, Seconds, Step

EndState = Literal["finished", "stopped", "failed"]

LEAVE_SECONDS = 5.0
"""How long the coordinator waits for the others; the end marker is on disk by then."""

LEAVING = "leaving"
"""Name of the timer."""


class HowItEnded(Struct, frozen=True):
    """State, exit code, steps in the weights, their digest, and why."""

    state: EndState
    exit_code: int
    step: Step
    digest: Digest
    reason: str

    @property
    def shown(self) -> RunState:
        """State in the status."""
        return self.state


class Ending:
    """Who has left, and with what code."""

    def __init__(self, crew: Crew) -> None:
        """Nobody has left yet.

        Args:
            crew: tells who lives.
        """
        self.crew = crew
        self.left: set[Rank] = set()
        self.exit_code = int(ExitCode.DONE)
        self.reason = ""

    def begin(self, how: HowItEnded, now: Seconds) -> list[Effect]:
        """Write record and marker, and send everybody home.

        Args:
            how: how the run ended.
            now: clock.

        Returns:
            Effects, in order.
        """
        self.exit_code, self.reason = how.exit_code, how.reason
        record = RunEnded(now, how.state, how.step, how.digest, how.reason)
        marker = EndMarker(
            state=how.state,
            exit_code=how.exit_code,
            step=how.step,
            digest=how.digest,
            reason=how.reason,
            time=now,
        )
        wait = SetTimer(LEAVING, Seconds(now + LEAVE_SECONDS))
        return [AppendJournal((record,)), WriteEnd(marker), *self._dismiss(), wait]

    def abandon(self, reason: str) -> list[Effect]:
        """Leave at once and without a marker, so that the job is started again.

        Args:
            reason: why, in words.

        Returns:
            Effects, in order.
        """
        self.exit_code, self.reason = int(ExitCode.MACHINE), reason
        return [*self._dismiss(), self.leave()]

    def all_left(self) -> bool:
        """Return True when only the coordinator's rank is left."""
        return set(self.crew.others()) <= self.left

    def leave(self) -> Effect:
        """Return the effect with which the coordinator leaves."""
        return LeaveJob(self.exit_code, self.reason)

    def _dismiss(self) -> list[Effect]:
        leave = Leave(self.exit_code, self.reason)
        return [Send(self.crew.any_role(rank), leave) for rank in self.crew.others()]
