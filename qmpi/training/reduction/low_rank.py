"""Sums of matrices as products of two narrow ones.

Theory of operation. PowerSGD (Vogels et al., arXiv 1905.13727): with a basis Q that all lanes have
in common, each lane's matrix M gives P = M Q, whose sum over the lanes is made orthonormal by all
members alike; then each lane gives M^T P, and the sum of these times P^T is what the lanes' sum
comes to, as far as it lies in the directions of P. It is also the next step's basis, so that
directions are found over the steps. Both sums are of integers, so they know no order, and what all
make of equal bits is equal. A lane keeps its matrix less what it has sent of it.

A basis belongs to no lane, but whoever computes a lane needs it: it lies behind each lane's
residual. A column that is zero is drawn from the seed, so there is nothing to begin with. What is
no matrix is summed whole, in integers as fine as those of an exact sum.

The second sum's grids are agreed on with the first's, from a bound: no element of M^T p is larger
than the norm of its column of M, when p has norm 1.
"""

import torch
from torch import Tensor

from qmpi.config.exact_sum import lane_bits
from qmpi.model.shape import is_matrix
from qmpi.training.comm.line import Comm
from qmpi.training.flat_state import Layout, Slot
from qmpi.training.reduction.exponents import powers
from qmpi.training.reduction.grids import Grids, add_rounded, write_mean
from qmpi.training.reduction.orthonormal import Stacked, orthonormal, revived, seed_of
from qmpi.training.reduction.within_teams import Within

BOUND_MARGIN = 1.0625
"""A column of P may be longer than 1 by rounding, and a norm shorter than it is."""


class LowRank:
    """The squeeze of `train.compression = "powersgd"`."""

    def __init__(
        self, layout: Layout, lanes: int, device: torch.device, rank: int, seed: int
    ) -> None:
        """Prepare.

        Args:
            layout: of the parameters.
            lanes: of the global batch.
            device: where gradients live.
            rank: columns of a basis, >= 1.
            seed: of what is drawn.
        """
        self._matrices = tuple(slot for slot in layout.slots if _pays(slot, rank))
        others = tuple(slot for slot in layout.slots if not _pays(slot, rank))
        self._whole = Grids(layout, device, by_row=True, slots=others)
        self._spans = [slice(slot.start, slot.start + slot.size) for slot in others]
        self._seed, self._total = seed, layout.total
        self._bits = lane_bits(lanes * layout.shares)
        self._tall = Stacked([_sides(slot)[0] for slot in self._matrices], rank)
        self._wide = Stacked([_sides(slot)[1] for slot in self._matrices], rank)
        self._factors: list[tuple[Tensor, Tensor]] = []
        self.begin_step(0)

    @property
    def grids(self) -> int:
        """How many needs are agreed on: those of what is sent whole, of P, of Q."""
        return self._whole.count + 2 * len(self._matrices)

    @property
    def extra(self) -> int:
        """float32 numbers of the bases of all matrices."""
        return self._wide.size

    def begin_step(self, updates: int) -> None:
        """Begin a step.

        Args:
            updates: that have been applied; other columns are drawn after each.
        """
        self._updates = updates
        self._products = list[list[Tensor]]()

    def largest(self, flats: list[Tensor]) -> Tensor:
        """Return what must fit: elements of chunks, of P, of Q; as `Squeeze.largest`."""
        whole = self._whole.largest(flats)
        self._products = [self._multiplied(flat) for flat in flats]
        most = whole.new_zeros(2, len(self._matrices))
        for flat, products in zip(flats, self._products, strict=True):
            for number, (slot, product) in enumerate(zip(self._matrices, products, strict=True)):
                columns = _matrix(slot, flat).norm(dim=0).amax() * BOUND_MARGIN
                found = torch.stack((product.abs().amax(), columns))
                most[:, number] = torch.maximum(most[:, number], found)
        return torch.cat((whole, most.view(-1)))

    def agree(self, team: Within, needs: Tensor) -> None:
        """Take the largest need of a team's ranks; as `Squeeze.agree`.

        Matrices that ranks have in common are refused, so this is of what is sent whole.
        """
        self._whole.agree(team, needs[: self._whole.count])

    def reduce(self, comm: Comm, flats: list[Tensor], needs: Tensor, buffer: Tensor) -> None:
        """Sum P and what is sent whole, then Q; as `Squeeze.reduce`."""
        of_whole = needs[: self._whole.count]
        of_tall, of_wide = needs[self._whole.count :].view(2, -1)
        for flat in flats:
            add_rounded(self._whole, flat, of_whole, self._bits, buffer)
        tall = self._first_sum(comm, of_tall, buffer)
        bases = [orthonormal(columns) for columns in self._tall.views(tall)]
        wide = buffer.new_zeros(self._wide.size)
        units = powers(of_wide - self._bits)
        for flat in flats:
            self._project(flat, bases, of_wide, wide)
        comm.allreduce(wide)
        sums = self._wide.views(wide)
        self._factors = [
            (basis, total * unit) for basis, total, unit in zip(bases, sums, units, strict=True)
        ]
        for flat in flats:
            kept = self._wide.views(flat[self._total :])
            for place, (_, factor) in zip(kept, self._factors, strict=True):
                place.copy_(factor)

    def unpack(self, total: Tensor, needs: Tensor, lanes: int, gradient: Tensor) -> None:
        """Write the mean over lanes; as `Squeeze.unpack`."""
        units = needs[: self._whole.count] - self._bits
        write_mean(self._whole, total, units, lanes, gradient)
        for slot, (basis, factor) in zip(self._matrices, self._factors, strict=True):
            _matrix(slot, gradient).copy_(basis @ (factor / lanes).T)

    def _multiplied(self, flat: Tensor) -> list[Tensor]:
        """Return P of each matrix of a lane."""
        bases = self._wide.views(flat[self._total :])
        seeds = [seed_of(self._seed, self._updates, number) for number in range(len(bases))]
        return [
            _matrix(slot, flat) @ revived(basis, seed)
            for slot, basis, seed in zip(self._matrices, bases, seeds, strict=True)
        ]

    def _first_sum(self, comm: Comm, needs: Tensor, buffer: Tensor) -> Tensor:
        """Sum P, what is sent whole, and the counts.

        Returns:
            P of all matrices, int32.
        """
        scales, counts = powers(self._bits - needs), buffer[self._total :]
        tall = buffer.new_zeros(self._tall.size)
        for products in self._products:
            for number, place in enumerate(self._tall.views(tall)):
                place.add_((products[number] * scales[number]).round_().to(torch.int32))
        parts = [tall, *(buffer[span] for span in self._spans), counts]
        wire = torch.cat(parts)
        comm.allreduce(wire)
        for part, summed in zip(parts, wire.split([len(p) for p in parts]), strict=True):
            part.copy_(summed)
        return tall

    def _project(self, flat: Tensor, bases: list[Tensor], needs: Tensor, wide: Tensor) -> None:
        """Add a lane's integers of Q to a sum, and take from the lane what they stand for."""
        scales, units = powers(self._bits - needs), powers(needs - self._bits)
        for number, (slot, place) in enumerate(
            zip(self._matrices, self._wide.views(wide), strict=True)
        ):
            matrix, basis = _matrix(slot, flat), bases[number]
            whole = ((matrix.T @ basis) * scales[number]).round_()
            place.add_(whole.to(torch.int32))
            matrix.sub_(basis @ (whole * units[number]).T)


def _sides(slot: Slot) -> tuple[int, int]:
    return slot.shape[0], slot.size // slot.shape[0]


def _pays(slot: Slot, rank: int) -> bool:
    """Return whether two narrow matrices are smaller than the parameter."""
    return is_matrix(slot.shape) and rank * sum(_sides(slot)) < slot.size


def _matrix(slot: Slot, flat: Tensor) -> Tensor:
    return flat[slot.start : slot.start + slot.size].view(_sides(slot))
