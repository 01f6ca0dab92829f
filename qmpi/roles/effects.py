"""What a role may want done. The driver performs effects; `interface` says how."""

from msgspec import Struct

from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.journal import JournalRecord
from qmpi.protocol.messages import Message
from qmpi.protocol.recipe import RowAddress
from qmpi.protocol.status import EndMarker, StatusReport
from qmpi.roles.events import Frame
from qmpi.roles.work_effects import FinishWork, OpenStage, RunUnit
from qmpi.units import Bytes, Digest, Generation, Lane, Seconds, Step


class Send(Struct, frozen=True):
    """Send a message; the driver fills the header."""

    to: Address
    message: Message
    frames: tuple[Frame, ...] = ()


class SetTimer(Struct, frozen=True):
    """Fire `TimerFired(name)` at `at`, on the clock of `now`; replaces one of that name."""

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
        made: frames of generated rows by source number, each holding that source's rows in block
            order.
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
    """Join the group and reach the state of `step`; ends in `GroupJoined` or `EngineAborted`.

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
    """Copy the state of `step` to a RAM file; ends in `SnapshotTaken` or `SnapshotBroken`."""

    step: Step


class StoreSnapshot(Struct, frozen=True):
    """Verify the parts and write them; ends in `SnapshotStored` or `SnapshotBroken`.

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
    """Read one part of a held snapshot; ends in `SnapshotRead` or `SnapshotBroken`."""

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
    | OpenStage
    | RunUnit
    | FinishWork
)
