"""Bases of a few columns: stacked in one buffer, made orthonormal, drawn where they are zero."""

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

LEAST_SHARE = 1e-5
"""A column of which less is left without the directions of those before it is dropped: what is left
is rounding."""

HASHED = 1_000_003


class Stacked:
    """Narrow matrices one behind the other in a buffer.

    Attributes:
        size: elements of all.
    """

    def __init__(self, rows: Sequence[int], rank: int) -> None:
        """Lay them out.

        Args:
            rows: of each.
            rank: columns of each.
        """
        self._ends, self._rank = list(accumulate((each * rank for each in rows), initial=0)), rank
        self.size = self._ends[-1]

    def views(self, flat: Tensor) -> list[Tensor]:
        """Return the matrices.

        Args:
            flat: begins with them.

        Returns:
            Views, each [rows, rank].
        """
        ends = zip(self._ends, self._ends[1:], strict=False)
        return [flat[begin:end].view(-1, self._rank) for begin, end in ends]


def orthonormal(columns: Tensor) -> Tensor:
    """Make columns orthonormal, in their order (Gram and Schmidt, each twice, in float64).

    Args:
        columns: [rows, rank], finite.

    Returns:
        float32 [rows, rank]; zero where a column has no direction of its own.
    """
    made = columns.to(torch.float64)
    for number in range(made.shape[1]):
        column, before = made[:, number], made[:, :number]
        size = column.norm()
        for _ in range(2):
            column -= before @ (before.T @ column)
        left = column.norm()
        if bool(left <= LEAST_SHARE * size):
            column.zero_()
        else:
            column /= left
    return made.to(torch.float32)


def revived(columns: Tensor, seed: int) -> Tensor:
    """Give columns norm 1, and draw those that are zero.

    Args:
        columns: float32 [rows, rank], finite.
        seed: of what is drawn.

    Returns:
        float32 [rows, rank]; the same for the same bits, on a CPU and on a GPU.
    """
    sizes = columns.norm(dim=0)
    dead = sizes == 0
    if bool(dead.any()):
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randn(columns.shape, generator=generator).to(columns.device)
        columns = torch.where(dead, drawn, columns)
        sizes = columns.norm(dim=0)
    return columns / sizes


def seed_of(*numbers: int) -> int:
    """Return a seed that differs where numbers do.

    Args:
        numbers: each >= 0.
    """
    seed = 0
    for number in numbers:
        seed = (seed * HASHED + number + 1) % 2**62
    return seed
