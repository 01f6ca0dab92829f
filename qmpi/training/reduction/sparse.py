"""Sums of the few largest elements of each lane: where they are, and how large.

Theory of operation. Of each parameter a lane sends the elements that are largest in what it has,
its gradient and what it has kept (Stich et al., arXiv 1809.07599); of norms and other vectors all.
Matrices are turned before into the directions of what was sent before (see `turned`), in which
few elements hold most of a gradient, and the mean is turned back. The rest stays with the lane, and
so does what rounding leaves. Integers are on grids on which the members have agreed, so those of
one element can be added up wherever and in whatever order.

Members send what their own lanes come to (see `codes`), and everybody gets that of all members. So
what is sent grows with the members.

The directions belong to no lane, but whoever computes a lane needs them: they lie behind each
lane's residual. A member that computes no lane is given them by one that does.

In the first steps more is sent, for then the weights move most (warm-up: Lin et al., arXiv
1712.01887): the share falls from a quarter to its own by equal factors.
"""

import torch
from torch import Tensor

from qmpi.model.shape import is_matrix
from qmpi.training.comm.line import Comm
from qmpi.training.flat_state import Layout, Slot
from qmpi.training.reduction.codes import Written, add, write
from qmpi.training.reduction.exponents import powers
from qmpi.training.reduction.grids import Grids, write_mean
from qmpi.training.reduction.turned import Turns
from qmpi.training.reduction.within_teams import Within

BITS = 5
"""Of a lane's integers, beside the sign."""

FIRST_SHARE = 0.25
"""Of elements that are sent in the first step of a warm-up."""


class Sparse:
    """The squeeze of `train.compression = "topk"`."""

    def __init__(self, layout: Layout, device: torch.device, share: float, warmup: int) -> None:
        """Prepare.

        Args:
            layout: of the parameters.
            device: where gradients live.
            share: of the elements of a matrix that a lane sends, 0 < share <= 1.
            warmup: updates in which more are sent.
        """
        self._grids = Grids(layout, device, by_row=False)
        self._total, self._turns = layout.total, Turns(layout)
        self._last, self._warmup, self._device = share, warmup, device
        self.begin_step(0)

    @property
    def grids(self) -> int:
        """How many needs are agreed on."""
        return self._grids.count

    @property
    def extra(self) -> int:
        """float32 numbers of what directions are found from."""
        return self._turns.size

    def begin_step(self, updates: int) -> None:
        """Choose how much is sent.

        Args:
            updates: that have been applied.
        """
        self._share = share_at(updates, self._last, self._warmup)
        self._flats, self._bases = list[Tensor](), list[Tensor]()
        self._means = torch.zeros(self._turns.size, device=self._device)

    def largest(self, flats: list[Tensor]) -> Tensor:
        """Turn what lanes have, and find what each chunk needs; as `Squeeze.largest`.

        Args:
            flats: what lanes have in hand; turned in place, until `reduce` turns it back.

        Returns:
            float32 [grids].
        """
        self._flats = flats
        if flats:
            self._take(flats[0][self._total :].clone())
        for flat in flats:
            self._turns.turn(flat, self._bases)
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
            self._turns.turn_back(flat, self._bases)
        if comm.size > 1:
            self._exchange(comm, total)
            if buffer.numel() > self._total:
                comm.allreduce(buffer[self._total :])

    def unpack(self, total: Tensor, needs: Tensor, lanes: int, gradient: Tensor) -> None:
        """Write the mean over lanes, and let directions follow it; as `Squeeze.unpack`."""
        write_mean(self._grids, total, needs - BITS, lanes, gradient)
        if not self._bases:
            # Nobody computes a lane.
            return
        self._turns.turn_back(gradient, self._bases)
        after = self._turns.followed(self._means, gradient)
        for flat in self._flats:
            flat[self._total :] = after

    def _take(self, means: Tensor) -> None:
        self._means, self._bases = means, self._turns.bases(means)

    def _add(self, slot: Slot, flat: Tensor, needs: Tensor, total: Tensor) -> None:
        """Add a lane's largest elements of a parameter to a sum, and take them from the lane."""
        span = slice(slot.start, slot.start + slot.size)
        has, sums, most = flat[span], total[span], (1 << BITS) - 1
        count = max(1, round(self._share * slot.size)) if is_matrix(slot.shape) else slot.size
        chosen = largest_places(has, count)
        exponents = needs[self._grids.place(slot)][chosen // self._grids.chunk(slot)]
        values = has[chosen]
        whole = (values * powers(BITS - exponents)).round_().clamp_(-most, most)
        sums[chosen] += whole.to(torch.int32)
        has[chosen] = values - whole * powers(exponents - BITS)

    def _exchange(self, comm: Comm, total: Tensor) -> None:
        """Add what all other members have; each sends what is not zero."""
        own = write(total)
        told = len(own.unary), len(own.bits), len(self._flats)
        facts = torch.tensor(told, dtype=torch.int32, device=total.device)
        unary, bits, knows = comm.allgather(facts).view(comm.size, 3).T.tolist()
        parts = [
            comm.allgather(part, many).split(many)
            for part, many in zip(own, (unary, bits), strict=True)
        ]
        total.zero_()
        for one in zip(*parts, strict=True):
            add(total, Written(*one))
        if not all(knows) and any(knows):
            self._learn(comm, next(n for n, lanes in enumerate(knows) if lanes))

    def _learn(self, comm: Comm, giver: int) -> None:
        """Get the directions from a member that computes a lane, as all do."""
        counts = [self._turns.size * (index == giver) for index in range(comm.size)]
        means = comm.allgather(self._means[: counts[comm.index]], counts)
        if not self._flats:
            self._take(means)


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
