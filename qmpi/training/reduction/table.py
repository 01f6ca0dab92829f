"""A lane's gradient of a table of tokens becomes integers, each row on two grids of its own.

Theory of operation. The row of a token that is there in one step and not in the next shrinks by
2**10; scaled for the step before, it would round to nothing. So each row of a lane is added twice:
on the grid of the row's exponent, and on a finer one, `depth` bits below, as long as it fits there.
When the members have agreed on what each row needs, the fine sum of a row takes the place of the
other if all lanes fitted it. Either is a sum of integers over all lanes, and which is taken follows
from what was agreed, so the bits do not depend on the deal. The fine sums cost memory and a sweep
of the table, but nothing on the wire.

Where a token is in few of many lanes, all others give its row nearly the same small numbers, and
rounding would lose the same part of each. So noise of less than half a unit is added before: then
a small number is rounded up as often as it should be, and errors add up as the root of the lanes.
The noise is a fixed run of numbers; where in it a lane begins follows from the bits of its own
gradient, so it is the same whoever computes the lane. Zero stays zero.
"""

import torch
from torch import Tensor

from qmpi.training.flat_state import CHUNK, Slot
from qmpi.training.reduction.exponents import needs_of, powers
from qmpi.training.reduction.outliers import Outliers, levels_of

ROUNDER = 1.5 * 2.0**23
"""Added in float32 to a number of at most 2**22 it leaves, in its last bits, the number rounded."""

SHIFTS = 4096
"""Places in the noise where a lane may begin."""

NOISE_SEED = 30


def make_noise(count: int, device: torch.device) -> Tensor:
    """Return numbers between -1/2 and 1/2, the same for all ranks of a job.

    Args:
        count: how many.
        device: where they are wanted.

    Returns:
        float32 [count]; none is as large as 1/2, which would round up.
    """
    generator = torch.Generator().manual_seed(NOISE_SEED)
    whole = torch.randint(-(1 << 15) + 1, 1 << 15, (count,), generator=generator)
    return (whole.to(torch.float32) / (1 << 16)).to(device)


class Table:
    """One table: its rows' grids in a pass, and their outliers."""

    def __init__(self, slot: Slot, first: int, bits: int, depth: int, device: torch.device) -> None:
        """Prepare.

        Args:
            slot: of the table.
            first: the first of its rows among all chunks.
            bits: of a lane's integers.
            depth: bits between a row's two grids.
            device: where gradients live.
        """
        rows, self._width = slot.chunks, slot.chunk
        self.slot, self.chunks = slot, slice(first, first + rows)
        self._bits, self._depth = bits, depth
        self._rows_a_block = max(1, CHUNK // self._width)
        scratch = torch.empty(2, self._rows_a_block, self._width, device=device)
        self._values, self._scaled = scratch
        self._noise = make_noise(SHIFTS + self._scaled.numel(), device)
        self._fine = torch.zeros(rows, self._width, dtype=torch.int32, device=device)
        self._blocks: list[tuple[Tensor, ...]] = []
        self.outliers = Outliers(rows, self._width, bits, device)

    def renew(self, total: Tensor) -> None:
        """Take the memory of the sum.

        Args:
            total: int32 [rows * width].
        """
        self._total = total.view_as(self._fine)
        blocks = (each.split(self._rows_a_block) for each in (self._total, self._fine))
        # A view made anew for each block and lane would take as long as the work on it.
        self._blocks = [
            (sums, fine, *(each[: sums.shape[0]] for each in (self._values, self._scaled)))
            for sums, fine in zip(*blocks, strict=True)
        ]

    def begin_pass(self, exponents: Tensor, start: int) -> None:
        """Take the rows' exponents.

        Args:
            exponents: int32 [rows].
            start: what the elements of the sum begin with.
        """
        self._exponents, self._fines = exponents, exponents - self._depth
        self._scales, self._limits = powers(self._bits - exponents), powers(exponents)
        self._fine_scales = powers(self._bits - self._fines)
        self._fine_limits = powers(self._fines)
        self._fine.fill_(start)
        self.outliers.clear()

    def add(self, gradient: Tensor, largest: Tensor) -> None:
        """Add a lane's gradient; the bits of `ROUNDER` are added too.

        Args:
            gradient: float32 or bfloat16, [rows * width].
            largest: magnitude of the largest element of each row, float32 [rows], overwritten.
        """
        table = gradient.view(-1, self._width)
        self._look(table, largest)
        fits = largest < self._limits
        coarse, fine = self._scales * fits, self._fine_scales * (largest < self._fine_limits)
        noise = self._noise_of(largest)
        self._sweep(table, coarse.unsqueeze(1), fine.unsqueeze(1), noise)
        rows = (largest.isfinite() & ~fits).nonzero().squeeze(1)
        if rows.numel():
            values, needs = table[rows].to(torch.float32), needs_of(largest[rows])
            self.outliers.add(rows, values, self._exponents[rows], needs)

    def levels(self, needs: Tensor) -> Tensor:
        """Return the highest level of each row, int32 [rows], from the needs of all lanes."""
        return levels_of(needs[self.chunks] - self._exponents)

    def grids(self, needs: Tensor) -> Tensor:
        """Return the exponent of the grid that each row is summed on, int32 [rows].

        Args:
            needs: the largest of any lane, int32, of all chunks.
        """
        return torch.where(self._is_fine(needs), self._fines, self._exponents)

    def choose(self, needs: Tensor) -> None:
        """Let fine sums take the place of the others in the sum, where all lanes fitted.

        Args:
            needs: the largest of any lane, int32, of all chunks.
        """
        is_fine = self._is_fine(needs).unsqueeze(1)
        torch.where(is_fine, self._fine, self._total, out=self._total)

    def _is_fine(self, needs: Tensor) -> Tensor:
        return needs[self.chunks] <= self._fines

    def _noise_of(self, largest: Tensor) -> Tensor:
        """Return the noise of the lane whose rows' largest elements are given, for one block."""
        shift = int(largest.view(torch.int32).sum()) % SHIFTS
        return self._noise[shift : shift + self._scaled.numel()].view_as(self._scaled)

    def _sweep(self, table: Tensor, coarse: Tensor, fine: Tensor, noise: Tensor) -> None:
        parts = (each.split(self._rows_a_block) for each in (table, coarse, fine))
        for part, *factors, block in zip(*parts, self._blocks, strict=True):
            *sums, values, scaled = block
            floats = part if part.dtype == torch.float32 else values.copy_(part)
            for factor, total in zip(factors, sums, strict=True):
                torch.addcmul(noise[: part.shape[0]], floats, factor, out=scaled)
                total.add_(scaled.add_(ROUNDER).view(torch.int32))

    def _look(self, table: Tensor, largest: Tensor) -> None:
        if table.dtype == torch.float32:
            torch.maximum(table.amax(1), -table.amin(1), out=largest)
            return
        blocks = (table.split(self._rows_a_block), largest.split(self._rows_a_block))
        for part, most, (_, _, values, _) in zip(*blocks, self._blocks, strict=True):
            values.copy_(part)
            torch.maximum(values.amax(1), -values.amin(1), out=most)
