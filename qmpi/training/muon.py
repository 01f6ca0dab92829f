"""Muon: orthogonalised momentum for the matrices of the blocks.

Theory of operation. An update is the momentum (Nesterov's) with all singular values set to 1, times
0.2 sqrt(max(rows, cols)). That makes its root mean square 0.2, which is what AdamW's updates have,
so that one learning rate and one decay serve both ("Muon is scalable", Liu et al.,
arXiv 2502.16982). Matrices of one shape, lying or standing, are orthogonalised in one batch, on the
smaller side.

On CPUs members deal the batches among themselves and give each other what they made, before they
vote on the step: a member that dies takes nothing with it that the others have not got, and after
the vote each applies the update alone. Batches are the same on any number of members, so their bits
are, and a sum of integers over members of whom one has the number and all others zero is exact.
Every parameter costs 12 to 18 operations times the smaller side, and two bytes to send: on a core
that is worth it from a side of some tens on. On a GPU, whose tensors travel through the host, each
member computes all of them. Where moments are shared out, members first give one another the
momentum of what they turn, and always share the work.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Protocol

import torch
from torch import Tensor

from qmpi.errors import PeerLost
from qmpi.training.aheads import Aheads, ahead_of, first_of
from qmpi.training.exchange import Peers
from qmpi.training.flat_state import FlatState, Layout, Slot
from qmpi.training.offload.carrier import Visit, in_place
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

    @property
    def operations(self) -> int:
        """Of a step of the iteration, in products of `rows`."""
        return len(self.slots) * self.rows**2 * (2 * self.cols + self.rows)


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


class Members(Peers, Protocol):
    """Those that have the same state and gradient; a `Comm` is one."""

    def allreduce(self, tensor: Tensor) -> None:
        """Sum over the members, in place; int32."""
        ...


class Directions:
    """The orthogonalised directions of one step, of all batches."""

    def __init__(self, layout: Layout, device: torch.device, kind: torch.dtype) -> None:
        """Group the matrices.

        Args:
            layout: of the state.
            device: where it lives.
            kind: type that is computed in.
        """
        self.batches = batches(layout, device.type)
        self._shared = device.type == "cpu"
        self._size, self._kind, self._device = layout.hidden, kind, device
        self.renew()

    def renew(self) -> None:
        """Take fresh memory: an operation left behind may still write to the old one."""
        self._flat = torch.zeros(self._size, dtype=self._kind, device=self._device)

    def make(
        self,
        state: FlatState,
        gradient: Tensor,
        momentum: float,
        members: Members | None,
        visit: Visit = in_place,
    ) -> None:
        """Orthogonalise the directions of one step; the state stays as it is.

        Args:
            state: first moments are Muon's momentum.
            gradient: float32, flat, reduced and clipped.
            momentum: its decay.
            members: that share the work; None: nobody else.
            visit: shows the momentum where it is computed with.

        Raises:
            PeerLost: a member is gone.
        """
        shares = self._shared or not state.portions.is_whole
        others = members if members is not None and members.size > 1 and shares else None
        own = self.batches
        if others is not None:
            own = dealt(self.batches, others.size)[others.index]
            self._flat.zero_()
        if others is not None and not state.portions.is_whole:
            aheads = Aheads(state, gradient, momentum, visit)
            aheads.bring(others, slots_of(dealt(self.batches, others.size)))
            for batch in own:
                self.turn(batch, [aheads.of(slot) for slot in batch.slots])
        else:

            def fill(number: int, firsts: tuple[Tensor, ...]) -> None:
                self._fill(own[number], firsts, gradient, momentum)

            visit([_firsts(batch, state) for batch in own], fill, back=False)
        if others is None:
            return
        try:
            others.allreduce(self._flat.view(torch.int32))
        except PeerLost:
            self.renew()
            raise

    def apply(self, state: FlatState, rate: float) -> None:
        """Move the matrices of the blocks against their directions, in place.

        Args:
            state: weights.
            rate: learning rate.
        """
        for slot, direction, scale in self.scaled():
            run = state.params[slot.start : slot.start + slot.size]
            run.add_(direction, alpha=-rate * scale)

    def scaled(self) -> Iterator[tuple[Slot, Tensor, float]]:
        """Yield each matrix's place, direction and what that is multiplied with beside the rate."""
        for batch in self.batches:
            for slot in batch.slots:
                yield slot, self._of(slot).view(-1), batch.scale

    def turn(self, batch: Batch, matrices: list[Tensor]) -> None:
        """Orthogonalise the matrices of a batch.

        Args:
            batch: which.
            matrices: momentum of each, ahead of the step, as it stands or lies.
        """
        shape = (len(batch.slots), batch.rows, batch.cols)
        stack = torch.empty(shape, dtype=self._kind, device=self._device)
        for row, matrix in zip(stack, matrices, strict=True):
            row.copy_(lying(matrix))
        for update, slot in zip(orthogonalise(stack), batch.slots, strict=True):
            lying(self._of(slot)).copy_(update)

    def _fill(
        self, batch: Batch, firsts: tuple[Tensor, ...], gradient: Tensor, momentum: float
    ) -> None:
        matrices: list[Tensor] = []
        for slot, first in zip(batch.slots, firsts, strict=True):
            matrices.append(ahead_of(slot, first, gradient, momentum))
        self.turn(batch, matrices)

    def _of(self, slot: Slot) -> Tensor:
        return self._flat[slot.start : slot.start + slot.size].view(slot.shape)


def _firsts(batch: Batch, state: FlatState) -> tuple[Tensor, ...]:
    return tuple(first_of(slot, state) for slot in batch.slots)


def slots_of(shares: tuple[tuple[Batch, ...], ...]) -> list[list[Slot]]:
    """Return the matrices of each member's batches."""
    return [[slot for batch in share for slot in batch.slots] for share in shares]


def dealt(work: tuple[Batch, ...], members: int) -> tuple[tuple[Batch, ...], ...]:
    """Deal batches so that members have about the same to do.

    Args:
        work: all batches.
        members: >= 1.

    Returns:
        Those of each member; a function of the arguments alone.
    """
    shares: list[list[Batch]] = [[] for _ in range(members)]
    loads = [0] * members
    for batch in sorted(work, key=lambda batch: -batch.operations):
        least = loads.index(min(loads))
        shares[least].append(batch)
        loads[least] += batch.operations
    return tuple(map(tuple, shares))


def lying(matrix: Tensor) -> Tensor:
    """Return a matrix as it is, or transposed if it has more rows than columns."""
    return matrix.mT if matrix.shape[0] > matrix.shape[1] else matrix
