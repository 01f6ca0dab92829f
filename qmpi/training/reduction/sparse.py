"""Sums of the few largest elements of each lane: where they are, and how large.

Theory of operation. Of each parameter a lane sends the elements that are largest in what it has,
its gradient and what it has kept (Stich et al., arXiv 1809.07599); of norms and other vectors all.
The rest stays with the lane, and so does what rounding leaves. Integers of lanes are so small that
their sum fits 16 bits, on grids on which the members have agreed, so those of one element can be
added up wherever and in whatever order.

Members send what their own lanes come to: of each element that is not zero its place, within a
block of 65,536 elements, and its value, both in 16 bits; and of each block how many there are.
Everybody gets those of all members. So what is sent grows with the members; what is told of an
element takes as many bytes as the element.

In the first steps more is sent, for then the weights move most (warm-up: Lin et al., arXiv
1712.01887): the share falls from a quarter to its own by equal factors.
"""

import torch
from torch import Tensor

from qmpi.config.exact_sum import narrow_bits
from qmpi.model.shape import is_matrix
from qmpi.training.comm.line import Comm
from qmpi.training.flat_state import Layout, Slot
from qmpi.training.reduction.exponents import powers
from qmpi.training.reduction.grids import Grids, write_mean
from qmpi.training.reduction.within_teams import Within

BLOCK = 1 << 16
"""Elements that the 16 bits of a place tell apart."""

FIRST_SHARE = 0.25
"""Of elements that are sent in the first step of a warm-up."""


class Sparse:
    """The squeeze of `train.compression = "topk"`."""

    extra = 0

    def __init__(
        self, layout: Layout, lanes: int, device: torch.device, share: float, warmup: int
    ) -> None:
        """Prepare.

        Args:
            layout: of the parameters.
            lanes: of the global batch.
            device: where gradients live.
            share: of the elements of a matrix that a lane sends, 0 < share <= 1.
            warmup: updates in which more are sent.
        """
        self._grids = Grids(layout, device, by_row=False)
        self._bits, self._total = narrow_bits(lanes), layout.total
        self._last, self._warmup = share, warmup
        blocks = -(-layout.total // BLOCK)
        self._bounds = torch.arange(1, blocks + 1, device=device) * BLOCK
        self.begin_step(0)

    @property
    def grids(self) -> int:
        """How many needs are agreed on."""
        return self._grids.count

    def begin_step(self, updates: int) -> None:
        """Choose how much is sent.

        Args:
            updates: that have been applied.
        """
        self._share = share_at(updates, self._last, self._warmup)

    def largest(self, flats: list[Tensor]) -> Tensor:
        """Return the largest element of each chunk; as `Squeeze.largest`."""
        return self._grids.largest(flats)

    def agree(self, team: Within, needs: Tensor) -> None:
        """Take the largest need of a team's ranks; as `Squeeze.agree`."""
        self._grids.agree(team, needs)

    def reduce(self, comm: Comm, flats: list[Tensor], needs: Tensor, buffer: Tensor) -> None:
        """Sum the largest elements of all lanes; as `Squeeze.reduce`."""
        total = buffer[: self._total]
        for flat in flats:
            for slot in self._grids.slots:
                self._add(slot, flat, needs, total)
        if comm.size > 1:
            self._exchange(comm, total)
            if buffer.numel() > self._total:
                comm.allreduce(buffer[self._total :])

    def unpack(self, total: Tensor, needs: Tensor, lanes: int, gradient: Tensor) -> None:
        """Write the mean over lanes; as `Squeeze.unpack`."""
        write_mean(self._grids, total, needs - self._bits, lanes, gradient)

    def _add(self, slot: Slot, flat: Tensor, needs: Tensor, total: Tensor) -> None:
        """Add a lane's largest elements of a parameter to a sum, and take them from the lane."""
        span = slice(slot.start, slot.start + slot.size)
        has, sums, most = flat[span], total[span], (1 << self._bits) - 1
        count = max(1, round(self._share * slot.size)) if is_matrix(slot.shape) else slot.size
        chosen = largest_places(has, count)
        exponents = needs[self._grids.place(slot)][chosen // self._grids.chunk(slot)]
        values = has[chosen]
        whole = (values * powers(self._bits - exponents)).round_().clamp_(-most, most)
        sums[chosen] += whole.to(torch.int32)
        has[chosen] = values - whole * powers(exponents - self._bits)

    def _exchange(self, comm: Comm, total: Tensor) -> None:
        """Add what all other members have; each sends what is not zero."""
        places = total.nonzero().squeeze(1)
        ends = torch.searchsorted(places, self._bounds)
        counts = ends.diff(prepend=ends.new_zeros(1)).to(torch.int32)
        told = torch.stack((places % BLOCK, total[places].to(torch.int64)), 1).to(torch.int16)
        by_member = comm.allgather(counts).view(comm.size, -1)
        sizes = by_member.sum(1).tolist()
        entries = comm.allgather(told, sizes)
        blocks = torch.arange(len(self._bounds), device=total.device).repeat(comm.size)
        starts = blocks.repeat_interleave(by_member.view(-1).to(torch.int64)) * BLOCK
        everywhere = starts + (entries[:, 0].to(torch.int64) & (BLOCK - 1))
        total.zero_().index_add_(0, everywhere, entries[:, 1].to(torch.int32))


def share_at(updates: int, share: float, warmup: int) -> float:
    """Return the share of elements that is sent in a step.

    Args:
        updates: that were applied before.
        share: after the warm-up.
        warmup: updates of it.
    """
    if updates >= warmup or share >= FIRST_SHARE:
        return share
    return FIRST_SHARE * (share / FIRST_SHARE) ** (updates / warmup)


def largest_places(values: Tensor, count: int) -> Tensor:
    """Return where the elements of the largest magnitude are; of equal ones the first.

    Args:
        values: float32 [n], finite.
        count: how many, 1 <= count <= n.

    Returns:
        int64 [count]; the same for the same values, whatever the library makes of ties.
    """
    if count == values.numel():
        return torch.arange(count, device=values.device)
    sizes = values.abs()
    least = torch.topk(sizes, count, sorted=False).values.amin()
    above = (sizes > least).nonzero().squeeze(1)
    equal = (sizes == least).nonzero().squeeze(1)
    return torch.cat((above, equal[: count - above.numel()]))
