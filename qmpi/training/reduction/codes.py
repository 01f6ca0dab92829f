"""Integers of which most are zero, in as few bits as small numbers take.

Theory of operation. Of each integer that is not zero two numbers are told: how many elements lie
between it and the one before, and its value, with the sign in the lowest bit. Both are mostly
small, so each is written in Golomb's exponential code (Teuhola, 1978): 2**order is added, the bits
behind the leading 1 are written down, and in unary how many more than `order` these are. The unary
parts of all numbers stand together, so that all numbers can be read at once.
"""

from typing import NamedTuple

import torch
from torch import Tensor

GAP_ORDER, VALUE_ORDER = 1, 3
"""Bits of the shortest codes: of elements between, and of values."""

MOST_BITS = 40
"""Of a number: as many elements lie between two at most."""


class Written(NamedTuple):
    """Integers that are written down.

    Attributes:
        unary: how long each number is, gaps before values; uint8 [bytes].
        bits: the numbers; uint8 [bytes].
    """

    unary: Tensor
    bits: Tensor


def write(total: Tensor) -> Written:
    """Write down what is not zero.

    Args:
        total: int32, flat.

    Returns:
        Bytes from which `add` reads it.
    """
    places = total.nonzero().squeeze(1)
    values = total[places].to(torch.int64)
    gaps = places.diff(prepend=places.new_full((1,), -1)) - 1
    orders = _orders(len(places), total.device)
    numbers = torch.cat((gaps, 2 * (values.abs() - 1) + (values < 0))) + (1 << orders)
    powers = 1 << torch.arange(1, MOST_BITS, device=total.device)
    lengths = torch.searchsorted(powers, numbers, right=True)
    ends = (lengths - orders + 1).cumsum(0)
    unary = torch.zeros(int(ends[-1]) if len(ends) else 0, dtype=torch.uint8, device=total.device)
    unary[ends - 1] = 1
    owners, offsets = _spread(lengths)
    return Written(_packed(unary), _packed(((numbers[owners] >> offsets) & 1).to(torch.uint8)))


def add(total: Tensor, written: Written) -> None:
    """Add what is written down.

    Args:
        total: int32, flat, in place.
        written: as `write` returned it.
    """
    ends = _unpacked(written.unary).nonzero().squeeze(1)
    orders = _orders(len(ends) // 2, total.device)
    lengths = ends.diff(prepend=ends.new_full((1,), -1)) - 1 + orders
    owners, offsets = _spread(lengths)
    bits = _unpacked(written.bits)[: len(owners)].to(torch.int64)
    numbers = (1 << lengths) - (1 << orders)
    gaps, signed = numbers.index_add(0, owners, bits << offsets).view(2, -1)
    values = (signed // 2 + 1) * (1 - 2 * (signed % 2))
    total.index_add_(0, (gaps + 1).cumsum(0) - 1, values.to(torch.int32))


def _orders(count: int, device: torch.device) -> Tensor:
    return torch.tensor((GAP_ORDER, VALUE_ORDER), device=device).repeat_interleave(count)


def _spread(lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return of each bit which number it is of, and its place in that, from the lowest on."""
    owners = torch.arange(len(lengths), device=lengths.device).repeat_interleave(lengths)
    begins = (lengths.cumsum(0) - lengths)[owners]
    return owners, torch.arange(len(owners), device=lengths.device) - begins


def _packed(bits: Tensor) -> Tensor:
    """Return bytes of eight bits each, the last filled up with zeros."""
    padded = torch.nn.functional.pad(bits, (0, -len(bits) % 8)).view(-1, 8)
    weights = 1 << torch.arange(8, device=bits.device)
    return (padded * weights).sum(1).to(torch.uint8)


def _unpacked(packed: Tensor) -> Tensor:
    """Return the bits of bytes; uint8, each 0 or 1."""
    places = torch.arange(8, dtype=torch.uint8, device=packed.device)
    return ((packed.unsqueeze(1) >> places) & 1).view(-1)
