"""A lane's gradient of a table of tokens becomes integers, each row on two grids of its own.

Theory of operation. The row of a token that is there in one step and not in the next shrinks by
2**10; scaled for the step before, it would round to nothing. So each row of a lane is added twice:
on the grid of the row's exponent, and on a finer one, some bits below, as long as it fits there.
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
from qmpi.training.reduction.compiled import Grid, Sweeps
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


def add_whole(whole: Tensor, start: int | None, total: Tensor) -> None:
    """Add integers to a sum.

    Args:
        whole: int32.
        start: what the sum begins with; None: it has begun.
        total: the sum, int32, of the same shape.
    """
    if start is None:
        total.add_(whole)
    else:
        torch.add(whole, start, out=total)


class Table:
    """One table: its rows' grids in a pass, and their outliers."""

    def __init__(self, slot: Slot, first: int, bits: int, device: torch.device) -> None:
        """Prepare.

        Args:
            slot: of the table.
            first: the first of its rows among all chunks.
            bits: of a lane's integers.
            device: where gradients live.
        """
        rows, self._width = slot.chunks, slot.chunk
        self.slot, self.chunks = slot, slice(first, first + rows)
        self._bits = bits
        self._rows_a_block = max(1, CHUNK // self._width)
        scratch = torch.empty(2, self._rows_a_block, self._width, device=device)
        self._values, self._scaled = scratch
        self._noise = make_noise(SHIFTS + self._scaled.numel(), device)
        self._fine = torch.zeros(rows, self._width, dtype=torch.int32, device=device)
        self._blocks: list[tuple[Tensor, ...]] = []
        self._sweeps: Sweeps | None = None
        self.outliers = Outliers(rows, self._width, bits, device)

    def use(self, sweeps: Sweeps) -> None:
        """Take compiled loops, which give the same bits.

        Args:
            sweeps: the loops.
        """
        self._sweeps = sweeps

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

    def begin_pass(self, exponents: Tensor, depths: Tensor, start: int) -> None:
        """Take the rows' exponents.

        Args:
            exponents: int32 [rows].
            depths: bits between the two grids of each row, int32 [rows].
            start: what the elements of the sum begin with.
        """
        self._start = start
        self._exponents, self._fines = exponents, exponents - depths
        self._scales, self._limits = powers(self._bits - exponents), powers(exponents)
        self._fine_scales = powers(self._bits - self._fines)
        self._fine_limits = powers(self._fines)
        self.outliers.clear()

    def add(self, gradient: Tensor, largest: Tensor, *, first: bool) -> None:
        """Add a lane's gradient; the bits of `ROUNDER` are added too.

        Args:
            gradient: float32 or bfloat16, [rows * width].
            largest: magnitude of the largest element of each row, float32 [rows], overwritten.
            first: of the lanes of the pass; sums are overwritten.
        """
        table, start = gradient.view(-1, self._width), self._start if first else None
        if self._sweeps is not None:
            noise = self._noise_from(self._sweeps.look_at_rows(table, largest))
            coarse = Grid(self._scales, self._limits, self._total)
            fine = Grid(self._fine_scales, self._fine_limits, self._fine)
            if not self._sweeps.add_rows(table, largest, coarse, fine, noise, start):
                return
        else:
            self._add_by_blocks(table, largest, start)
        rows = (largest.isfinite() & (largest >= self._limits)).nonzero().squeeze(1)
        if rows.numel():
            values, needs = table[rows].to(torch.float32), needs_of(largest[rows])
            self.outliers.add(rows, values, self._exponents[rows], needs)

    def leave_alone(self) -> None:
        """Set both sums to what they begin with: no lane has touched the table."""
        for sums in (self._total, self._fine):
            sums.fill_(self._start)

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
        is_fine = self._is_fine(needs)
        if self._sweeps is not None:
            self._sweeps.take_rows(is_fine, self._fine, self._total)
        else:
            torch.where(is_fine.unsqueeze(1), self._fine, self._total, out=self._total)

    def _is_fine(self, needs: Tensor) -> Tensor:
        return needs[self.chunks] <= self._fines

    def _noise_from(self, bits: int) -> Tensor:
        """Return the noise of a lane for one block.

        Args:
            bits: sum of the largest elements of the lane's rows, each taken for an int32.
        """
        shift = bits % SHIFTS
        return self._noise[shift : shift + self._scaled.numel()].view_as(self._scaled)

    def _add_by_blocks(self, table: Tensor, largest: Tensor, start: int | None) -> None:
        self._look(table, largest)
        coarse = self._scales * (largest < self._limits)
        fine = self._fine_scales * (largest < self._fine_limits)
        noise = self._noise_from(int(largest.view(torch.int32).sum()))
        columns = (coarse.unsqueeze(1), fine.unsqueeze(1))
        parts = (each.split(self._rows_a_block) for each in (table, *columns))
        for part, *factors, block in zip(*parts, self._blocks, strict=True):
            *sums, values, scaled = block
            floats = part if part.dtype == torch.float32 else values.copy_(part)
            for factor, total in zip(factors, sums, strict=True):
                torch.addcmul(noise[: part.shape[0]], floats, factor, out=scaled)
                add_whole(scaled.add_(ROUNDER).view(torch.int32), start, total)

    def _look(self, table: Tensor, largest: Tensor) -> None:
        if table.dtype == torch.float32:
            torch.maximum(table.amax(1), -table.amin(1), out=largest)
            return
        blocks = (table.split(self._rows_a_block), largest.split(self._rows_a_block))
        for part, most, (_, _, values, _) in zip(*blocks, self._blocks, strict=True):
            values.copy_(part)
            torch.maximum(values.amax(1), -values.amin(1), out=most)
