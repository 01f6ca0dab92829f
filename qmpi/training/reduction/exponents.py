"""How exponents follow gradients: what a chunk needs, how much is kept spare, when it changes.

Theory of operation. An exponent is set before the gradient is known, from what the chunk needed in
the steps before. A chunk of a matrix that needs more costs a pass done again, so a choice between
precision and time is made: with one spare bit, real text made every second pass of the first steps
overflow; with five, a chunk must grow more than eightfold in one step. A row of a table that needs
more costs next to nothing (see `outliers`), so it keeps fewer bits spare, and more precision.

A chunk that is zero in all lanes says nothing: its exponent stays. The first update has no past, so
all exponents are set from what it needed.
"""

import torch
from torch import Tensor

from qmpi.config.exact_sum import MOST_SPARE
from qmpi.training.flat_state import Layout

FLOOR = -96
"""Smallest exponent: its scale and the inverse are normal float32 numbers for any bits."""

NOT_FINITE = 1 << 20
"""Needed exponent of a gradient with an infinity or a NaN."""

SPARE, TABLE_SPARE = 5, 2
"""Bits between the largest element seen and the largest that fits, when an exponent is set."""

LEAST_SPARE, TABLE_LEAST_SPARE = 3, 0
"""With fewer the exponent is set anew."""

TABLE_MOST_SPARE = 5
"""With more the exponent of a row falls; of other chunks with more than `MOST_SPARE`."""

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

    def __init__(self, layout: Layout, device: torch.device) -> None:
        """Spread the rules over the chunks.

        Args:
            layout: of the parameters.
            device: where exponents live.
        """
        counts = torch.tensor([slot.chunks for slot in layout.slots])
        is_table = torch.tensor([slot.is_table for slot in layout.slots]).repeat_interleave(counts)
        self._spare, self._least, self._most = (
            torch.where(is_table, of_table, other).to(torch.int32).to(device)
            for of_table, other in (
                (TABLE_SPARE, SPARE),
                (TABLE_LEAST_SPARE, LEAST_SPARE),
                (TABLE_MOST_SPARE, MOST_SPARE),
            )
        )

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
        anew = needs + self._spare
        lower = torch.where(spare > self._most, now - 1, now)
        following = anew if first else torch.where(spare < self._least, anew, lower)
        return torch.where(needs > FLOOR, following, now).clamp_(min=FLOOR)
