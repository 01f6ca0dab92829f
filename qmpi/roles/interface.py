"""What a role is: events in, effects out. No I/O, no clock, no chance.

Theory of operation. A driver (`runtime` over MPI, `simulator` over a virtual network) holds the
roles of a rank. Whatever happens becomes an event; `Role.handle(event, now)` returns effects; the
driver performs them and what comes of them returns later as events. Effects of one event are
performed in order. Work effects (those that end in an event) run beside the loop; a role never
waits.
"""

from typing import Protocol

from qmpi.protocol.envelope import RoleName
from qmpi.roles.effects import (
    AbortEngine,
    AppendJournal,
    BecomeRole,
    BuildBlock,
    Effect,
    FenceProcess,
    JoinGroup,
    LeaveJob,
    MakeRows,
    OpenSources,
    PrepareEngine,
    ReadSnapshotPart,
    RunStep,
    Send,
    SetTimer,
    StoreSnapshot,
    TakeSnapshot,
    WriteEnd,
    WriteStatus,
)
from qmpi.roles.events import (
    BlockBroken,
    BlockBuilt,
    EngineAborted,
    EngineReady,
    Event,
    Frame,
    GroupJoined,
    RankLost,
    Received,
    RowsBroken,
    RowsMade,
    SnapshotBroken,
    SnapshotRead,
    SnapshotStored,
    SnapshotTaken,
    SourcesOpened,
    Started,
    StepApplied,
    StopRequested,
    TimerFired,
    WorkCrashed,
)
from qmpi.units import Generation, Seconds

__all__ = [
    "AbortEngine",
    "AppendJournal",
    "BecomeRole",
    "BlockBroken",
    "BlockBuilt",
    "BuildBlock",
    "Effect",
    "EngineAborted",
    "EngineReady",
    "Event",
    "FenceProcess",
    "Frame",
    "GroupJoined",
    "JoinGroup",
    "LeaveJob",
    "MakeRows",
    "OpenSources",
    "PrepareEngine",
    "RankLost",
    "ReadSnapshotPart",
    "Received",
    "Role",
    "RowsBroken",
    "RowsMade",
    "RunStep",
    "Send",
    "SetTimer",
    "SnapshotBroken",
    "SnapshotRead",
    "SnapshotStored",
    "SnapshotTaken",
    "SourcesOpened",
    "Started",
    "StepApplied",
    "StopRequested",
    "StoreSnapshot",
    "TakeSnapshot",
    "TimerFired",
    "WorkCrashed",
    "WriteEnd",
    "WriteStatus",
]


class Role(Protocol):
    """One role of one rank, as a state machine."""

    @property
    def name(self) -> RoleName:
        """Which role this is."""
        ...

    @property
    def generation(self) -> Generation:
        """Newest generation this role knows of; stamped on what it sends."""
        ...

    @property
    def activity(self) -> str:
        """What it does right now, in a few words, for heartbeats and the status."""
        ...

    def handle(self, event: Event, now: Seconds) -> list[Effect]:
        """Take one event, change state, say what shall happen."""
        ...

    def check(self) -> None:
        """Raise `InvariantError` if a state field breaks its invariant."""
        ...
