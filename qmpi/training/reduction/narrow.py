"""Sums of integers of 16 bits, two of them in each int32 that is sent.

Theory of operation. A lane's integers are so small that the sum over all lanes fits 16 bits: with 8
lanes they have 12. What rounding leaves stays with the lane. Two such sums travel as one int32, one
of them times 2**16: a sum of such pairs is the pair of the sums, and both can be read from it, for
what the lower one borrows of the upper is known from its sign. So the libraries sum what they can
sum anyway (neither gloo nor NCCL takes integers of 16 bits), at half the bytes.
"""

import torch
from torch import Tensor

from qmpi.config.exact_sum import narrow_bits
from qmpi.training.comm.line import Comm
from qmpi.training.flat_state import Layout
from qmpi.training.reduction.grids import Grids, add_rounded, write_mean
from qmpi.training.reduction.within_teams import Within

HALF_BITS = 16


class Narrow:
    """The squeeze of `train.reduction_bits = 16`."""

    extra = 0

    def __init__(self, layout: Layout, lanes: int, device: torch.device) -> None:
        """Prepare.

        Args:
            layout: of the parameters; an even number of elements.
            lanes: of the global batch.
            device: where gradients live.
        """
        self._grids = Grids(layout, device, by_row=True)
        self._bits, self._half = narrow_bits(lanes), layout.total // 2

    @property
    def grids(self) -> int:
        """How many needs are agreed on."""
        return self._grids.count

    def begin_step(self, updates: int) -> None:
        """Do nothing: all steps are alike.

        Args:
            updates: not used.
        """

    def largest(self, flats: list[Tensor]) -> Tensor:
        """Return the largest element of each chunk; as `Squeeze.largest`."""
        return self._grids.largest(flats)

    def agree(self, team: Within, needs: Tensor) -> None:
        """Take the largest need of a team's ranks; as `Squeeze.agree`."""
        self._grids.agree(team, needs)

    def reduce(self, comm: Comm, flats: list[Tensor], needs: Tensor, buffer: Tensor) -> None:
        """Sum all elements of all lanes; as `Squeeze.reduce`."""
        for flat in flats:
            add_rounded(self._grids, flat, needs, self._bits, buffer)
        # What is sent is the second half, which has the first in its lower bits, and the counts.
        low, high = buffer[: self._half], buffer[self._half : 2 * self._half]
        packed(low, high)
        comm.allreduce(buffer[self._half :])
        unpacked(low, high)

    def unpack(self, total: Tensor, needs: Tensor, lanes: int, gradient: Tensor) -> None:
        """Write the mean over lanes; as `Squeeze.unpack`."""
        write_mean(self._grids, total, needs - self._bits, lanes, gradient)


def packed(low: Tensor, high: Tensor) -> None:
    """Put two runs of integers of 16 bits into one, the second.

    Args:
        low: int32, each within 16 bits with its sign.
        high: likewise, as many; overwritten.
    """
    high.bitwise_left_shift_(HALF_BITS).add_(low)


def unpacked(low: Tensor, high: Tensor) -> None:
    """Undo `packed`, also of a sum of such.

    Args:
        low: int32, overwritten.
        high: int32, as `packed` has left it; overwritten.
    """
    torch.bitwise_left_shift(high, HALF_BITS, out=low)
    low.bitwise_right_shift_(HALF_BITS)
    high.sub_(low).bitwise_right_shift_(HALF_BITS)
