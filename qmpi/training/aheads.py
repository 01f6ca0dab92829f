"""What Muon turns: momentum ahead of the step, also of matrices whose momentum lies elsewhere."""

from collections.abc import Sequence

import torch
from torch import Tensor

from qmpi.protocol.portions import Portions
from qmpi.training.division import spans_of, transfers
from qmpi.training.exchange import Peers, exchange
from qmpi.training.flat_state import FlatState, Slot
from qmpi.training.offload.carrier import Visit


class Aheads:
    """Momentum ahead of the step, of matrices whose momentum may lie with other members."""

    def __init__(self, state: FlatState, gradient: Tensor, momentum: float, visit: Visit) -> None:
        """Bring nothing yet.

        Args:
            state: holds momentum of some matrices.
            gradient: float32, flat, reduced and clipped.
            momentum: its decay.
            visit: shows the momentum where it is computed with.
        """
        self.device = gradient.device
        self._state, self._gradient = state, gradient
        self._momentum, self._visit = momentum, visit
        self._slots = {slot.start: slot for slot in state.layout.slots}
        self._brought: dict[int, Tensor] = {}

    def bring(self, members: Peers, work: Sequence[Sequence[Slot]]) -> None:
        """Give each member the matrices that it turns; all call this together.

        Args:
            members: that share the work.
            work: matrices of each.

        Raises:
            PeerLost: a member is gone.
        """
        layout, hidden = self._state.layout, self._state.layout.hidden
        held = [spans_of(layout, Portions(m, members.size)) for m in range(members.size)]
        haves = [tuple((a, min(b, hidden)) for a, b in spans if a < hidden) for spans in held]
        needs = [tuple((slot.start, slot.start + slot.size) for slot in own) for own in work]
        # A matrix is never cut: it lies with one member, and is read as on a member that has all.
        exchange(members, transfers(haves, needs), self, None)

    def of(self, slot: Slot) -> Tensor:
        """Return a matrix that was brought."""
        return self._brought[slot.start].view(torch.float32).view(slot.shape)

    def size(self, first: int, end: int) -> int:
        """Return the bytes of some elements."""
        return 4 * (end - first)

    def read(self, spans: Sequence[tuple[int, int]]) -> list[Tensor]:
        """Return matrices that are held here, as bytes."""
        slots, made = [self._slots[first] for first, _ in spans], list[Tensor]()

        def fill(number: int, firsts: tuple[Tensor, ...]) -> None:
            ahead = ahead_of(slots[number], firsts[0], self._gradient, self._momentum)
            made.append(ahead.view(-1).view(torch.uint8))

        self._visit([(first_of(slot, self._state),) for slot in slots], fill, back=False)
        return made

    def write(self, first: int, end: int, data: Tensor) -> None:
        """Take a matrix."""
        del end
        # A part of what was received may begin anywhere; kernels want whole numbers.
        self._brought[first] = data.clone()


def ahead_of(slot: Slot, first: Tensor, gradient: Tensor, momentum: float) -> Tensor:
    """Return Nesterov's look ahead of a matrix.

    Args:
        slot: its place.
        first: its momentum, flat.
        gradient: float32, flat, of the state.
        momentum: its decay.

    Returns:
        float32, of the matrix's shape.
    """
    run = gradient[slot.start : slot.start + slot.size]
    return run.lerp(first.lerp(run, 1.0 - momentum), momentum).view(slot.shape)


def first_of(slot: Slot, state: FlatState) -> Tensor:
    """Return the momentum of a matrix, flat; it is held here."""
    run = slice(slot.start, slot.start + slot.size)
    return state.moments(run).firsts(run)
