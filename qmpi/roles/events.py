"""What can happen to a role. The driver makes events; `interface` says how."""

from msgspec import Struct

from qmpi.protocol.envelope import Address, Header
from qmpi.protocol.membership import SnapshotFact, SourceFact
from qmpi.protocol.messages import Message
from qmpi.roles.work_events import StageOpened, UnitAdvanced, UnitBroken, UnitDone, WorkFinished
from qmpi.units import Bytes, Digest, Generation, Lane, Rank, Step

Frame = bytes | bytearray | memoryview
"""Bulk bytes beside a message; opaque to roles."""


class Started(Struct, frozen=True):
    """The driver is ready; always the first event of a role."""


class Received(Struct, frozen=True):
    """A message arrived for this role."""

    header: Header
    message: Message
    frames: tuple[Frame, ...] = ()


class RankLost(Struct, frozen=True):
    """The transport knows that a rank's process is gone."""

    rank: Rank
    reason: str


class TimerFired(Struct, frozen=True):
    """A timer set by this role is due."""

    name: str


class StopRequested(Struct, frozen=True):
    """The user or the batch system wants the run to stop with its state saved."""

    reason: str


class SourcesOpened(Struct, frozen=True):
    """Result of `OpenSources`."""

    sources: tuple[SourceFact, ...]


class BlockBuilt(Struct, frozen=True):
    """Result of `BuildBlock`."""

    step: Step
    lane: Lane
    digest: Digest
    frame: Frame


class BlockBroken(Struct, frozen=True):
    """`BuildBlock` failed: a corrupt or missing artefact, named in `reason`."""

    step: Step
    lane: Lane
    reason: str


class RowsMade(Struct, frozen=True):
    """Result of `MakeRows`."""

    requester: Address
    step: Step
    lane: Lane
    source: str
    frame: Frame


class RowsBroken(Struct, frozen=True):
    """`MakeRows` failed."""

    requester: Address
    step: Step
    lane: Lane
    source: str
    reason: str


class EngineReady(Struct, frozen=True):
    """Result of `PrepareEngine`: torch is loaded, the store is open, snapshots were looked up."""

    identity: str
    store_address: str
    snapshots: tuple[SnapshotFact, ...]


class StepApplied(Struct, frozen=True):
    """Result of `RunStep`; fields as in `qmpi.protocol.progress.StepReport`."""

    generation: Generation
    step: Step
    lane_losses: tuple[float, ...]
    block_digests: tuple[Digest, ...]
    gradient_norm: float
    learning_rate: float
    weight_digest: Digest
    seconds: float
    redone: int


class GroupJoined(Struct, frozen=True):
    """Result of `JoinGroup`: connected, and the weights are those before `step`.

    Attributes:
        finished: the step that `finish` applied, if any.
    """

    generation: Generation
    step: Step
    finished: StepApplied | None = None


class EngineAborted(Struct, frozen=True):
    """`JoinGroup` or `RunStep` ended early (a peer is gone, or `AbortEngine`).

    Attributes:
        generation: of the work that ended.
        state_step: weights are those before this step; -1: no state.
        reduced: the reduced gradient of `state_step` is held, ready to apply.
        finished: the step that `JoinGroup.finish` had applied before the end; nobody else may know
            of it.
    """

    generation: Generation
    state_step: int
    reduced: bool
    reason: str
    finished: StepApplied | None = None


class SnapshotTaken(Struct, frozen=True):
    """Result of `TakeSnapshot`: a verified RAM file."""

    fact: SnapshotFact
    size: Bytes


class SnapshotStored(Struct, frozen=True):
    """Result of `StoreSnapshot`: verified and written."""

    facts: tuple[SnapshotFact, ...]


class SnapshotRead(Struct, frozen=True):
    """Result of `ReadSnapshotPart`."""

    requester: Address
    step: Step
    part: int
    frame: Frame


class SnapshotBroken(Struct, frozen=True):
    """Taking, storing or reading a snapshot failed; the run goes on without this copy."""

    step: Step
    reason: str


class WorkCrashed(Struct, frozen=True):
    """A work effect raised an error that no other event covers.

    Attributes:
        exit_code: exit code of the error (2 user, 3 machine, 4 bug).
    """

    what: str
    reason: str
    exit_code: int


Event = (
    Started
    | Received
    | RankLost
    | TimerFired
    | StopRequested
    | SourcesOpened
    | BlockBuilt
    | BlockBroken
    | RowsMade
    | RowsBroken
    | EngineReady
    | GroupJoined
    | StepApplied
    | EngineAborted
    | SnapshotTaken
    | SnapshotStored
    | SnapshotRead
    | SnapshotBroken
    | WorkCrashed
    | StageOpened
    | UnitAdvanced
    | UnitDone
    | UnitBroken
    | WorkFinished
)
