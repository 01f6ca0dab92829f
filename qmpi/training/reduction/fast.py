"""Float sum over lanes and members: no scales, but its bits depend on the deal."""

from collections.abc import Sequence

import torch
from torch import Tensor

from qmpi.training.comm.line import Comm
from qmpi.training.flat_state import FlatState, Layout, Slot
from qmpi.training.reduction.compiled import Sweeps
from qmpi.training.reduction.tail import PLAIN, LaneFacts, Tail, TailForm
from qmpi.training.reduction.within_teams import ALONE, Within
from qmpi.training.stopwatch import Stopwatch


class FastSum:
    """Float sum over lanes and members; the interface of `ExactSum`."""

    sends_less = False

    def __init__(
        self,
        layout: Layout,
        lanes: int,
        device: torch.device,
        form: TailForm = PLAIN,
        counts: int = 0,
    ) -> None:
        """Allocate the sum.

        Args:
            layout: of the parameters.
            lanes: lanes of the global batch.
            device: where gradients live.
            form: of what a lane tells.
            counts: integers that are summed beside the gradient, in integers.
        """
        self._told_broken = False
        self._layout, self._lanes, self._device = layout, lanes, device
        self._form, self._counted, self._beside = form, lanes, counts
        self.renew()

    def use(self, sweeps: Sweeps) -> None:
        """Do nothing: the loops are those of an exact sum.

        Args:
            sweeps: not used.
        """

    def renew(self) -> None:
        """Take fresh memory: an operation left behind may still write to the old one."""
        self._sum = torch.zeros(self._layout.total, device=self._device)
        facts = self._lanes * self._form.integers
        self._tail = torch.zeros(facts + self._beside, dtype=torch.int32, device=self._device)
        self.tail = Tail(self._tail[:facts], self._lanes, self._form)
        self.counts = self._tail[facts:]

    def begin_step(self, state: FlatState, lanes: int = 0) -> None:  # noqa: ARG002
        """Start a step; there are no exponents to copy.

        Args:
            state: not used.
            lanes: of this step; 0: all.
        """
        self._counted = lanes or self._lanes

    def begin_pass(self) -> None:
        """Start a pass over the lanes."""
        self._sum.zero_()
        self._tail.zero_()

    def go_early(self, line: Comm, lanes: int, watch: Stopwatch) -> None:
        """Do nothing: how a buffer of floats is cut may change its bits.

        Args:
            line: not used.
            lanes: not used.
            watch: not used.
        """

    def begin_lane(self, lane: int) -> None:
        """Do nothing: a lane keeps nothing.

        Args:
            lane: whose gradients come next.
        """

    @torch.no_grad()
    def add(self, number: int, slot: Slot, gradient: Tensor) -> None:  # noqa: ARG002
        """Add a lane's gradient of one parameter.

        Args:
            number: not used.
            slot: its place.
            gradient: float32 or bfloat16, contiguous.
        """
        self._sum[slot.start : slot.start + slot.size].add_(gradient.view(-1))

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
        """Do nothing: floats have no needs."""

    def reduce(self, comm: Comm, team: Within = ALONE) -> None:
        """Sum over the members.

        Args:
            comm: the group.
            team: ranks that the pass is of no use for, if it is for one.
        """
        comm.allreduce(self._sum)
        comm.allreduce(self._tail)
        team.add_up(self._sum, self._sum[:0])
        team.gather(self.counts)
        # A sum of infinities and NaNs stays one.
        finite = bool(torch.linalg.vector_norm(self._sum).isfinite())
        (self._told_broken,) = team.any_of((not finite,))

    def facts(self) -> LaneFacts:
        """Return what is told of the lanes of the step."""
        return self.tail.facts(self._counted)

    def overflowed(self) -> bool:
        """Return False: floats have their own exponents."""
        return False

    def broken(self) -> bool:
        """Return whether some gradient was not finite."""
        return self._told_broken

    @property
    def place(self) -> Tensor:
        """Memory of the sum: where its mean may be written, until the next pass."""
        return self._sum

    @torch.no_grad()
    def unpack(self, gradient: Tensor) -> None:
        """Write the mean over lanes as float32.

        Args:
            gradient: flat, overwritten; may be `place`.
        """
        torch.mul(self._sum, 1.0 / self._counted, out=gradient)

    def settle(self, state: FlatState) -> None:
        """Do nothing: there are no exponents to choose.

        Args:
            state: not used.
        """
