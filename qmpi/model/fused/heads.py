"""From the merged product of q, k and v to heads, normed and turned, as one node."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from qmpi.model.fused.norm import inverse_rms
from qmpi.model.plain import Positions, Split, exchange


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


def scales(size: int) -> tuple[float, float]:
    """Return what queries and keys of so many features are multiplied with."""
    return size**-0.5, 1.0


class Heads(torch.autograd.Function):
    """RMSNorm of q and k, if weights are given, then rotary; in float32 inside.

    A weight says by its length what is normed: each head by itself, or all heads as one row.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        merged: Tensor,
        q_norm: Tensor | None,
        k_norm: Tensor | None,
        at: Positions,
        split: Split,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return scaled queries, keys and values.

        Args:
            ctx: of autograd.
            merged: [B * T, (H + 2 K) * D].
            q_norm: float32 [D], of each head, or [H * D], of all together; None: no norm.
            k_norm: float32 [D] or [K * D], or None.
            at: T positions.
            split: how `merged` is cut.

        Returns:
            [B, T, H, D] and twice [B, T, K, D], in the type of `merged`.
        """
        batch, heads, kv_heads, epsilon, over_ranks = split
        parts = merged.view(batch, -1, heads + 2 * kv_heads, at.cos.shape[-1])
        raw = parts.split((heads, kv_heads, kv_heads), dim=2)
        turned, inverses = [], []
        for x, weight, scale in zip(raw, (q_norm, k_norm), scales(at.cos.shape[-1]), strict=False):
            if weight is None:
                y = x.float() * scale
            else:
                rows = _normed_rows(x, weight)
                inverses.append(inverse_rms(rows, epsilon, over_ranks))
                y = (rows * inverses[-1]).mul_(weight * scale).view(x.shape)
            turned.append(turn(y, at.cos, at.sin).to(merged.dtype))
        ctx.save_for_backward(merged, q_norm, k_norm, at.cos, at.sin, *inverses)
        ctx.split = split
        return turned[0], turned[1], raw[2].contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Return the gradients of the merged product and of both norms."""
        merged, q_norm, k_norm, cos, sin, *inverses = ctx.saved_tensors
        inverses = inverses or [None, None]
        batch, heads, kv_heads, _, over_ranks = ctx.split
        parts = merged.view(batch, -1, heads + 2 * kv_heads, cos.shape[-1])
        sizes = (heads, kv_heads, kv_heads)
        raw = parts.split(sizes, dim=2)
        out = torch.empty_like(parts)
        places = out.split(sizes, dim=2)
        of_norms = [
            _unnormed(
                _unturned(gradients[n], cos, sin, scale),
                raw[n],
                (weight, inverses[n], over_ranks),
                places[n],
            )
            for n, (weight, scale) in enumerate(
                zip((q_norm, k_norm), scales(cos.shape[-1]), strict=True)
            )
        ]
        places[2].copy_(gradients[2])
        return out.view(merged.shape), *of_norms, None, None


def _normed_rows(x: Tensor, weight: Tensor) -> Tensor:
    """Return [B, T, heads, D] with what a norm goes over as last dimension."""
    # Gradients may come with heads and tokens exchanged: all heads as one row is then a copy.
    return x.reshape(*x.shape[:2], -1, weight.numel())


def _unturned(gradient: Tensor, cos: Tensor, sin: Tensor, scale: float) -> Tensor:
    return turn(gradient.float() * scale, cos, -sin)


def _unnormed(
    gradient: Tensor,
    x: Tensor,
    norm: tuple[Tensor | None, Tensor | None, Callable[[Tensor], Tensor] | None],
    out: Tensor,
) -> Tensor | None:
    """Write the gradient of what was normed.

    Args:
        gradient: float32, of the normed values; overwritten.
        x: what was normed.
        norm: weight and 1 / rms, or None twice; what makes means over all ranks of those of one.
        out: takes the gradient of `x`.

    Returns:
        The gradient of the weight, or None.
    """
    weight, inverse, over_ranks = norm
    if weight is None or inverse is None:
        out.copy_(gradient)
        return None
    gradient, rows = _normed_rows(gradient, weight), _normed_rows(x, weight)
    normed = rows * inverse
    of_weight = (gradient * normed).sum((0, 1, 2))
    gradient.mul_(weight)
    along = (gradient * normed).mean(-1, keepdim=True)
    if over_ranks is not None:
        along = over_ranks(along)
    gradient = gradient.addcmul_(normed, along, value=-1.0).mul_(inverse)
    out.copy_(gradient.view(out.shape))
    return of_weight
