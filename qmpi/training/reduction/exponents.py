"""How exponents follow gradients: what a chunk needs, how much is kept spare, when it changes.

Theory of operation. An exponent is set before the gradient is known, from what the chunk needed in
the steps before. What may be spare depends on the bits that lanes leave. A chunk of a matrix
changes little from step to step; with more spare than may be, its exponent falls one bit a step. A
row of a table has a finer grid below its own (see `table`), so twice as much may be spare; since
it jumps, its exponent falls at once to where that holds. An exponent that leaves too little spare
is set anew: a chunk's before a pass must be redone, a row's when it has been an outlier, which
costs little.

A row is lifted when its exponent rises, because its token is there. When the token is gone again it
shrinks by far more than lies between the grids of other rows; so the finer grid of a lifted row is
as deep as that, where many lanes leave others less. That a row is lifted is kept in the state as a
mark on its exponent.

A chunk that is zero in all lanes says nothing: its exponent stays. The first update has no past,
and gradients change fastest after it, so more is kept spare, though for rows not all that may be:
those that were there will shrink.
"""

import torch
from torch import Tensor

from qmpi.config.exact_sum import DEEP_ROWS
from qmpi.training.flat_state import Layout

FLOOR = -90
"""Smallest exponent: its scale and the inverse are normal float32 numbers for any bits."""

NOT_FINITE = 1 << 20
"""Needed exponent of a gradient with an infinity or a NaN."""

MARK = 1 << 12
"""Added in the state to the exponent of a lifted row."""

MOST_SPARE = 7
"""Bits of a chunk of a matrix that may be spare: more would keep no pass from being redone."""

_BIAS, _MANTISSA_BITS, _INFINITE = 127, 23, 128


def powers(exponents: Tensor) -> Tensor:
    """Return powers of two, to the last bit.

    Args:
        exponents: int32, each at least -126; from 128 on the power is infinite.

    Returns:
        float32, of the same shape.
    """
    biased = exponents.clamp(max=_INFINITE) + _BIAS
    return (biased << _MANTISSA_BITS).view(torch.float32)


def needs_of(largest: Tensor) -> Tensor:
    """Return the exponents that largest elements need: each is below 2 ** need.

    Args:
        largest: float32, magnitudes.

    Returns:
        int32 of the same shape, from `FLOOR`; `NOT_FINITE` for infinities and NaNs.
    """
    needs = torch.frexp(largest)[1].to(torch.int32).clamp_(min=FLOOR)
    needs[largest == 0] = FLOOR
    needs[~largest.isfinite()] = NOT_FINITE
    return needs


def unmarked(kept: Tensor) -> tuple[Tensor, Tensor]:
    """Take exponents out of the state.

    Args:
        kept: int32 [chunks].

    Returns:
        The exponents, and which are of lifted rows.
    """
    lifted = kept > MARK // 2
    return torch.where(lifted, kept - MARK, kept), lifted


class Margins:
    """How many bits each chunk keeps spare."""

    def __init__(
        self, layout: Layout, room: int, depth: int, row_spare: int, device: torch.device
    ) -> None:
        """Spread the rules over the chunks.

        Args:
            layout: of the parameters.
            room: bits that lanes leave to be spare, >= 4.
            depth: bits between the two grids of a row, >= 1.
            row_spare: bits that are spare when the exponent of a row is set anew.
            device: where exponents live.
        """
        counts = torch.tensor([slot.chunks for slot in layout.slots])
        is_table = torch.tensor([slot.is_table for slot in layout.slots]).repeat_interleave(counts)
        most = min(room, MOST_SPARE)
        self._depth = depth
        self._is_table = is_table.to(device)
        self._most, self._spare = (
            torch.where(is_table, of_rows, other).to(torch.int32).to(device)
            for of_rows, other in ((2 * depth, most), (row_spare, most - 2))
        )
        self._least = (self._spare - 2).clamp_(min=0)

    def depths(self, lifted: Tensor) -> Tensor:
        """Return the bits between the two grids of each chunk, if it is a row; int32 [chunks].

        Args:
            lifted: which rows are, bool [chunks].
        """
        deeper = max(DEEP_ROWS - self._depth, 0)
        return lifted.to(torch.int32) * deeper + self._depth

    def marked(self, begun: Tensor, needs: Tensor, lifted: Tensor, following: Tensor) -> Tensor:
        """Return what the state keeps: the exponents of the next step, those of lifted rows marked.

        Args:
            begun: exponents that the step began with, int32 [chunks].
            needs: the largest of any lane, int32 [chunks].
            lifted: which rows were, bool [chunks].
            following: exponents of the next step, int32 [chunks].
        """
        if self._depth >= DEEP_ROWS:
            return following
        near = (begun - needs <= self._depth) | (needs == FLOOR)
        stays = lifted & near & (following == begun)
        lifted = self._is_table & ((following > begun) | stays)
        return following + lifted.to(torch.int32) * MARK

    def raised(self, now: Tensor, needs: Tensor, over: Tensor) -> Tensor:
        """Return exponents for a pass that is done again.

        Args:
            now: int32 [chunks].
            needs: the largest of any lane, int32 [chunks].
            over: bool [chunks]: which are to fit the next time.
        """
        return torch.where(over, needs + self._spare, now)

    def following(self, now: Tensor, needs: Tensor, *, first: bool) -> Tensor:
        """Return the exponents of the next step.

        Args:
            now: int32 [chunks].
            needs: the largest of any lane, int32 [chunks].
            first: of the run's updates.
        """
        spare = now - needs
        highest = needs + self._most
        lower = torch.where(self._is_table, highest, now - 1)
        following = torch.where(spare > self._most, lower, now)
        following = torch.where(spare < self._least, needs + self._spare, following)
        if first:
            following = torch.where(self._is_table, needs + self._depth, highest)
        return torch.where(needs > FLOOR, following, now).clamp_(min=FLOOR)
