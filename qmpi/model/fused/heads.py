"""From the merged product of q, k and v to heads, normed and turned, as one node."""

from typing import Any

import torch
from torch import Tensor

from qmpi.model.fused.norm import inverse_rms
from qmpi.model.plain import Rotary, Split, exchange


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn pairs (i, i + D/2) of features; in place if `x` may be written.

    Args:
        x: float32 [B, T, heads, D]; overwritten.
        cos: [T, 1, D].
        sin: [T, 1, D], with a negated first half.

    Returns:
        `x`.
    """
    other = exchange(x)
    return x.mul_(cos).addcmul_(other, sin)


def _normed(x: Tensor, weight: Tensor | None, epsilon: float) -> tuple[Tensor, Tensor | None]:
    if weight is None:
        return x.to(torch.float32, copy=True), None
    inverse = inverse_rms(x, epsilon)
    return x * inverse, inverse


class Heads(torch.autograd.Function):
    """RMSNorm of each head of q and k, if weights are given, then rotary; in float32 inside."""

    @staticmethod
    def forward(  # noqa: PLR0913
        ctx: Any,  # noqa: ANN401
        merged: Tensor,
        q_norm: Tensor | None,
        k_norm: Tensor | None,
        rotary: Rotary,
        split: Split,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values.

        Args:
            ctx: of autograd.
            merged: [B * T, (H + 2 K) * D].
            q_norm: float32 [D], or None.
            k_norm: float32 [D], or None.
            rotary: angles of T positions.
            split: how `merged` is cut.

        Returns:
            [B, T, H, D] and twice [B, T, K, D], in the type of `merged`.
        """
        batch, heads, kv_heads, epsilon = split
        parts = merged.view(batch, -1, heads + 2 * kv_heads, rotary.cos.shape[-1])
        raw = parts.split((heads, kv_heads, kv_heads), dim=2)
        turned, inverses = [], []
        for x, weight in zip(raw, (q_norm, k_norm), strict=False):
            y, inverse = _normed(x, weight, epsilon)
            if weight is not None:
                y.mul_(weight)
            turned.append(turn(y, rotary.cos, rotary.sin).to(merged.dtype))
            inverses.append(inverse)
        ctx.save_for_backward(merged, q_norm, k_norm, *rotary, *inverses)
        ctx.split = split
        return turned[0], turned[1], raw[2].contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Return the gradients of the merged product and of both norms."""
        merged, q_norm, k_norm, cos, sin, *inverses = ctx.saved_tensors
        batch, heads, kv_heads, _ = ctx.split
        parts = merged.view(batch, -1, heads + 2 * kv_heads, cos.shape[-1])
        sizes = (heads, kv_heads, kv_heads)
        raw = parts.split(sizes, dim=2)
        out = torch.empty_like(parts)
        places = out.split(sizes, dim=2)
        of_norms = [
            _heads_backward(gradients[n], raw[n], weight, inverses[n], (cos, sin), places[n])
            for n, weight in enumerate((q_norm, k_norm))
        ]
        places[2].copy_(gradients[2])
        return out.view(merged.shape), *of_norms, None, None


def _heads_backward(  # noqa: PLR0913, PLR0917
    gradient: Tensor,
    x: Tensor,
    weight: Tensor | None,
    inverse: Tensor | None,
    angles: tuple[Tensor, Tensor],
    out: Tensor,
) -> Tensor | None:
    cos, sin = angles
    turned = turn(gradient.to(torch.float32, copy=True), cos, -sin)
    if weight is None or inverse is None:
        out.copy_(turned)
        return None
    normed = x * inverse
    of_weight = (turned * normed).sum((0, 1, 2))
    turned.mul_(weight)
    along = (turned * normed).mean(-1, keepdim=True)
    out.copy_(turned.addcmul_(normed, along, value=-1.0).mul_(inverse))
    return of_weight
