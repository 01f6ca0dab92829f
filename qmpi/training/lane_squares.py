"""The squared norms of lanes' gradients, for the measure of noise; only where they are asked for.

Theory of operation. Autograd completes gradients in whatever order it likes, and a sum of floats
depends on its order. So each parameter has a place of its own, and the places are added in the
order of the layout when the lane is done: the same bits, whoever computes the lane.

Of what the ranks of the tensor axis hold alike each has a share of the gradient. These shares are
kept until the lanes are done, gathered, and added in order of the ranks before they are squared:
norms and routers, little beside the rest. Ranks that share tokens or sequences have shares of all
gradients; noise is not measured there.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from qmpi.training.flat_state import Layout
from qmpi.training.norm import norm_of
from qmpi.training.parallel.rows import Rows


class LaneSquares:
    """Squares of the lanes in hand, parameter by parameter."""

    def __init__(
        self,
        layout: Layout,
        device: torch.device,
        common: frozenset[str] = frozenset(),
        between: Rows | None = None,
    ) -> None:
        """Begin without lanes.

        Args:
            layout: of the rank's state.
            device: where gradients live.
            common: names of what the ranks of the tensor axis hold alike.
            between: these ranks; None: there is one alone.
        """
        self._parameters, self._device = len(layout.slots), device
        self._between = between or Rows(0, 1)
        self._spans, end = dict[int, slice](), 0
        for number, slot in enumerate(layout.slots):
            if slot.name in common:
                self._spans[number], end = slice(end, end + slot.size), end + slot.size
        self._size = end
        self.clear()

    def clear(self) -> None:
        """Forget all lanes."""
        self._norms, self._shares = dict[int, Tensor](), dict[int, Tensor]()

    def take_up(self, lane: int) -> None:
        """Say which lane the gradients that come next belong to.

        Args:
            lane: any number, one for each lane in hand.
        """
        if lane not in self._norms:
            self._norms[lane] = torch.zeros(
                self._parameters, dtype=torch.float64, device=self._device
            )
            self._shares[lane] = torch.zeros(self._size, device=self._device)
        self._lane = lane

    @torch.no_grad()
    def add(self, number: int, gradient: Tensor) -> None:
        """Take the gradient of a parameter; once a lane.

        Args:
            number: of the parameter in the layout.
            gradient: float32 or bfloat16, contiguous.
        """
        span = self._spans.get(number)
        if span is not None:
            self._shares[self._lane][span] = gradient.reshape(-1)
        else:
            self._norms[self._lane][number] = norm_of(gradient.reshape(-1))

    @torch.no_grad()
    def totals(self, lanes: Sequence[int]) -> list[float]:
        """Return the squared norms of lanes' gradients, and forget them.

        Args:
            lanes: those that were taken up, in the same order on all ranks of the tensor axis.

        Returns:
            Of what these ranks hold together, the same on all; may be infinite or NaN.

        Raises:
            PeerLost: a rank is gone.
        """
        norms = [self._norms.pop(lane) for lane in lanes]
        shares = torch.stack([self._shares.pop(lane) for lane in lanes])
        if self._between.shares == 1:
            return [float(each.square().sum()) for each in norms]
        of_common = torch.zeros_like(shares)
        for told in self._between.each(shares):
            of_common += told
        if self._between.share == 0:
            for each, whole in zip(norms, of_common, strict=True):
                for number, span in self._spans.items():
                    each[number] = norm_of(whole[span])
        total = torch.zeros(len(lanes), dtype=torch.float64)
        for told in self._between.each(torch.stack([n.square().sum() for n in norms]).cpu()):
            total += told
        return total.tolist()
