"""Integers of which most are zero, as few bytes.

Theory of operation. Of each integer that is not zero two bytes are told: how many elements lie
between it and the one before, and its value. Where either does not fit a byte there are more
entries: one of value zero goes on by `STRIDE` elements, one at distance zero adds to the value.
"""

import torch
from torch import Tensor

STRIDE = 255
"""Elements that an entry goes on at most."""

MOST = 127
"""Largest magnitude of an entry's value."""


def entries_of(total: Tensor) -> Tensor:
    """Write down what is not zero.

    Args:
        total: int32, flat.

    Returns:
        int16 [entries]: distance in the lower byte, value in the upper one.
    """
    places = total.nonzero().squeeze(1)
    if not places.numel():
        return total.new_zeros(0, dtype=torch.int16)
    values, gaps = total[places].to(torch.int64), places.diff(prepend=places.new_zeros(1))
    strides, parts = gaps // STRIDE, (values.abs() + MOST - 1) // MOST
    counts = strides + parts
    number = torch.arange(len(places), device=places.device).repeat_interleave(counts)
    begins = (counts.cumsum(0) - counts)[number]
    at = torch.arange(len(number), device=places.device) - begins - strides[number]
    distances = torch.where(at < 0, STRIDE, torch.where(at == 0, (gaps % STRIDE)[number], 0))
    left = (values.abs()[number] - MOST * at).clamp(max=MOST)
    told = torch.where(at < 0, 0, left * values.sign()[number])
    return (distances + (told << 8)).to(torch.int16)


def add_entries(total: Tensor, entries: Tensor) -> None:
    """Add what is written down.

    Args:
        total: int32, flat, in place.
        entries: int16, as `entries_of` returned them.
    """
    both = entries.to(torch.int64)
    total.index_add_(0, (both & 0xFF).cumsum(0), (both >> 8).to(torch.int32))
