"""Worker of a work farm: does the units that it is dealt, one after the other.

Theory of operation. A unit ends in a file and may be done twice, so a worker has no state worth
saving: when it dies, another does its unit; when the dealer dies, it leaves and the whole job is
started again. Beats and progress go on while a unit runs, since units run beside the loop.
"""

from qmpi.ports.base import Effect, Event
from qmpi.ports.transport import Received
from qmpi.ports.units import RunUnit, UnitAdvanced, UnitBroken, UnitDone
from qmpi.protocol.envelope import RoleName
from qmpi.protocol.work import WorkFailed, WorkGrant, WorkProgress, WorkReport
from qmpi.roles.follower import Follower
from qmpi.units import Seconds


class Worker(Follower):
    """A rank that does units.

    Invariants: `queue` holds units dealt and not ended, in the order dealt, each once.
    """

    role = RoleName.WORKER
    queue: tuple[tuple[int, int], ...] = ()

    def on_event(self, event: Event, now: Seconds) -> list[Effect]:
        """Do units, and report."""
        del now
        match event:
            case Received(_, WorkGrant(stage, unit)):
                return self._granted((stage, unit))
            case UnitAdvanced(stage, unit, progress):
                return [self.tell(WorkProgress(stage, unit, progress))]
            case UnitDone(stage, unit, report):
                self._ended((stage, unit))
                return [self.tell(WorkReport(stage, unit, report))]
            case UnitBroken(stage, unit, reason, exit_code):
                self._ended((stage, unit))
                return [self.tell(WorkFailed(stage, unit, reason, exit_code))]
            case _:
                return []

    def _granted(self, unit: tuple[int, int]) -> list[Effect]:
        if unit in self.queue:
            return []
        self.queue = (*self.queue, unit)
        self._describe()
        return [RunUnit(*unit)]

    def _ended(self, unit: tuple[int, int]) -> None:
        self.queue = tuple(held for held in self.queue if held != unit)
        self._describe()

    def _describe(self) -> None:
        self._activity = f"unit {self.queue[0][1]}" if self.queue else "idle"
