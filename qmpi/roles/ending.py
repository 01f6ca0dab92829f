"""How the job ends: the marker first, then everybody leaves, the chief last.

The end marker is the only proof of how a run ended: an MPI launcher under fault tolerance returns 0
after a dead rank and after a lost host alike. So it is on disk before anyone leaves.
"""

from typing import Literal

from msgspec import Struct

from qmpi.errors import ExitCode
from qmpi.ports.base import Effect
from qmpi.ports.books import WriteEnd
from qmpi.ports.clock import SetTimer
from qmpi.ports.processes import LeaveJob
from qmpi.protocol.status import EndMarker
from qmpi.roles.orders import Orders
from qmpi.units import Digest, Rank, Seconds, Step

EndState = Literal["finished", "stopped", "failed"]

LEAVE_SECONDS = 5.0
"""How long the chief waits for the others; the end marker is on disk by then."""

LEAVING = "leaving"
"""Name of the timer."""


class HowItEnded(Struct, frozen=True):
    """State, exit code, steps in the weights, newest digest, why, its steps, and what follows."""

    state: EndState
    exit_code: int
    step: Step
    digest: Digest
    reason: str
    digest_step: int = 0
    goes_back: bool = False


class Ending:
    """Who is still there once the job ends, and the code to leave with."""

    def __init__(self, orders: Orders) -> None:
        """Nobody leaves yet.

        Args:
            orders: reach the others.
        """
        self.orders = orders
        self.staying: set[Rank] = set()
        self.exit_code = int(ExitCode.DONE)
        self.reason = ""

    def begin(self, how: HowItEnded, now: Seconds, *, copies: bool) -> list[Effect]:
        """Write the marker, and send everybody home.

        Args:
            how: how the run ended.
            now: clock.
            copies: this job keeps copies of a state, which a good end makes useless in RAM.

        Returns:
            Effects, in order.
        """
        self.exit_code, self.reason = how.exit_code, how.reason
        self.staying = set(self.orders.others())
        marker = EndMarker(
            state=how.state,
            exit_code=how.exit_code,
            step=how.step,
            digest=how.digest,
            reason=how.reason,
            time=now,
            digest_step=how.digest_step,
            goes_back=how.goes_back,
        )
        forget = copies and how.state == "finished"
        leave = self.orders.dismiss(self.exit_code, self.reason, forget_copies=forget)
        return [WriteEnd(marker), *leave, SetTimer(LEAVING, Seconds(now + LEAVE_SECONDS))]

    def abandon(self, reason: str) -> list[Effect]:
        """Leave at once and without a marker, so that the job is started again.

        Args:
            reason: why, in words.

        Returns:
            Effects, in order.
        """
        self.exit_code, self.reason = int(ExitCode.MACHINE), reason
        leave = self.orders.dismiss(self.exit_code, self.reason, forget_copies=False)
        return [*leave, self.leave()]

    def gone(self, rank: Rank) -> None:
        """Note that a rank has left, or is lost.

        Args:
            rank: which rank.
        """
        self.staying.discard(rank)

    @property
    def alone(self) -> bool:
        """True when only the chief's rank is left."""
        return not self.staying

    def leave(self) -> Effect:
        """Return the effect with which the chief leaves."""
        return LeaveJob(self.exit_code, self.reason, together=True)
