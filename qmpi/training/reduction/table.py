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
        self._rounder = torch.full_like(self._scratch, ROUNDER)
        self._blocks: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        self.outliers = Outliers(rows, self._width, bits, device)

    def renew(self, total: Tensor) -> None:
        """Take the memory of the sum.

        Args:
            total: int32 [rows * width].
        """
        # A view made anew for each block and lane would take as long as the work on it.
        self._blocks = [
            (sums, scaled, scaled.view(torch.int32), self._rounder[: sums.shape[0]])
            for sums in total.view(-1, self._width).split(self._rows_a_block)
            for scaled in (self._scratch[: sums.shape[0]],)
        ]

    def begin_pass(self, exponents: Tensor) -> None:
        """Take the rows' exponents.

        Args:
            exponents: int32 [rows].
        """
        self._exponents = exponents
        self._scales, self._limits = powers(self._bits - exponents), powers(exponents)
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
        parts = table.split(self._rows_a_block)
        factors = (self._scales * fits).unsqueeze(1).split(self._rows_a_block)
        for part, factor, (sums, scaled, whole, rounder) in zip(
            parts, factors, self._blocks, strict=True
        ):
            values = part if part.dtype == torch.float32 else scaled.copy_(part)
            torch.addcmul(rounder, values, factor, out=scaled)
            sums.add_(whole)
        rows = (largest.isfinite() & ~fits).nonzero().squeeze(1)
        if rows.numel():
            values, needs = table[rows].to(torch.float32), needs_of(largest[rows])
            self.outliers.add(rows, values, self._exponents[rows], needs)

    def levels(self, needs: Tensor) -> Tensor:
        """Return the highest level of each row, int32 [rows], from the needs of all lanes."""
        return levels_of(needs[self.chunks] - self._exponents)

    def _look(self, table: Tensor, largest: Tensor) -> None:
        if table.dtype == torch.float32:
            torch.maximum(table.amax(1), -table.amin(1), out=largest)
            return
        blocks = (table.split(self._rows_a_block), largest.split(self._rows_a_block))
        for part, most, (_, scaled, _, _) in zip(*blocks, self._blocks, strict=True):
            values = scaled.copy_(part)
            torch.maximum(values.amax(1), -values.amin(1), out=most)
