"""The one union of all messages, and which of them belong to a generation."""

from qmpi.protocol.added import SourcesTried
from qmpi.protocol.blocks import (
    BlockFailed,
    BlockReply,
    BlockRequest,
    DataFault,
    RowsFailed,
    RowsReply,
    RowsRequest,
)
from qmpi.protocol.evaluation import EvaluationPart
from qmpi.protocol.membership import (
    Assign,
    Crashed,
    Fence,
    FormGroup,
    GroupBroken,
    GroupReady,
    Hello,
    Holding,
    Leave,
    Left,
    Regroup,
)
from qmpi.protocol.profiles import ProfileDone, ProfileOrder
from qmpi.protocol.progress import Grant, StepReport
from qmpi.protocol.pulse import (
    Beat,
    BeatHeard,
    Directory,
    DirectoryChange,
    DirectoryWanted,
)
from qmpi.protocol.snapshots import (
    SnapshotFailed,
    SnapshotGone,
    SnapshotHeld,
    SnapshotOffer,
    SnapshotPart,
    SnapshotPull,
)
from qmpi.protocol.work import WorkFailed, WorkGrant, WorkProgress, WorkReport

Message = (
    Hello
    | Beat
    | BeatHeard
    | Directory
    | DirectoryChange
    | DirectoryWanted
    | Assign
    | Regroup
    | Holding
    | FormGroup
    | GroupReady
    | GroupBroken
    | Fence
    | Crashed
    | Leave
    | Left
    | Grant
    | StepReport
    | BlockRequest
    | BlockReply
    | BlockFailed
    | RowsRequest
    | RowsReply
    | RowsFailed
    | DataFault
    | SourcesTried
    | SnapshotOffer
    | SnapshotPull
    | SnapshotPart
    | SnapshotGone
    | SnapshotHeld
    | SnapshotFailed
    | WorkGrant
    | WorkProgress
    | WorkReport
    | WorkFailed
    | ProfileOrder
    | ProfileDone
    | EvaluationPart
)

GENERATION_BOUND: tuple[type, ...] = (
    Regroup,
    Holding,
    FormGroup,
    GroupReady,
    GroupBroken,
    Grant,
)
"""Messages that a newer generation refuses. All others are idempotent facts or requests.

A `StepReport` is a fact: the step was voted and applied, whatever happened to the group since.
Refusing it would lose the only record of the blocks that went into the weights.
"""
