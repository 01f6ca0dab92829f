"""A lane's gradient of a table of tokens becomes integers, each row on its own grid."""

import torch
from torch import Tensor

from qmpi.training.flat_state import CHUNK, Slot
from qmpi.training.reduction.exponents import needs_of, powers
from qmpi.training.reduction.outliers import Outliers, levels_of

ROUNDER = 1.5 * 2.0**23
"""Added in float32 to a number of at most 2**22 it leaves, in its last bits, the number rounded."""


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
        self._scratch = torch.empty(self._rows_a_block, self._width, device=device)
        self.outliers = Outliers(rows, self._width, bits, device)

    def begin_pass(self, exponents: Tensor) -> None:
        """Take the rows' exponents.

        Args:
            exponents: int32 [rows].
        """
        self._exponents = exponents
        self._scales, self._limits = powers(self._bits - exponents), powers(exponents)
        self.outliers.clear()

    def add(self, gradient: Tensor, total: Tensor, lows: Tensor, highs: Tensor) -> None:
        """Add a lane's gradient.

        Args:
            gradient: float32 or bfloat16, [rows * width].
            total: int32 [rows * width]; the bits of `ROUNDER` are added too.
            lows: smallest element of each row, float32 [rows], overwritten.
            highs: the largest.
        """
        table = gradient.view(-1, self._width)
        blocks = (table, total.view_as(table), lows, highs, self._scales, self._limits)
        for block in zip(*(each.split(self._rows_a_block) for each in blocks), strict=True):
            self._add_block(*block)
        largest = torch.maximum(highs, -lows)
        rows = ((largest >= self._limits) & largest.isfinite()).nonzero().squeeze(1)
        if rows.numel():
            values, needs = table[rows].to(torch.float32), needs_of(largest[rows])
            self.outliers.add(rows, values, self._exponents[rows], needs)

    def levels(self, needs: Tensor) -> Tensor:
        """Return the highest level of each row, int32 [rows], from the needs of all lanes."""
        return levels_of(needs[self.chunks] - self._exponents)

    def _add_block(
        self,
        part: Tensor,
        total: Tensor,
        lows: Tensor,
        highs: Tensor,
        scales: Tensor,
        limits: Tensor,
    ) -> None:
        scaled = self._scratch[: part.shape[0]]
        values = part if part.dtype == torch.float32 else scaled.copy_(part)
        torch.amin(values, 1, out=lows)
        torch.amax(values, 1, out=highs)
        fits = torch.maximum(highs, -lows) < limits
        torch.mul(values, (scales * fits).unsqueeze(1), out=scaled)
        total.add_(scaled.add_(ROUNDER).view(torch.int32))
