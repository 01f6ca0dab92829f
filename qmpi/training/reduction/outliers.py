"""Rows of a table that do not fit their exponent in a lane, summed on grids of their own.

Theory of operation. The row of a rare token jumps by some 2**10 in the lane where the token
appears. Its exponent, set from the steps before, cannot know that. To redo the pass would cost a
step nearly every step, and a row scaled for the jump would lose all other lanes. So such a row of a
lane, an outlier, is left out of the dense sum and added on a coarser grid: that of level n is n *
`STEP` bits above the row's own, and the level is the lowest that fits. Which grid a lane's row goes
to follows from that lane's gradient and the state alone, so the deal does not matter; sums of
integers on each grid know no order; and the total is one fixed expression of them.

Members hold different outliers. From the needs that they have agreed, all know the highest level of
each row; every level up to it gets a place on the wire, in the order of rows, zero where a member
has nothing. There are places for a part of the rows only. That there are too many, or one too high,
follows from the agreed needs too, and then the pass is redone with higher exponents. A member that
alone has more than there are places can stop keeping them: those that it knows are a part of those
that all will know.

Binned sums, whose grids are fixed for all numbers instead, are due to Demmel and Nguyen (Parallel
Reproducible Summation, IEEE Transactions on Computers 64, 2015).
"""

import torch
from torch import Tensor

from qmpi.training.reduction.exponents import powers

STEP = 8
"""Bits between grids: an outlier's largest element loses fewer than this of a lane's bits."""

LEVELS = 4
"""Highest level: a jump of 2**32."""

ROWS_A_PLACE = 4
"""Rows of the table for each place on the wire."""

LEAST_PLACES = 64


def levels_of(excess: Tensor) -> Tensor:
    """Return the lowest level whose grid fits.

    Args:
        excess: by how many bits the row's exponent falls short, int32; 0 or less: it fits.

    Returns:
        int32 of the same shape; 0: the row's own grid.
    """
    return (excess.clamp(min=0) + (STEP - 1)) // STEP


class Outliers:
    """Outliers of one table that one member has seen in a pass."""

    def __init__(self, rows: int, width: int, bits: int, device: torch.device) -> None:
        """Keep none.

        Args:
            rows: of the table.
            width: elements of a row.
            bits: of a lane's integers.
            device: where gradients live.
        """
        self._width, self._bits, self._device = width, bits, device
        self.places = min(rows * LEVELS, max(LEAST_PLACES, rows // ROWS_A_PLACE))
        # By row and level: where the member's sum stands; -1: it has none.
        self._place = torch.full((rows * LEVELS,), -1, dtype=torch.int64, device=device)
        self._keys = torch.zeros(self.places, dtype=torch.int64, device=device)
        self._sums = self._empty(0)
        self._count = 0

    def clear(self) -> None:
        """Forget all: a pass begins."""
        self._place[self._keys[: self._count]] = -1
        self._sums[: self._count].zero_()
        self._count = 0

    def add(self, rows: Tensor, values: Tensor, exponents: Tensor, needs: Tensor) -> None:
        """Add outliers of one lane.

        Args:
            rows: which, int64 [n], each once.
            values: float32 [n, width].
            exponents: of the rows, int32 [n].
            needs: int32 [n], each above the exponent.
        """
        levels = levels_of(needs - exponents)
        if bool((levels > LEVELS).any()):
            return
        keys = rows * LEVELS + (levels - 1)
        if not self._make_places(keys):
            return
        scales = powers(self._bits - exponents - levels * STEP)
        whole = (values * scales.unsqueeze(1)).round_().to(torch.int32)
        self._sums.index_add_(0, self._place[keys], whole)

    def fit(self, levels: Tensor) -> bool:
        """Return whether the wire has room; the same on all members.

        Args:
            levels: the highest of each row in any lane, int32 [rows].
        """
        return int(levels.max()) <= LEVELS and int(levels.sum()) <= self.places

    def write(self, area: Tensor, levels: Tensor) -> int:
        """Lay the member's sums where all members expect them.

        Args:
            area: int32 [places * width], overwritten as far as it is used.
            levels: as `fit` has accepted them.

        Returns:
            Elements used.
        """
        used = int(levels.sum()) * self._width
        wire = area[:used].zero_().view(-1, self._width)
        keys = self._keys[: self._count]
        starts = levels.cumsum(0) - levels
        wire[starts[keys // LEVELS] + keys % LEVELS] = self._sums[: self._count]
        return used

    def _make_places(self, keys: Tensor) -> bool:
        fresh = keys[self._place[keys] < 0]
        count = self._count + fresh.numel()
        if count > self.places:
            return False
        if count > self._sums.shape[0]:
            more = min(self.places, 2 * count) - self._sums.shape[0]
            self._sums = torch.cat((self._sums, self._empty(more)))
        self._place[fresh] = torch.arange(self._count, count, device=self._device)
        self._keys[self._count : count] = fresh
        self._count = count
        return True

    def _empty(self, count: int) -> Tensor:
        return torch.zeros(count, self._width, dtype=torch.int32, device=self._device)


def add_outliers(mean: Tensor, dense: Tensor, wire: Tensor, levels: Tensor, units: Tensor) -> None:
    """Add the outliers of all members to the rows that have any.

    Args:
        mean: float32 [rows, width]; rows with outliers are overwritten.
        dense: sum of the rows that have outliers on their own grids, int32 [such rows, width].
        wire: sums on the coarser grids, int32 [sum of levels, width].
        levels: the highest of each row, int32 [rows].
        units: value of 1 on the rows' own grids, a power of two over the lanes, float64 [rows].
    """
    starts = levels.cumsum(0) - levels
    rows = levels.nonzero().squeeze(1)
    total = dense.to(torch.float64)
    for level in range(1, int(levels.max()) + 1):
        has = levels[rows] >= level
        coarse = wire[starts[rows[has]] + (level - 1)].to(torch.float64)
        # A float64 holds both parts whole, but for jumps that leave nothing of the finer one.
        total[has] += coarse * 2.0 ** (level * STEP)
    mean[rows] = (total * units[rows].unsqueeze(1)).to(torch.float32)
