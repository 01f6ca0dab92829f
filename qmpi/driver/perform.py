"""Effect to port: one match, no decision."""

from qmpi.driver.inbox import Inbox, Result
from qmpi.driver.ports import Ports
from qmpi.driver.router import Perform
from qmpi.driver.tickets import Tickets, never
from qmpi.errors import InvariantError
from qmpi.ports.base import Effect, Event
from qmpi.ports.books import Entry
from qmpi.ports.copies import CopyWork
from qmpi.ports.data import DataWork
from qmpi.ports.engine import (
    AbortEngine,
    Condemned,
    EngineWork,
    Evaluate,
    GiveMoments,
    JoinGroup,
    RunStep,
    TakeSnapshot,
)
from qmpi.ports.processes import CloseRequest, FenceProcess, LeaveJob
from qmpi.ports.units import UnitWork
from qmpi.protocol.envelope import RoleName


class Performer:
    """Carries the effects of one rank's roles to its ports."""

    def __init__(self, ports: Ports, inbox: Inbox) -> None:
        """Join ports and inbox.

        Args:
            ports: of this rank.
            inbox: where results of work go.
        """
        self._ports = ports
        self._inbox = inbox
        self._tickets = Tickets(ports.transport.rank)

    def perform(self, wanted: Perform) -> Event | None:
        """Carry out an effect.

        Args:
            wanted: effect, its role and its cause.

        Returns:
            What is known at once; None if nothing is, or results come by the inbox.

        """
        ports, owner, cause = self._ports, wanted.owner, wanted.cause

        def reply(event: Event) -> None:
            self._inbox.put(Result(owner, event, cause))

        match wanted.effect:
            case EngineWork() as work:
                ports.engine.submit(work, self._ticket(work), reply)
            case DataWork() as work:
                ports.data.submit(work, reply)
            case CopyWork() as work:
                ports.copies.submit(work, reply)
            case UnitWork() as work:
                ports.units.submit(work, reply)
            case Entry() as entry:
                return ports.books.write(entry)
            case _:
                self._perform_now(owner, wanted.effect)
        return None

    def _perform_now(self, owner: RoleName, effect: Effect) -> None:
        match effect:
            case AbortEngine(reason):
                self._tickets.condemn(reason)
                self._ports.engine.nudge()
            case FenceProcess(pid, reason):
                self._ports.processes.fence(pid, reason)
            case CloseRequest(name):
                self._ports.processes.close_request(name)
            case LeaveJob(exit_code, reason, together):
                self._ports.processes.leave(exit_code, reason, together=together)
            case _:
                raise InvariantError(f"{owner} wants {effect!r}, which no port knows")

    def _ticket(self, work: EngineWork) -> Condemned:
        is_bound = isinstance(work, JoinGroup | RunStep | Evaluate | GiveMoments)
        is_bound |= isinstance(work, TakeSnapshot) and work.generation > 0
        return self._tickets.issue() if is_bound else never
