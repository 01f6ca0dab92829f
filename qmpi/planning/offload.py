"""What waits in the host's memory beside a GPU, and what it costs to carry it there and back.

Theory of operation. Moments come to the GPU by pieces and go back while the next ones come; beside
a copy at `HOST_LINK_BYTES` the update's arithmetic is nothing, so the copies are its time. Muon's
momentum comes twice, for the directions and for the update. What layers keep goes out on the way
forward and comes on the way back, behind what is computed: only what that does not hide is time.

Nothing of it was measured: no GPU was at hand.
"""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from qmpi.planning.muon_work import BATCH_ELEMENTS
from qmpi.planning.savers import FORWARD, kept_by_layers
from qmpi.planning.shape import matrix_counts
from qmpi.planning.sweeps import hidden_elements
from qmpi.planning.workload import HOST_LINK_BYTES, Workload

FLOAT = 4

ROOMS, PIECE_ELEMENTS = 2, 1 << 22
"""Pieces of the moments that are on the GPU at a time, and their elements."""

LAYERS_THERE = 3
"""Layers whose saved tensors are on the GPU at a time, the last one among them."""

ROUNDED = 2
"""Pinned memory for activations is rounded up to a power of two, so at most twice the tensors."""


class Apart(Struct, frozen=True, kw_only=True):
    """What is on the host.

    Attributes:
        moments: bytes.
        activations: bytes of one microbatch, as tensors.
        rooms: bytes of the GPU that moments pass through.
    """

    moments: int = 0
    activations: int = 0
    rooms: int = 0

    @property
    def host_bytes(self) -> int:
        """Bytes of the host's memory, pinned."""
        return self.moments + ROUNDED * self.activations


def apart(job: Workload, whole: float, size: int) -> Apart:
    """Return what of a trainer is on the host.

    Args:
        job: the job on its machine; without GPUs nothing is.
        whole: what a layer keeps that is not checkpointed, bytes a token.
        size: bytes of an element of the compute type.
    """
    train, shape = job.settings.train, job.shape
    if not job.on_gpus or train.offload == "none":
        return Apart()
    moments = job.moment_bytes if train.offload in {"optimizer", "all"} else 0
    kept = 0.0
    if train.offload in {"activations", "all"}:
        few = replace(shape, layers=min(shape.layers, LAYERS_THERE))
        kept = kept_by_layers(train, shape, whole, size) - kept_by_layers(train, few, whole, size)
    return Apart(
        moments=moments,
        activations=round(job.rows * kept),
        rooms=_rooms(job) if moments else 0,
    )


def carry_seconds(job: Workload, there: Apart, lane_seconds: float) -> float:
    """Return what the copies add to a step.

    Args:
        job: the job on its machine.
        there: what is on the host.
        lane_seconds: that one trainer computes its lanes for.
    """
    coming = there.moments
    if there.moments and job.settings.optimizer.kind == "muon":
        coming += FLOAT * hidden_elements(job.shape)
    copied = there.activations * job.team_microbatches / HOST_LINK_BYTES
    shown = sum(max(0.0, copied - s * lane_seconds) for s in (FORWARD, 1 - FORWARD))
    return coming / HOST_LINK_BYTES + shown


def told(there: Apart) -> dict[str, Any]:
    """Return the bytes of the host's memory by kind; empty if there are none."""
    kinds = {"moments": there.moments, "activations": ROUNDED * there.activations}
    return {name: size for name, size in kinds.items() if size}


def _rooms(job: Workload) -> int:
    """Return the GPU's memory that moments pass through."""
    piece = PIECE_ELEMENTS * (2 * FLOAT if job.settings.optimizer.kind != "adamw8" else 3)
    if job.settings.optimizer.kind == "muon":
        most = max(rows * cols for rows, cols in matrix_counts(job.shape))
        batch = max(most, min(BATCH_ELEMENTS["cuda"], hidden_elements(job.shape)))
        piece = max(piece, FLOAT * batch)
    return ROOMS * piece
