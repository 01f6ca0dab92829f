"""Muon: orthogonalised momentum for the matrices of the blocks.

Theory of operation. An update is the momentum (Nesterov's) with all singular values set to 1, times
0.2 sqrt(max(rows, cols)). That makes its root mean square 0.2, which is what AdamW's updates have,
so that one learning rate and one decay serve both ("Muon is scalable", Liu et al.,
arXiv 2502.16982). Matrices of one shape, lying or standing, are orthogonalised in one batch, on the
smaller side. Every member does all of it: what it costs does not shrink with more trainers, and
nothing crosses ranks, so the bits are equal wherever they are computed alike.
"""

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from qmpi.training.flat_state import FlatState, Layout, Slot
from qmpi.training.orthogonal import orthogonalise

BATCH_ELEMENTS = {"cpu": 1 << 17, "cuda": 1 << 24}
"""Elements of a batch at most. On a core a batch shall stay in its cache, where larger ones cost a
tenth to a third more; a GPU wants many matrices at once, within the memory beside the state."""

MATCHED = 0.2
"""Root mean square of an update, in learning rates: that of AdamW's."""


@dataclass(frozen=True)
class Batch:
    """Matrices that are orthogonalised together.

    Attributes:
        slots: their places.
        rows: of each when lying.
        cols: likewise; >= rows.
    """

    slots: tuple[Slot, ...]
    rows: int
    cols: int

    @property
    def scale(self) -> float:
        """What turns an orthogonal matrix of this shape into an update of AdamW's size."""
        return MATCHED * sqrt(self.cols)


def batches(layout: Layout, device: str) -> tuple[Batch, ...]:
    """Put matrices of one shape together.

    Args:
        layout: of the state.
        device: type of it, "cpu" or "cuda".

    Returns:
        Batches that cover the blocks' matrices; a function of the arguments alone.
    """
    shapes: dict[tuple[int, int], list[Slot]] = {}
    for slot in layout.slots:
        if slot.start < layout.hidden:
            shapes.setdefault((min(slot.shape), max(slot.shape)), []).append(slot)
    made: list[Batch] = []
    for (rows, cols), slots in shapes.items():
        count = max(1, BATCH_ELEMENTS[device] // (rows * cols))
        parts = [slots[at : at + count] for at in range(0, len(slots), count)]
        made += [Batch(tuple(part), rows, cols) for part in parts]
    return tuple(made)


def muon(
    state: FlatState, direction: Tensor, parts: tuple[Batch, ...], kind: torch.dtype, rate: float
) -> None:
    """Move the matrices of the blocks against their orthogonalised directions, in place.

    Args:
        state: weights.
        direction: float32, flat: momentum.
        parts: from `batches`.
        kind: type that is computed in.
        rate: learning rate.
    """
    for part in parts:
        stack = torch.empty(
            len(part.slots), part.rows, part.cols, dtype=kind, device=direction.device
        )
        for row, slot in zip(stack, part.slots, strict=True):
            row.copy_(lying(direction[slot.start : slot.start + slot.size].view(slot.shape)))
        for update, slot in zip(orthogonalise(stack), part.slots, strict=True):
            lying(state.view(slot)).add_(update, alpha=-rate * part.scale)


def lying(matrix: Tensor) -> Tensor:
    """Return a matrix as it is, or transposed if it has more rows than columns."""
    return matrix.mT if matrix.shape[0] > matrix.shape[1] else matrix
