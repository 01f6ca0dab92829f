"""The gate of SwiGLU as one node over the merged product of gate and up."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


class SwiGlu(torch.autograd.Function):
    """silu(gate) * up."""

    @staticmethod
    def forward(ctx: Any, merged: Tensor) -> Tensor:  # noqa: ANN401
        """Return the gated features.

        Args:
            ctx: of autograd.
            merged: [rows, 2 * hidden], gates first.

        Returns:
            [rows, hidden] in the type of `merged`.
        """
        ctx.save_for_backward(merged)
        gate, up = merged.chunk(2, dim=-1)
        return functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        """Return the gradient of `merged`."""
        (merged,) = ctx.saved_tensors
        gate, up = merged.chunk(2, dim=-1)
        out = torch.empty_like(merged)
        of_gate, of_up = out.chunk(2, dim=-1)
        torch.mul(functional.silu(gate), gradients[0], out=of_up)
        torch.ops.aten.silu_backward.grad_input(gradients[0] * up, gate, grad_input=of_gate)
        return out
