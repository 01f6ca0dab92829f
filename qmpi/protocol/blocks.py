"""Blocks and rows: asked for by address, answered with one frame of token ids."""

from msgspec import Struct

from qmpi.units import Digest, Lane, Step


class BlockRequest(Struct, frozen=True, tag="block_request"):
    """A trainer (or anyone) wants the block of (step, lane).

    Attributes:
        block: its number in the stream; -1: each step before has all lanes.
        revision: of the oldest directory by whose recipes it may be made.
    """

    step: Step
    lane: Lane
    block: int = -1
    revision: int = 0


class BlockReply(Struct, frozen=True, tag="block_reply"):
    """The block; one frame: little-endian ids, shape [rows, sequence_tokens + 1].

    Attributes:
        digest: BLAKE2b-128 of the ids' bytes.
        codec: that the frame is compressed with; "": the frame is the ids' bytes.
        sent: BLAKE2b-128 of the frame; "": it is `digest`.
    """

    step: Step
    lane: Lane
    digest: Digest
    codec: str = ""
    sent: Digest = Digest("")


class BlockFailed(Struct, frozen=True, tag="block_failed"):
    """The block cannot be made here; `reason` names the bad artefact."""

    step: Step
    lane: Lane
    reason: str


class RowsRequest(Struct, frozen=True, tag="rows_request"):
    """A memory rank wants generated rows of `source` for the block of (step, lane)."""

    step: Step
    lane: Lane
    source: str
    rows: tuple[int, ...]


class RowsReply(Struct, frozen=True, tag="rows_reply"):
    """The rows; one frame, in the order asked; shape [rows, sequence_tokens + 1]."""

    step: Step
    lane: Lane
    source: str


class RowsFailed(Struct, frozen=True, tag="rows_failed"):
    """The rows cannot be made; `reason` says why."""

    step: Step
    lane: Lane
    source: str
    reason: str


class DataFault(Struct, frozen=True, tag="data_fault"):
    """To the coordinator: a stored artefact is corrupt or gone, and there is no other copy."""

    reason: str
