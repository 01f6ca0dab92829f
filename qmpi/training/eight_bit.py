"""Moments of AdamW in eight bits, in blocks that share a scale.

Theory of operation. The largest magnitude of a block of `MOMENT_BLOCK` elements is its scale; an
element is stored as the number, of 256 between -1 and 1 (or 0 and 1), that is nearest to its share
of it. These numbers are dense where they are large and reach down to 10**-6: the further down, the
fewer digits (dynamic quantisation by blocks; Dettmers et al., arXiv 2110.02861). An update unpacks
moments into float32, works on them there, and packs what it has made; so only what is carried to
the next step is rounded.

To find the nearest number, a table is asked by the first 16 bits of the share: no two borders
between numbers lie within one of its entries, so one comparison settles the rest. That is exact,
and takes a twelfth of the time of a search.

A second moment that is not zero never becomes zero: it takes the smallest number that there is. In
a block it may be the share of a rare token beside a frequent one, and when that token's gradient is
exactly zero in a step, its first moment, which is stored still, would be divided by epsilon alone.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from qmpi.model.shape import MOMENT_BLOCK
from qmpi.training.flat_state import FlatState

CODES = 256
DECADES = 7
LEAST_SCALE = 1e-12
"""Scales of blocks are not smaller: the share of a zero is a zero."""

LEAST_SHARE = 2.0**-126
_HALF = 1 << 16


def code_values(*, signed: bool) -> Tensor:
    """Return the numbers that codes stand for, in rising order.

    Args:
        signed: half of them are negative.

    Returns:
        float32 [256]; 0 and 1 are among them, and none is beyond 1.
    """
    values = [0.0, 1.0]
    for decade in range(DECADES):
        count = 2**decade * (1 if signed else 2)
        borders = torch.linspace(0.1, 1, count + 1)
        middles = (borders[:-1] + borders[1:]) / 2.0
        shares: list[float] = (10.0 ** (decade - DECADES + 1) * middles).tolist()
        values += shares
        values += [-share for share in shares if signed]
    return torch.tensor(sorted(values), dtype=torch.float32)


@dataclass(frozen=True)
class Codes:
    """One set of 256 numbers, and what finds the nearest of them.

    Attributes:
        values: that codes stand for, float32 [256].
        borders: a share from `borders[c]` on is above code c; float32 [256], the last infinite.
        first: int32 [65536]: the code of the smallest share that begins with these 16 bits.
    """

    values: Tensor
    borders: Tensor
    first: Tensor

    @classmethod
    def make(cls, device: torch.device, *, signed: bool) -> "Codes":
        """Make the tables.

        Args:
            device: where moments live.
            signed: they may be negative.

        Returns:
            The tables.
        """
        values = code_values(signed=signed)
        wide = values.to(torch.float64)
        borders = ((wide[1:] + wide[:-1]) / 2).to(torch.float32)
        if not signed:
            borders[0] = LEAST_SHARE
        patterns = torch.arange(_HALF, dtype=torch.int32)
        # Of a negative number the smallest is the one whose other bits are all set.
        tails = (patterns >= _HALF // 2).to(torch.int32) * (_HALF - 1)
        ends = (patterns << 16) | tails
        smallest = torch.nan_to_num(ends.view(torch.float32), nan=0.0)
        first = torch.bucketize(smallest, borders, right=True, out_int32=True)
        ending = torch.tensor([float("inf")])
        tables = (values, torch.cat((borders, ending)), first)
        return cls(*(table.to(device) for table in tables))

    def pack(self, values: Tensor, codes: Tensor, scales: Tensor) -> None:
        """Store moments.

        Args:
            values: float32 [blocks * MOMENT_BLOCK]; overwritten.
            codes: uint8, likewise; takes the codes.
            scales: float32 [blocks]; takes the scales.
        """
        blocks = values.view(-1, MOMENT_BLOCK)
        torch.amax(blocks.abs(), dim=1, out=scales)
        scales.clamp_(min=LEAST_SCALE)
        blocks.div_(scales.unsqueeze(1))
        begun = (values.view(torch.int32) >> 16).bitwise_and_(_HALF - 1)
        found = self.first.index_select(0, begun)
        found += values >= self.borders.index_select(0, found)
        codes.copy_(found)

    def unpack(self, codes: Tensor, scales: Tensor) -> Tensor:
        """Return moments.

        Args:
            codes: uint8 [blocks * MOMENT_BLOCK].
            scales: float32 [blocks].

        Returns:
            float32, like the codes.
        """
        values = self.values.index_select(0, codes.to(torch.int32))
        values.view(-1, MOMENT_BLOCK).mul_(scales.unsqueeze(1))
        return values


class EightBit:
    """The moments of a state that are in eight bits."""

    def __init__(self, device: torch.device) -> None:
        """Make the tables.

        Args:
            device: where the state lives.
        """
        self._codes = tuple(Codes.make(device, signed=signed) for signed in (True, False))

    def take(self, stored: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Return first and second moments in float32.

        Args:
            stored: from `stored_moments`.
        """
        first, second, first_scales, second_scales = stored
        of_first, of_second = self._codes
        return of_first.unpack(first, first_scales), of_second.unpack(second, second_scales)

    def put(self, stored: tuple[Tensor, ...], moments: tuple[Tensor, ...]) -> None:
        """Store first and second moments.

        Args:
            stored: from `stored_moments`; takes them.
            moments: float32; overwritten.
        """
        parts = zip(self._codes, stored[:2], stored[2:], moments, strict=True)
        for kind, codes, scales, values in parts:
            kind.pack(values, codes, scales)


def stored_moments(state: FlatState, run: slice) -> tuple[Tensor, ...]:
    """Return a run's moments as they are stored.

    Args:
        state: that has them.
        run: whole blocks.

    Returns:
        Codes of first and second moments, uint8 [n]; their scales, float32 [n / MOMENT_BLOCK].
    """
    return state.moments(run).stored(run)
