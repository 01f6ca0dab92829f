"""RMSNorm as one node: float32 inside, the compute type outside."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def inverse_rms(
    x: Tensor, epsilon: float, over_ranks: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Return 1 / sqrt(mean square + epsilon) over the last dimension.

    Args:
        x: [..., features], of any float type.
        epsilon: added to the mean square.
        over_ranks: as of `qmpi.model.plain.Split`.

    Returns:
        float32 [..., 1].
    """
    size = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
    mean = size.square_().mul_(1.0 / x.shape[-1])
    if over_ranks is not None:
        mean = over_ranks(mean)
    return mean.add_(epsilon).rsqrt_()


class Norm(torch.autograd.Function):
    """x / rms(x) * weight."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float, kind: torch.dtype) -> Tensor:  # noqa: ANN401
        """Return the norm of `x` in another type.

        Args:
            ctx: of autograd.
            x: [rows, features], of any float type.
            weight: float32 [features].
            epsilon: added to the mean square.
            kind: type of the result.

        Returns:
            [rows, features].
        """
        inverse = inverse_rms(x, epsilon)
        ctx.save_for_backward(x, weight, inverse)
        return (x * inverse).mul_(weight).to(kind)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:  # noqa: ANN401
        """Return the gradients of `x`, typed as it is, and of the weight, float32."""
        x, weight, inverse = ctx.saved_tensors
        gradient = gradients[0].float()
        normed = x * inverse
        product = gradient * normed
        of_weight = product.sum(0)
        # The part of the gradient along x itself is lost, for the length of x is divided away.
        along = torch.mv(product, weight).mul_(1.0 / x.shape[-1]).unsqueeze(-1)
        of_x = torch.addcmul(gradient * weight, normed, along, value=-1.0).mul_(inverse)
        return of_x.to(x.dtype), of_weight, None, None
