"""How tensors are cut: large ones for the way, and all into the parts of members."""

from collections.abc import Sequence

import torch
from torch import Tensor

PIECE_BYTES = 32 * 2**20
"""Large tensors travel in pieces, in order, so that little is left behind after an abort."""


def pieces(tensor: Tensor) -> tuple[Tensor, ...]:
    """Return views of at most `PIECE_BYTES` that make up a contiguous tensor."""
    return tensor.view(-1).split(PIECE_BYTES // tensor.element_size())


def as_bytes(tensor: Tensor) -> Tensor:
    """Return a view of a contiguous tensor as bytes, since not all types can travel as they are."""
    return tensor.view(-1).view(torch.uint8)


def even_counts(rows: int, members: int) -> tuple[int, ...]:
    """Deal rows to members as evenly as can be; the first have one more.

    Args:
        rows: >= 0.
        members: >= 1.

    Returns:
        Rows of each member, in order of index.
    """
    least, more = divmod(rows, members)
    return tuple(least + (member < more) for member in range(members))


def sum_in_order(parts: Sequence[Tensor]) -> Tensor:
    """Add up tensors in a fixed order: ((p0 + p1) + p2) + ...

    Args:
        parts: of one shape and type; at least one. They stay as they are.

    Returns:
        Their sum, of their type; bfloat16 is summed in float32 and rounded once.
    """
    first = parts[0]
    total = first.float() if first.dtype == torch.bfloat16 else first.clone()
    for part in parts[1:]:
        total += part
    return total.to(first.dtype)
