"""What experts make of their tokens, with its gradients written by hand, as one node.

Theory of operation. Tokens are gathered expert by expert, so that each expert's are a matrix, and
each product is written where it belongs in one tensor. A loop over experts takes as long here as
torch's grouped product (docs/benchmarks), and wants neither rows of whole 16 bytes nor contiguous
gradients.

A token's share of an expert is multiplied in before the last product, where there are fewer
features; so its gradient needs nothing that would have to be kept. Whatever goes back to tokens is
laid in the order of the choices and summed over each token's own, in float32: no sum depends on
how tokens were sorted. An expert without tokens has a gradient of zeros, for a product over no rows
is one.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from qmpi.model.experts.choice import Plan


class Products(torch.autograd.Function):
    """The sum over a token's experts of share * down(silu(gate) * up)."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        x: Tensor,
        shares: Tensor,
        plan: Plan,
        gate_up: Tensor,
        down: Tensor,
    ) -> Tensor:
        """Return what the experts add to each token.

        Args:
            ctx: of autograd.
            x: [tokens, width], in the compute type.
            shares: float32 [tokens, k].
            plan: who takes which.
            gate_up: [experts * 2 * hidden, width], an expert's gates before its ups.
            down: [experts * width, hidden].

        Returns:
            float32 [tokens, width].
        """
        order, sizes = plan
        rows, share = x[order // shares.shape[1]], rows_of(shares, order).to(x.dtype)
        merged = forward_rows(rows, share, sizes, Matrices(gate_up, down), rows)
        ctx.save_for_backward(x, shares, order, merged, gate_up, down)
        ctx.sizes = sizes
        return summed(rows, order, shares)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Return the gradients of tokens, shares and both matrices of all experts."""
        x, shares, order, merged, gate_up, down = ctx.saved_tensors
        token = order // shares.shape[1]
        share, back = rows_of(shares, order).to(x.dtype), gradients[0].to(x.dtype)[token]
        of_share, of_matrices = backward_rows(
            back, lambda: x[token], share, merged, ctx.sizes, Matrices(gate_up, down)
        )
        of_shares = torch.zeros_like(shares).flatten()
        of_shares[order] = of_share
        of_x = summed(back, order, shares).to(x.dtype)
        return of_x, of_shares.view_as(shares), None, *of_matrices


class Matrices(NamedTuple):
    """Those of some experts, or their gradients.

    Attributes:
        gate_up: [experts * 2 * hidden, width], an expert's gates before its ups.
        down: [experts * width, hidden].
    """

    gate_up: Tensor
    down: Tensor


def forward_rows(
    rows: Tensor, share: Tensor, sizes: list[int], matrices: Matrices, out: Tensor
) -> Tensor:
    """Compute what experts make of their rows.

    Args:
        rows: [rows, width], in the compute type, expert by expert.
        share: of each row, likewise, [rows, 1].
        sizes: rows of each expert.
        matrices: of the experts.
        out: like `rows`, overwritten with what they make; may be `rows`.

    Returns:
        Merged gates and ups, [rows, 2 * hidden], which the gradients are made of.
    """
    ins, outs = (stacked(each, sizes) for each in matrices)
    merged = rows.new_empty(rows.shape[0], ins.shape[1])
    for part, matrix, result in zip(rows.split(sizes), ins, merged.split(sizes), strict=True):
        torch.mm(part, matrix.mT, out=result)
    gate, up = merged.chunk(2, dim=-1)
    hidden = functional.silu(gate).mul_(up).mul_(share)
    for part, matrix, result in zip(hidden.split(sizes), outs, out.split(sizes), strict=True):
        torch.mm(part, matrix.mT, out=result)
    return merged


def backward_rows(
    back: Tensor,
    rows_again: Callable[[], Tensor],
    share: Tensor,
    merged: Tensor,
    sizes: list[int],
    matrices: Matrices,
) -> tuple[Tensor, Matrices]:
    """Compute the gradients of `forward_rows`.

    Args:
        back: gradient of what it made, [rows, width]; overwritten with that of its rows.
        rows_again: gives the rows, when they are needed.
        share: as it had them.
        merged: as it returned them.
        sizes: rows of each expert.
        matrices: of the experts.

    Returns:
        Gradients of the shares, float32 [rows], and of the matrices.
    """
    ins, outs = (stacked(each, sizes) for each in matrices)
    of_hidden = back.new_empty(back.shape[0], outs.shape[2])
    for part, matrix, result in zip(back.split(sizes), outs, of_hidden.split(sizes), strict=True):
        torch.mm(part, matrix, out=result)
    gate, up = merged.chunk(2, dim=-1)
    gated = functional.silu(gate)
    hidden = gated * up
    of_share = (of_hidden * hidden).sum(dim=-1, dtype=torch.float32)
    of_down = torch.empty_like(matrices.down)
    of_outs = stacked(of_down, sizes)
    parts = (back.split(sizes), hidden.mul_(share).split(sizes), of_outs)
    for part, features, result in zip(*parts, strict=True):
        torch.mm(part.mT, features, out=result)
    of_merged = torch.empty_like(merged)
    of_gate, of_up = of_merged.chunk(2, dim=-1)
    of_hidden.mul_(share)
    torch.mul(gated, of_hidden, out=of_up)
    torch.ops.aten.silu_backward.grad_input(of_hidden.mul_(up), gate, grad_input=of_gate)
    of_gate_up, rows = torch.empty_like(matrices.gate_up), rows_again()
    of_ins = stacked(of_gate_up, sizes)
    # The rows of the gradient are done with: their memory takes that of the tokens.
    parts = (of_merged.split(sizes), rows.split(sizes), ins, of_ins, back.split(sizes))
    for part, features, matrix, of_matrix, result in zip(*parts, strict=True):
        torch.mm(part.mT, features, out=of_matrix)
        torch.mm(part, matrix, out=result)
    return of_share, Matrices(of_gate_up, of_down)


def stacked(matrices: Tensor, sizes: list[int]) -> Tensor:
    """Return matrices that stand one below the other as [experts, rows of one, columns]."""
    return matrices.view(len(sizes), -1, matrices.shape[1])


def rows_of(shares: Tensor, order: Tensor) -> Tensor:
    """Return the share of each row of a plan, [rows, 1]."""
    return shares.flatten()[order].unsqueeze(1)


def summed(rows: Tensor, order: Tensor, shares: Tensor) -> Tensor:
    """Sum the rows of each token, in the order of its choices.

    Args:
        rows: [rows, features], in the order of a plan.
        order: of the plan.
        shares: [tokens, k].

    Returns:
        float32 [tokens, features].
    """
    tokens, each = shares.shape
    whole = order.numel() == tokens * each
    laid = rows.new_empty if whole else rows.new_zeros
    places = laid(tokens * each, rows.shape[1])
    places[order] = rows
    return places.view(tokens, each, -1).sum(dim=1, dtype=torch.float32)
