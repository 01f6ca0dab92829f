"""How exponents follow gradients: what a chunk needs, how much is kept spare, when it changes.

Theory of operation. An exponent is set before the gradient is known, from what the chunk needed in
the steps before. What may be spare depends on the bits that lanes leave. A chunk of a matrix
changes little from step to step; with more spare than may be, its exponent falls one bit a step. A
row of a table has a finer grid below its own (see `table`), so twice as much may be spare; since
it jumps, its exponent falls at once to where that holds. An exponent that leaves too little spare
is set anew: a chunk's before a pass must be redone, a row's when it has been an outlier, which
costs little.

A chunk that is zero in all lanes says nothing: its exponent stays. The first update has no past,
and gradients change fastest after it, so more is kept spare, though for rows not all that may be:
those that were there will shrink.
"""

import torch
from torch import Tensor

from qmpi.training.flat_state import Layout

FLOOR = -90
"""Smallest exponent: its scale and the inverse are normal float32 numbers for any bits."""

NOT_FINITE = 1 << 20
"""Needed exponent of a gradient with an infinity or a NaN."""

TABLE_SPARE = 2
"""Bits that are spare when the exponent of a row is set anew."""

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


class Margins:
    """How many bits each chunk keeps spare."""

    def __init__(self, layout: Layout, room: int, depth: int, device: torch.device) -> None:
        """Spread the rules over the chunks.

        Args:
            layout: of the parameters.
            room: bits that lanes leave to be spare, >= 4.
            depth: bits between the two grids of a row, >= 1.
            device: where exponents live.
        """
        counts = torch.tensor([slot.chunks for slot in layout.slots])
        is_table = torch.tensor([slot.is_table for slot in layout.slots]).repeat_interleave(counts)
        most = min(room, MOST_SPARE)
        self._depth = depth
        self._is_table = is_table.to(device)
        self._most, self._spare = (
            torch.where(is_table, of_rows, other).to(torch.int32).to(device)
            for of_rows, other in ((2 * depth, most), (TABLE_SPARE, most - 2))
        )
        self._least = self._spare - 2

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
