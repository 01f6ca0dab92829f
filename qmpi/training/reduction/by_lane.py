"""A sum over lanes that sends less than they have, and keeps the rest with each lane.

Theory of operation. Gradients are added to what each lane has kept (see `residuals`) and stay there
until all lanes of a pass are computed. Then the members agree on what each chunk needs, as they do
for an exact sum; and since nothing has been rounded yet, all integers are made on the grids that
just this step needs. No exponent comes from the steps before, and no pass is redone.

What a lane sends is a function of what it has and of what was agreed: integers, whose sum knows no
order. How they are made and sent is a squeeze's affair (see `narrow`, `sparse`, `low_rank`); it
takes from a lane exactly what it sends for it. So whoever computes a lane, and however many members
there are, all get the same bits.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from qmpi.training.comm.line import Comm
from qmpi.training.flat_state import FlatState, Layout, Slot
from qmpi.training.reduction.compiled import Sweeps
from qmpi.training.reduction.exponents import NOT_FINITE, needs_of
from qmpi.training.reduction.integers import gaps
from qmpi.training.reduction.residuals import LaneResiduals
from qmpi.training.reduction.tail import PLAIN, LaneFacts, Tail, TailForm
from qmpi.training.reduction.within_teams import ALONE, Within
from qmpi.training.stopwatch import Stopwatch


class Squeeze(Protocol):
    """How what lanes have becomes integers, and these a gradient."""

    @property
    def grids(self) -> int:
        """How many needs are agreed on."""
        ...

    @property
    def extra(self) -> int:
        """float32 numbers that a lane keeps behind its residual."""
        ...

    def begin_step(self, updates: int) -> None:
        """Begin a step after so many updates."""
        ...

    def largest(self, flats: list[Tensor]) -> Tensor:
        """Return what must fit each grid, float32 [grids], from what lanes have in hand."""
        ...

    def agree(self, team: Within, needs: Tensor) -> None:
        """Take the largest need of a team's ranks, where it matters; int32 [grids], in place."""
        ...

    def reduce(self, comm: Comm, flats: list[Tensor], needs: Tensor, buffer: Tensor) -> None:
        """Sum integers of all lanes of all members, and take from each lane what it sends.

        `buffer` is int32: room for the sum of all parameters, then counts, which are summed too.
        """
        ...

    def unpack(self, total: Tensor, needs: Tensor, lanes: int, gradient: Tensor) -> None:
        """Write the mean over lanes of what was sent; `gradient` may be the memory of `total`."""
        ...


class LaneSum:
    """Sum over lanes and members by a squeeze; the interface of `ExactSum`.

    Attributes:
        residuals: what lanes keep between steps.
        counts: int32 integers that are summed as they are.
    """

    sends_less = True

    def __init__(
        self,
        layout: Layout,
        lanes: int,
        device: torch.device,
        squeeze: Squeeze,
        form: TailForm = PLAIN,
        counts: int = 0,
    ) -> None:
        """Allocate the sum.

        Args:
            layout: of the parameters.
            lanes: lanes of the global batch.
            device: where gradients live.
            squeeze: makes the integers.
            form: of what a lane tells.
            counts: integers that are summed beside the gradient.
        """
        self._layout, self._lanes, self._device, self._squeeze = layout, lanes, device, squeeze
        self._form, self._counts, self._counted = form, counts, lanes
        self.residuals = LaneResiduals(layout.total + squeeze.extra, device)
        self._flat: Tensor | None = None
        self._gaps, self._told_broken = gaps(layout), False
        self.renew()

    def use(self, sweeps: Sweeps) -> None:
        """Do nothing: the loops are those of an exact sum.

        Args:
            sweeps: not used.
        """

    def renew(self) -> None:
        """Take fresh memory: an operation left behind may still write to the old one."""
        size = self._squeeze.grids + self._lanes * self._form.integers
        self._said = torch.zeros(size, dtype=torch.int32, device=self._device)
        self._needs = self._said[: self._squeeze.grids]
        self.tail = Tail(self._said[self._squeeze.grids :], self._lanes, self._form)
        total = self._layout.total
        self._buffer = torch.zeros(total + self._counts, dtype=torch.int32, device=self._device)
        self._sum, self.counts = self._buffer[:total], self._buffer[total:]

    def begin_step(self, state: FlatState, lanes: int = 0) -> None:
        """Start a step from what lanes keep.

        Args:
            state: what they keep belongs to.
            lanes: of this step; 0: all.
        """
        self._counted = lanes or self._lanes
        self.residuals.begin_step(state.updates)
        self._squeeze.begin_step(state.updates)

    def begin_pass(self) -> None:
        """Start a pass over the lanes."""
        self._said.zero_()
        self._buffer.zero_()
        self.residuals.begin_pass()

    def go_early(self, line: Comm, lanes: int, watch: Stopwatch) -> None:
        """Do nothing: what lanes send is known when all have been computed.

        Args:
            line: not used.
            lanes: not used.
            watch: not used.
        """

    def begin_lane(self, lane: int) -> None:
        """Say whose gradients come next.

        Args:
            lane: that is computed here.

        Raises:
            InvariantError: what it keeps is not here.
        """
        self._flat = self.residuals.of_lane(lane)

    @torch.no_grad()
    def add(self, number: int, slot: Slot, gradient: Tensor) -> None:  # noqa: ARG002
        """Add a lane's gradient of one parameter to what it has; once a lane.

        Args:
            number: not used.
            slot: its place.
            gradient: float32 or bfloat16, contiguous.
        """
        if self._flat is not None:
            self._flat[slot.start : slot.start + slot.size].add_(gradient.view(-1))

    def end_lane(self, lane: int, loss: float, digest: str, numbers: Sequence[float] = ()) -> None:
        """Record a lane whose gradients have all been added.

        Args:
            lane: which.
            loss: in nats.
            digest: of its block.
            numbers: what it tells besides, as `Tail.put` takes it.
        """
        self.tail.put(lane, loss, digest, numbers)

    def fold(self) -> None:
        """Do nothing: needs are found when all lanes are there."""

    @torch.no_grad()
    def reduce(self, comm: Comm, team: Within = ALONE) -> None:
        """Agree on the needs, and sum over the members unless the pass is of no use.

        Args:
            comm: the group.
            team: ranks that the pass is of no use for, if it is for one.
        """
        flats = self.residuals.in_hand()
        self._needs.copy_(needs_of(self._squeeze.largest(flats)))
        comm.maximum(self._said)
        self._squeeze.agree(team, self._needs)
        broken = bool((self._needs == NOT_FINITE).any())
        (self._told_broken,) = team.any_of((broken,))
        if not self._told_broken:
            self._squeeze.reduce(comm, flats, self._needs, self._buffer)
            team.add_up(self._sum, self._sum[:0])
            team.gather(self.counts)

    def facts(self) -> LaneFacts:
        """Return what is told of the lanes of the step."""
        return self.tail.facts(self._counted)

    def overflowed(self) -> bool:
        """Return False: grids are those of the step itself."""
        return False

    def broken(self) -> bool:
        """Return whether some gradient was not finite."""
        return self._told_broken

    @property
    def place(self) -> Tensor:
        """Memory of the sum as flat float32: where its mean may be written, until the next pass."""
        return self._sum.view(torch.float32)

    @torch.no_grad()
    def unpack(self, gradient: Tensor) -> None:
        """Write the mean over lanes as float32, zero in the padding.

        Args:
            gradient: flat, overwritten; may be `place`.
        """
        self._squeeze.unpack(self._sum, self._needs, self._counted, gradient)
        for gap in self._gaps:
            gradient[gap].zero_()

    def settle(self, state: FlatState) -> None:  # noqa: ARG002
        """Let lanes keep what they have not sent.

        Args:
            state: not used.
        """
        self.residuals.commit()
