"""What every role but the coordinator has in common: beats, orders, the coordinator's death.

A member answers orders (`Assign`, `Fence`, `Leave`) and leaves the job when the coordinator is
gone: in this version nobody else may raise a generation, so going on would be a split brain. The
supervisor then starts the job again from the newest snapshots.
"""

from msgspec import Struct

from qmpi.config.settings import Settings
from qmpi.errors import ExitCode
from qmpi.ports.base import BecomeRole, Effect, Event, Started, WorkCrashed
from qmpi.ports.clock import SetTimer, TimerFired
from qmpi.ports.processes import FenceProcess, LeaveJob
from qmpi.ports.transport import RankLost, Received, Send
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import (
    Assign,
    Crashed,
    Directory,
    Fence,
    Heartbeat,
    Hello,
    Leave,
    Left,
)
from qmpi.protocol.messages import Message
from qmpi.units import Generation, Rank, Seconds

HEARTBEAT = "heartbeat"


class RankFacts(Struct, frozen=True):
    """Who this rank is.

    Attributes:
        rank: rank in MPI_COMM_WORLD.
        host: name of its machine.
        pid: its process id there.
        coordinator: rank of the coordinator.
    """

    rank: Rank
    host: str
    pid: int
    coordinator: Rank


class Member:
    """Base of the five roles that follow the coordinator.

    Invariants: `generation` never falls; `directory.revision` never falls.
    """

    role: RoleName

    def __init__(self, settings: Settings, facts: RankFacts) -> None:
        """Make the role in its first state.

        Args:
            settings: the job.
            facts: who this rank is.
        """
        self.settings = settings
        self.facts = facts
        self.coordinator = Address(facts.coordinator, RoleName.COORDINATOR)
        self.directory = Directory(0, (), (), (), ())
        self._generation = Generation(0)
        self._activity = "starting"

    @property
    def name(self) -> RoleName:
        """Which role this is."""
        return self.role

    @property
    def generation(self) -> Generation:
        """Newest generation this role knows of."""
        return self._generation

    @property
    def activity(self) -> str:
        """What it does right now, in a few words."""
        return self._activity

    def handle(self, event: Event, now: Seconds) -> list[Effect]:
        """Take one event.

        Args:
            event: what happened.
            now: the driver's clock, seconds.

        Returns:
            What shall happen, in order.
        """
        match event:
            case Started():
                return [*self._beat(now), *self.on_start(now)]
            case TimerFired(name) if name == HEARTBEAT:
                return [*self._beat(now), *self.on_beat(now)]
            case RankLost(rank, reason) if rank == self.facts.coordinator:
                return [LeaveJob(ExitCode.MACHINE, f"the coordinator is gone: {reason}")]
            case WorkCrashed(what, reason, exit_code):
                crashed = self.tell(Crashed(what, reason, exit_code))
                if exit_code != ExitCode.MACHINE:
                    # The coordinator ends the run; leaving first could take it along, end marker
                    # unwritten.
                    self._activity = f"failed: {what}"
                    return [crashed]
                return [crashed, LeaveJob(exit_code, f"{what} failed: {reason}")]
            case Received(_, message) if isinstance(message, Assign | Fence | Leave | Directory):
                return self._obey(message, now)
            case _:
                return self.on_event(event, now)

    def check(self) -> None:
        """Raise `InvariantError` if a state field breaks its invariant."""

    def on_start(self, now: Seconds) -> list[Effect]:
        """Say hello; roles that must prepare first override this."""
        del now
        return [self.hello()]

    def on_beat(self, now: Seconds) -> list[Effect]:
        """Do what is due about once a heartbeat; nothing by default."""
        del now
        return []

    def on_directory(self, now: Seconds) -> list[Effect]:
        """React to a new `self.directory`; nothing by default."""
        del now
        return []

    def on_event(self, event: Event, now: Seconds) -> list[Effect]:
        """Take an event that is this role's own business; nothing by default."""
        del event, now
        return []

    def hello(self) -> Effect:
        """Return the effect that introduces this role instance."""
        return self.tell(Hello(self.facts.host, self.facts.pid, (self.role,)))

    def tell(self, message: Message) -> Effect:
        """Return the effect that sends `message` to the coordinator."""
        return Send(self.coordinator, message)

    def _beat(self, now: Seconds) -> list[Effect]:
        due = Seconds(now + self.settings.failure.heartbeat_seconds)
        return [self.tell(Heartbeat(self.activity)), SetTimer(HEARTBEAT, due)]

    def _obey(self, order: Assign | Fence | Leave | Directory, now: Seconds) -> list[Effect]:
        match order:
            case Assign(role, reason):
                instead = RoleName.SPARE if self.role == RoleName.SPARE else None
                return [BecomeRole(role, instead, reason)]
            case Fence(pid, reason):
                return [FenceProcess(pid, reason)]
            case Leave(exit_code, reason):
                self._activity = "leaving"
                return [self.tell(Left()), LeaveJob(exit_code, reason)]
            case Directory():
                if order.revision <= self.directory.revision:
                    return []
                self.directory = order
                return self.on_directory(now)
