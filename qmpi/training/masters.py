"""Weights in bfloat16: what an update gives is rounded up or down by chance, so none is lost.

Theory of operation. An update is mostly smaller than half of bfloat16's last digit of the weight;
rounded to nearest it would change nothing, step after step. Rounded up with the probability of its
distance from below it is right on average. The chance is none: sixteen bits are a hash of the run's
seed, the step and the element's number, so every member rounds alike, and so does whoever resumes.

Those bits are added to a float32's last sixteen, which are then cut off: what is carried over
rounds the magnitude up. Numbers that bfloat16 holds stay as they are, zero among them.
"""

import itertools
from hashlib import blake2b

import torch
from torch import Tensor

PIECES = {"cpu": 1 << 16, "cuda": 1 << 24}
"""Elements that are updated at a time: in float32 they stay in a core's cache; a GPU wants many.
Pieces begin at multiples, so that none crosses one of the 2**32 elements that a pair of keys is
for; their size has no part in the bits."""

CHANCES = 1 << 16

_KEPT = -65_536
"""The upper sixteen bits, as an int32."""

_MULTIPLIERS = (0x7FEB352D, 0x846CA68B - (1 << 32))
"""Of Wellons' hash of 32 bits ("lowbias32"), as int32."""


def pieces(start: int, stop: int, size: int) -> list[slice]:
    """Cut a run of elements at the multiples of a size.

    Args:
        start: first element.
        stop: behind the last.
        size: of a piece, a power of two.

    Returns:
        Slices in order, none empty.
    """
    cuts = [start, *range((start // size + 1) * size, stop, size), stop]
    return [slice(a, b) for a, b in itertools.pairwise(cuts) if a < b]


def keys(seed: int, step: int, high: int) -> tuple[int, int]:
    """Return two int32 that stand for a run's step and 2**32 elements.

    Args:
        seed: of the run.
        step: that is applied.
        high: the element's number without its last 32 bits.
    """
    raw = blake2b(f"{seed}/{step}/{high}".encode(), digest_size=8, person=b"masters").digest()
    return tuple(int.from_bytes(raw[at : at + 4], "little", signed=True) for at in (0, 4))  # pyright: ignore[reportReturnType]


class Rounder:
    """Rounds float32 to bfloat16 by the numbers of elements."""

    def __init__(self, seed: int, device: torch.device) -> None:
        """Prepare.

        Args:
            seed: of the run.
            device: where the weights live.
        """
        self._seed = seed
        size = PIECES[device.type]
        self._count = torch.arange(size, dtype=torch.int32, device=device)

    def put(self, values: Tensor, step: int, start: int, out: Tensor) -> None:
        """Round a piece.

        Args:
            values: float32 [n], of one piece, finite; overwritten.
            step: that is applied.
            start: number of the first element.
            out: bfloat16 [n]; takes the values.
        """
        bits = values.view(torch.int32)
        bits.add_(self.chances(step, start, values.numel())).bitwise_and_(_KEPT)
        out.copy_(values)

    def chances(self, step: int, start: int, count: int) -> Tensor:
        """Return sixteen bits for each element of a piece.

        Args:
            step: that is applied.
            start: number of the first element.
            count: of elements, those of a piece at most.

        Returns:
            int32 [count], 0 <= value < 2**16.
        """
        first, second = keys(self._seed, step, start >> 32)
        low = (start + first + 2**31) % 2**32 - 2**31
        x = self._count[:count] + low
        for multiplier, shift, key in zip(_MULTIPLIERS, (16, 15), (second, 0), strict=True):
            x.bitwise_xor_((x >> shift).bitwise_and_((1 << (32 - shift)) - 1))
            x.mul_(multiplier).bitwise_xor_(key)
        return (x >> 16).bitwise_and_(CHANCES - 1)
