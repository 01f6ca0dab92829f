"""The nearest matrix with orthonormal rows, roughly, for many matrices of one shape at once.

Theory of operation. An odd polynomial of a matrix acts on its singular values alone. A few of
degree five, one after the other, take every value from 1 down to `LEAST` to nearly 1 and leave the
singular vectors as they are (Newton and Schulz; for momentum, Jordan et al., "Muon", 2024). Each
costs three products, which are batched over the matrices.

The coefficients are the best ones for the interval that is left at each step, by minimising the
largest error over it ("Polar Express", Amsel et al., arXiv 2505.16932): with `LEAST` = 0.03, three
steps end between 0.964 and 1.036. Jordan's five steps of one polynomial end between 0.68 and 1.13.
Values below `LEAST` grow by 40 times and stay short.
"""

import torch
from torch import Tensor

LEAST = 0.03
"""Singular values from here to 1 come out near 1, as shares of the Frobenius norm."""

POLAR = (
    (7.3625, -20.7434, 15.1606),
    (2.9175, -2.1824, 0.4755),
    (2.0463, -1.4295, 0.3934),
)
"""Coefficients of x, x^3, x^5 of each step."""

JORDAN = ((3.4445, -4.7750, 2.0315),) * 5
"""Those of the first Muon, for comparison."""

TINY = 1e-7
"""Added to the norm: a matrix of zeros stays one."""


def orthogonalise(stack: Tensor, steps: tuple[tuple[float, float, float], ...] = POLAR) -> Tensor:
    """Take the singular values of matrices to about 1.

    Args:
        stack: [N, rows, cols], rows <= cols, in the type that is computed in; overwritten.
        steps: coefficients.

    Returns:
        [N, rows, cols] of the same type.
    """
    norms = torch.linalg.vector_norm(stack, dim=(1, 2), keepdim=True, dtype=torch.float32)
    x = stack.mul_((1.0 / (norms * 1.01 + TINY)).to(stack.dtype))
    for a, b, c in steps:
        gram = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x
