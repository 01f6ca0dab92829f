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
    """

    step: Step
    digest: Digest
    size: Bytes
    part_size: Bytes
    to_disk: bool


class SnapshotPull(Struct, frozen=True, tag="snapshot_pull"):
    """The receiver wants part number `part` of the offered snapshot."""

    step: Step
    part: int


class SnapshotPart(Struct, frozen=True, tag="snapshot_part"):
    """One part; one frame beside the header."""

    step: Step
    part: int


class SnapshotGone(Struct, frozen=True, tag="snapshot_gone"):
    """The offered snapshot is no longer held (a newer one took its place)."""

    step: Step


class SnapshotHeld(Struct, frozen=True, tag="snapshot_held"):
    """To the coordinator: the sender holds and has verified these snapshots."""

    snapshots: tuple[SnapshotFact, ...]


class SnapshotFailed(Struct, frozen=True, tag="snapshot_failed"):
    """To the coordinator: a snapshot could not be kept; `reason` says why (a full disk)."""

    step: Step
    reason: str
