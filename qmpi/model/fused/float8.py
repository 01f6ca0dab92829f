"""Matrix products in eight bits: operands are scaled, rounded to float8 and multiplied.

Theory of operation. Forward, features and weights are in e4m3 (four bits of exponent, three of
mantissa, up to 448); backward, gradients are in e5m2 (up to 57,344), which reach further down. Each
operand has one scale, taken from its own largest magnitude: the largest power of two that keeps
that within the format. Scaling by it is exact, so rounding to float8 is all that is lost. A scale
depends on the tensor alone: nothing is carried from one microbatch to the next. What is not finite
gives NaN, as in wider types, and the update is skipped.

Backward there are features in float8, of one byte, instead of the wider ones; the weight is rounded
once more by the scale that it had. GPUs multiply float8 and sum in float32, without the shorter
sums that are faster. Elsewhere the same rounded numbers are multiplied in float32.

Kernels of GPUs want sides that are multiples of 16 (`qmpi.config.float8_checks`).

Sources: "FP8 formats for deep learning" (Micikevicius et al., arXiv 2209.05433); torch 2.13,
`torch._scaled_mm`.
"""

from typing import Any

import torch
from torch import Tensor

MOST = {torch.float8_e4m3fn: 448.0, torch.float8_e5m2: 57_344.0}
"""Largest number of each format."""

LEAST = 2.0**-100
"""A tensor whose largest magnitude is below is scaled as if it were this."""

_EXPONENT = 0x7F80_0000
"""Bits of a float32's exponent."""


class Product(torch.autograd.Function):
    """Features [rows, in] times the transpose of a weight [out, in], like `functional.linear`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:  # noqa: ANN401
        """Multiply.

        Args:
            ctx: keeps what the gradients need.
            x: features [rows, in], bfloat16 or float32.
            weight: [out, in], of the same type.

        Returns:
            [rows, out], of their type.
        """
        scales = scale_of(x, torch.float8_e4m3fn), scale_of(weight, torch.float8_e4m3fn)
        narrow = rounded(x, scales[0], torch.float8_e4m3fn)
        ctx.save_for_backward(narrow, weight, *scales)
        other = rounded(weight, scales[1], torch.float8_e4m3fn)
        return multiplied(narrow, other, scales, x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]  # noqa: ANN401
        """Return the gradients of features and weight."""
        x, weight, of_x, of_weight = ctx.saved_tensors
        scale = scale_of(gradient, torch.float8_e5m2)
        narrow = rounded(gradient, scale, torch.float8_e5m2)
        turned = rounded(weight, of_weight, torch.float8_e4m3fn).t().contiguous()
        back = multiplied(narrow, turned, (scale, of_weight), gradient.dtype)
        lying, features = narrow.t().contiguous(), x.t().contiguous()
        return back, multiplied(lying, features, (scale, of_x), weight.dtype)


def scale_of(tensor: Tensor, kind: torch.dtype) -> Tensor:
    """Return what a tensor is multiplied with before it is rounded.

    Args:
        tensor: of a wider type.
        kind: of float8.

    Returns:
        A power of two, float32 []; not finite, or zero, if the tensor is not finite.
    """
    largest = tensor.abs().amax().to(torch.float32).clamp_min(LEAST)
    # Without its mantissa a number is the power of two below it.
    return (MOST[kind] / largest).view(torch.int32).bitwise_and(_EXPONENT).view(torch.float32)


def rounded(tensor: Tensor, scale: Tensor, kind: torch.dtype) -> Tensor:
    """Return a tensor times its scale in float8.

    Args:
        tensor: of a wider type.
        scale: from `scale_of`.
        kind: of float8.

    Returns:
        Contiguous, of the tensor's shape.
    """
    return tensor.to(torch.float32).mul(scale).to(kind).contiguous()


def multiplied(a: Tensor, b: Tensor, scales: tuple[Tensor, Tensor], kind: torch.dtype) -> Tensor:
    """Return a times the transpose of b, without their scales.

    Args:
        a: float8 [m, k], contiguous.
        b: float8 [n, k], contiguous.
        scales: of a and b.
        kind: of the result.

    Returns:
        [m, n].
    """
    of_a, of_b = (scale.reciprocal() for scale in scales)
    if a.is_cuda:
        return torch._scaled_mm(  # pyright: ignore[reportPrivateImportUsage]  # noqa: SLF001
            a, b.t(), scale_a=of_a, scale_b=of_b, out_dtype=kind, use_fast_accum=False
        )
    wide = torch.mm(a.to(torch.float32), b.to(torch.float32).t())
    # Not in place: a checkpoint may have kept the product.
    return wide.mul(of_a).mul_(of_b).to(kind)


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """Return features times a weight, in float8.

    Args:
        x: [rows, in].
        weight: [out, in].

    Returns:
        [rows, out].
    """
    return Product.apply(x, weight)
