"""Copies of the training state, pulled part by part: the receiver bounds what it holds."""

from msgspec import Struct

from qmpi.protocol.membership import SnapshotFact
from qmpi.units import Bytes, Digest, Step


class SnapshotOffer(Struct, frozen=True, tag="snapshot_offer"):
    """The sender holds a snapshot; the receiver pulls its parts.

    Attributes:
        step: weights are those before this step.
        digest: SHA-256 of the whole payload.
        size: bytes of the payload.
        part_size: bytes of each part but the last.
        to_disk: True if the receiver shall also write it as a checkpoint.
        position: whose part of the state it is.
        branch, skipped: as in `SnapshotFact`.
    """

    step: Step
    digest: Digest
    size: Bytes
    part_size: Bytes
    to_disk: bool
    position: int = 0
    branch: int = 0
    skipped: int = 0


class SnapshotPull(Struct, frozen=True, tag="snapshot_pull"):
    """The receiver wants part number `part` of the offered snapshot."""

    step: Step
    part: int
    position: int = 0


class SnapshotPart(Struct, frozen=True, tag="snapshot_part"):
    """One part; one frame beside the header."""

    step: Step
    part: int
    position: int = 0


class SnapshotGone(Struct, frozen=True, tag="snapshot_gone"):
    """The offered snapshot is no longer held (a newer one took its place)."""

    step: Step
    position: int = 0


class SnapshotHeld(Struct, frozen=True, tag="snapshot_held"):
    """To the coordinator: the sender holds and has verified these snapshots."""

    snapshots: tuple[SnapshotFact, ...]


class SnapshotFailed(Struct, frozen=True, tag="snapshot_failed"):
    """A snapshot could not be kept, at all or in one place; `reason` says why (a full disk).

    Attributes:
        place: "ram" if only the copy in RAM is missing; "" if there is none at all.
    """

    step: Step
    reason: str
    position: int = 0
    place: str = ""
