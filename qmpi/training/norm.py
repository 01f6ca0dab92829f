"""The norm of a flat gradient, as right for a hundred billion elements as for ten.

Theory of operation. One float32 sum of squares over the whole buffer drops what is small beside the
sum so far: 9 % were lost at 512 M elements. So the buffer is cut into pieces, each has a float32
norm, and their squares are added in float64. Pieces and order are fixed, thus the same on every
member; the error does not grow with the number of pieces.
"""

import torch
from torch import Tensor

PIECE = 65_536
"""Elements of a piece: its float32 norm is right to some 1e-6."""


def global_norm(flat: Tensor) -> float:
    """Return the Euclidean norm.

    Args:
        flat: float32, contiguous, one dimension.

    Returns:
        The norm; infinite or NaN if an element is, or if a piece's squares overflow.
    """
    return float(norm_of(flat))


def norm_of(flat: Tensor) -> Tensor:
    """Return the norm where the gradient lives.

    Args:
        flat: float32 or bfloat16, contiguous, one dimension.

    Returns:
        float64, a scalar; as `global_norm`.
    """
    whole, exact = flat.numel() // PIECE * PIECE, torch.float32
    norms = [torch.linalg.vector_norm(flat[:whole].view(-1, PIECE), dim=1, dtype=exact)]
    if whole < flat.numel():
        norms.append(torch.linalg.vector_norm(flat[whole:], dtype=exact).view(1))
    return torch.linalg.vector_norm(torch.cat(norms), dtype=torch.float64)
