"""Blocks and rows: asked for by address, answered with one frame of token ids."""

from hashlib import blake2b

from msgspec import Struct

from qmpi.units import Digest, Lane, Step


def frame_digest(frame: bytes | bytearray | memoryview) -> Digest:
    """Return the digest by which a frame of ids is verified.

    Args:
        frame: its bytes.

    Returns:
        BLAKE2b-128, 32 hex digits.
    """
    return Digest(blake2b(frame, digest_size=16).hexdigest())


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
        sources: number of the source of each row, in order.
    """

    step: Step
    lane: Lane
    digest: Digest
    codec: str = ""
    sent: Digest = Digest("")
    sources: tuple[int, ...] = ()


class BlockFailed(Struct, frozen=True, tag="block_failed"):
    """The block cannot be made here; `reason` names the artefact at fault.

    Attributes:
        is_away: that is out of reach, not damaged: this rank's machine is at fault.
    """

    step: Step
    lane: Lane
    reason: str
    is_away: bool = False


class RowsRequest(Struct, frozen=True, tag="rows_request"):
    """A memory rank wants generated rows of `source` for the block of (step, lane)."""

    step: Step
    lane: Lane
    source: str
    rows: tuple[int, ...]


class RowsReply(Struct, frozen=True, tag="rows_reply"):
    """The rows; one frame, in the order asked; shape [rows, sequence_tokens + 1].

    Attributes:
        digest: BLAKE2b-128 of the frame's bytes.
    """

    step: Step
    lane: Lane
    source: str
    digest: Digest


class RowsFailed(Struct, frozen=True, tag="rows_failed"):
    """The rows cannot be made; `reason` says why."""

    step: Step
    lane: Lane
    source: str
    reason: str


class DataFault(Struct, frozen=True, tag="data_fault"):
    """To the coordinator: no memory rank that was asked can read a stored artefact.

    Attributes:
        is_away: it is out of reach, not damaged or gone.
    """

    reason: str
    is_away: bool = False

    @property
    def verdict(self) -> str:
        """Why the run ends, in words."""
        return f"{'data out of reach' if self.is_away else 'bad data'}: {self.reason}"
