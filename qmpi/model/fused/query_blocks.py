"""Causal grouped-query attention by blocks of queries, as batched products, with its gradient.

Theory of operation. Rows of a key/value head are ordered (token, query head of the group), so that
a block of tokens is a contiguous run of rows, and each block needs one product with the keys up to
its end: nothing above the diagonal is computed but in the last square. Probabilities are kept in
the compute type, half of T x T for each head; so this is for sequences that are not too long.
"""

from typing import Any

import torch
from torch import Tensor

from qmpi.model.plain import Positions, block_length, from_rows, to_rows

BACKWARD = torch.ops.aten._softmax_backward_data  # noqa: SLF001
"""Gradient of a softmax by its result; torch has no public name for it."""


class QueryBlocks(torch.autograd.Function):
    """softmax(q k') v, causal; queries come scaled."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, at: Positions) -> Tensor:  # noqa: ANN401
        """Attend.

        Args:
            ctx: of autograd.
            q: [B, T, H, D], scaled.
            k: [B, T, K, D].
            v: [B, T, K, D].
            at: T positions.

        Returns:
            [B, T, H, D].
        """
        batch, tokens, heads, _ = q.shape
        group, length = heads // k.shape[2], block_length(tokens)
        q, k, v = (to_rows(x, k.shape[2]) for x in (q, k, v))
        out, kept = torch.empty_like(q), []
        for start in range(0, tokens, length):
            end = min(start + length, tokens)
            rows, size = slice(start * group, end * group), end - start
            scores = torch.bmm(q[:, rows], k[:, :end].transpose(1, 2)).float()
            scores[:, :, start:].add_(at.future[: size * group, tokens : tokens + size])
            chances = torch.softmax(scores, dim=-1).to(q.dtype)
            out[:, rows] = torch.bmm(chances, v[:, :end])
            kept.append(chances)
        ctx.save_for_backward(q, k, v, *kept)
        ctx.shape = (batch, heads, group, length)
        return from_rows(out, batch, heads)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Return the gradients of q, k and v."""
        q, k, v, *kept = ctx.saved_tensors
        batch, heads, group, length = ctx.shape
        kv_heads = heads // group
        tokens = k.shape[1]
        gradient = to_rows(gradients[0], kv_heads)
        of_q = torch.empty_like(q)
        # Keys gather from many blocks: in float32, whatever the compute type.
        of_k, of_v = (torch.zeros(k.shape, dtype=torch.float32, device=k.device) for _ in range(2))
        for chances, start in zip(kept, range(0, tokens, length), strict=True):
            end = min(start + length, tokens)
            rows = slice(start * group, end * group)
            part = gradient[:, rows]
            _accumulate(of_v[:, :end], chances.transpose(1, 2), part)
            of_chances = torch.bmm(part, v[:, :end].transpose(1, 2))
            of_scores = BACKWARD(of_chances, chances, -1, chances.dtype)
            of_q[:, rows] = torch.bmm(of_scores, k[:, :end])
            _accumulate(of_k[:, :end], of_scores.transpose(1, 2), q[:, rows])
        return (
            from_rows(of_q, batch, heads),
            from_rows(of_k.to(k.dtype), batch, kv_heads),
            from_rows(of_v.to(v.dtype), batch, kv_heads),
            None,
        )


def _accumulate(total: Tensor, left: Tensor, right: Tensor) -> None:
    if left.dtype == total.dtype:
        total.baddbmm_(left, right)
    else:
        total.add_(torch.bmm(left, right))
