"""The one union of all messages, and which of them belong to a generation."""

from qmpi.protocol.blocks import (
    BlockFailed,
    BlockReply,
    BlockRequest,
    DataFault,
    RowsFailed,
    RowsReply,
    RowsRequest,
)
from qmpi.protocol.membership import (
    Assign,
    Directory,
    Fence,
    FormGroup,
    GroupBroken,
    GroupReady,
    Heartbeat,
    Hello,
    Holding,
    Leave,
    Left,
    Regroup,
)
from qmpi.protocol.progress import Grant, StepReport
from qmpi.protocol.snapshots import (
    SnapshotFailed,
    SnapshotGone,
    SnapshotHeld,
    SnapshotOffer,
    SnapshotPart,
    SnapshotPull,
    SnapshotWanted,
)

Message = (
    Hello
    | Heartbeat
    | Directory
    | Assign
    | Regroup
    | Holding
    | FormGroup
    | GroupReady
    | GroupBroken
    | Fence
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
    | SnapshotOffer
    | SnapshotPull
    | SnapshotPart
    | SnapshotGone
    | SnapshotWanted
    | SnapshotHeld
    | SnapshotFailed
)

GENERATION_BOUND: tuple[type, ...] = (
    Regroup,
    Holding,
    FormGroup,
    GroupReady,
    GroupBroken,
    Grant,
    StepReport,
)
"""Messages that a receiver in a newer generation refuses. All others are idempotent facts or requests."""
