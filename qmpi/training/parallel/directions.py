"""Muon's directions where each rank of a team has parts of the matrices.

Theory of operation. A matrix is orthogonalised as a whole, whatever the layout: else the layout
would change what is learnt. So the ranks of the tensor axis give one another what they have of
each, as a sum of integers of which one alone is not zero; then all ranks of the axis, in all teams,
deal the matrices as members of teams of one do (see `muon`), and each moves what it holds. Where
teams share out moments, ranks of a position add up their portions in the same way before.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from qmpi.errors import InvariantError, PeerLost
from qmpi.model.partition import Partition
from qmpi.training.aheads import ahead_of, first_of
from qmpi.training.division import portion
from qmpi.training.flat_state import FlatState, Layout, Slot, lay_out
from qmpi.training.muon import Batch, Directions, Members, dealt
from qmpi.training.offload.carrier import Visit, in_place
from qmpi.training.parallel.rows import Rows


class TeamDirections(Directions):
    """The directions of one step, of whole matrices and of the parts that a rank holds."""

    def __init__(
        self,
        layout: Layout,
        part: Partition,
        between: Rows,
        device: torch.device,
        kind: torch.dtype,
    ) -> None:
        """Group the matrices.

        Args:
            layout: of the rank's state.
            part: what it holds.
            between: ranks of the tensor axis.
            device: where the state lives.
            kind: type that is computed in.
        """
        whole = lay_out({name: cut.shape for name, cut in part.cuts.items()}, "muon")
        self._ahead = torch.zeros(0)
        super().__init__(whole, device, kind)
        self._part, self._between = part, between
        self._held = [slot for slot in layout.slots if slot.start < layout.hidden]
        self._whole = {slot.name: slot for slot in whole.slots}

    def renew(self) -> None:
        """Take fresh memory: an operation left behind may still write to the old one."""
        super().renew()
        self._ahead = torch.zeros_like(self._flat)

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
            members: ranks of this position in all teams; None: each team does all the work.
            visit: shows the momentum where it is computed with.

        Raises:
            PeerLost: a rank is gone.
            InvariantError: the others have not been met.
        """
        line = self._between.line
        if line is None:
            raise InvariantError("a rank of a team cannot make directions without the others")
        self._ahead.zero_()

        apart = not state.portions.is_whole
        own = [slot for slot in self._held if not apart or is_own(slot, state)]

        def fill(number: int, firsts: tuple[Tensor, ...]) -> None:
            self._put_ahead(own[number], firsts[0], gradient, momentum)

        visit([(first_of(slot, state),) for slot in own], fill, back=False)
        shares = self._shared or apart
        team, teams = (members.index, members.size) if members is not None else (0, 1)
        ranks = teams * self._part.shares if shares else 1
        mine = team * self._part.shares + self._part.share if shares else 0
        try:
            if apart and members is not None:
                members.allreduce(self._ahead.view(torch.int32))
            line.allreduce(self._ahead.view(torch.int32))
            self._flat.zero_()
            for batch in dealt(self.batches, ranks)[mine]:
                self._orthogonalise(batch)
            if shares and members is not None:
                members.allreduce(self._flat.view(torch.int32))
            if shares:
                line.allreduce(self._flat.view(torch.int32))
        except PeerLost:
            self.renew()
            raise

    def scaled(self) -> Iterator[tuple[Slot, Tensor, float]]:
        """Yield place, direction and scale of what the rank holds; see `Directions.scaled`."""
        scales = {slot.name: batch.scale for batch in self.batches for slot in batch.slots}
        for slot in self._held:
            direction = self._of(self._whole[slot.name])[self._part.cuts[slot.name].index]
            yield slot, direction.reshape(-1), scales[slot.name]

    def _put_ahead(self, slot: Slot, first: Tensor, gradient: Tensor, momentum: float) -> None:
        cut = self._part.cuts[slot.name]
        if cut.is_whole and self._part.share:
            return  # the first rank tells what is common
        ahead = ahead_of(slot, first, gradient, momentum)
        self._ahead_of(self._whole[slot.name])[cut.index].copy_(ahead)

    def _orthogonalise(self, batch: Batch) -> None:
        self.turn(batch, [self._ahead_of(slot) for slot in batch.slots])

    def _ahead_of(self, slot: Slot) -> Tensor:
        return self._ahead[slot.start : slot.start + slot.size].view(slot.shape)


def is_own(slot: Slot, state: FlatState) -> bool:
    """Return whether a matrix's momentum is in the portion that is this member's own."""
    first, end = portion(state.layout, state.portions.index, state.portions.count)
    return first <= slot.start < end
