"""What a role is: events in, effects out. No I/O, no clock, no chance.

Theory of operation. A driver (`runtime` over MPI, `simulator` over a virtual network) holds the roles of a
rank. Whatever happens becomes an event; `Role.handle(event, now)` returns effects; the driver performs them
and what comes of them returns later as events. Effects of one event are performed in order. Work effects
(those that end in an event) run beside the loop; a role never waits.
"""

from typing import Protocol

from msgspec import Struct

from qmpi.protocol.envelope import Address, Header, RoleName
from qmpi.protocol.journal import JournalRecord
from qmpi.protocol.membership import SnapshotFact, SourceFact
from qmpi.protocol.messages import Message
from qmpi.protocol.recipe import RowAddress
from qmpi.protocol.status import EndMarker, StatusReport
from qmpi.units import Bytes, Digest, Generation, Lane, Rank, Seconds, Step

Frame = bytes | bytearray | memoryview
"""Bulk bytes beside a message; opaque to roles."""


# --- events -----------------------------------------------------------------------------------------


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
    """Result of `PrepareEngine`: torch is loaded, the rendezvous store is open, snapshots were looked up."""

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
    """

    generation: Generation
    state_step: int
    reduced: bool
    reason: str


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
)


# --- effects ----------------------------------------------------------------------------------------


class Send(Struct, frozen=True):
    """Send a message; the driver fills the header."""

    to: Address
    message: Message
    frames: tuple[Frame, ...] = ()


class SetTimer(Struct, frozen=True):
    """Fire `TimerFired(name)` at `at` (same clock as `now`); replaces an earlier timer of that name."""

    name: str
    at: Seconds


class BecomeRole(Struct, frozen=True):
    """Build a role on this rank, next to or in place of (`instead_of`) one that it has."""

    role: RoleName
    instead_of: RoleName | None
    reason: str


class LeaveJob(Struct, frozen=True):
    """Flush what is queued and exit this process with `exit_code`."""

    exit_code: int
    reason: str


class FenceProcess(Struct, frozen=True):
    """Kill a process of this job on this host: it is alive but silent."""

    pid: int
    reason: str


class OpenSources(Struct, frozen=True):
    """Open the data sources that this role serves; ends in `SourcesOpened`."""


class BuildBlock(Struct, frozen=True):
    """Read and join the rows of a block; ends in `BlockBuilt` or `BlockBroken`.

    Attributes:
        rows: address of each row of the block, in order.
        made: frames of generated rows by source number, each holding that source's rows in block order.
    """

    step: Step
    lane: Lane
    rows: tuple[RowAddress, ...]
    made: tuple[tuple[int, Frame], ...]


class MakeRows(Struct, frozen=True):
    """Generate rows of a source; ends in `RowsMade` or `RowsBroken`."""

    requester: Address
    step: Step
    lane: Lane
    source: str
    rows: tuple[int, ...]


class PrepareEngine(Struct, frozen=True):
    """Load torch, build the model, open the rendezvous store; ends in `EngineReady`."""


class JoinGroup(Struct, frozen=True):
    """Join the torch group of a generation and reach the state of `step`; ends in `GroupJoined` or `EngineAborted`.

    Attributes:
        index: this rank's place among `size` members.
        is_lead: this rank's own store is the rendezvous.
        finish: first apply the reduced gradient held (of step - 1).
        state_root: group index of the member that provides the state.
        needy: group indices that receive it; empty: no transfer.
        origin: "live", "initial", or a snapshot's path; read only by `state_root`.
        origin_digest: digest of that snapshot.
    """

    generation: Generation
    index: int
    size: int
    is_lead: bool
    store_address: str
    step: Step
    finish: bool
    state_root: int
    needy: tuple[int, ...]
    origin: str
    origin_digest: Digest


class RunStep(Struct, frozen=True):
    """Compute the lanes, reduce, vote, apply; ends in `StepApplied` or `EngineAborted`.

    Attributes:
        lanes: lanes of this member, ascending.
        blocks: one frame a lane, in that order.
        digests: digest of each, verified on receipt.
        digest_due: report the weight digest after the step.
    """

    generation: Generation
    step: Step
    lanes: tuple[int, ...]
    blocks: tuple[Frame, ...]
    digests: tuple[Digest, ...]
    digest_due: bool


class AbortEngine(Struct, frozen=True):
    """End the engine's polled waits at once. The work in hand ends in its own event."""

    reason: str


class TakeSnapshot(Struct, frozen=True):
    """Copy the state, which is that before `step`, to a RAM file; ends in `SnapshotTaken` or `SnapshotBroken`."""

    step: Step


class StoreSnapshot(Struct, frozen=True):
    """Verify the parts against `digest` and write them; ends in `SnapshotStored` or `SnapshotBroken`.

    Attributes:
        parts: the payload in order, or () to take it from `path`.
        path: RAM file of this host to copy from when `parts` is empty.
        to_ram, to_disk: where to write.
    """

    step: Step
    digest: Digest
    parts: tuple[Frame, ...]
    path: str
    to_ram: bool
    to_disk: bool


class ReadSnapshotPart(Struct, frozen=True):
    """Read bytes [part * part_size, ...) of a held snapshot; ends in `SnapshotRead` or `SnapshotBroken`."""

    requester: Address
    step: Step
    part: int
    part_size: Bytes
    path: str


class AppendJournal(Struct, frozen=True):
    """Append records, in order, to the run's journal."""

    records: tuple[JournalRecord, ...]


class WriteStatus(Struct, frozen=True):
    """Replace RUN/status.json."""

    report: StatusReport


class WriteEnd(Struct, frozen=True):
    """Write RUN/end.json, after the journal is on disk."""

    marker: EndMarker


Effect = (
    Send
    | SetTimer
    | BecomeRole
    | LeaveJob
    | FenceProcess
    | OpenSources
    | BuildBlock
    | MakeRows
    | PrepareEngine
    | JoinGroup
    | RunStep
    | AbortEngine
    | TakeSnapshot
    | StoreSnapshot
    | ReadSnapshotPart
    | AppendJournal
    | WriteStatus
    | WriteEnd
)


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
