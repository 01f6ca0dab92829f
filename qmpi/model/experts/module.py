"""A mixture of experts as a module, for evaluation and sampling; no token is dropped here."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from qmpi.config.model import ModelSettings
from qmpi.config.widths import expert_width
from qmpi.model.experts.choice import choose


class FeedForward(nn.Module):
    """SwiGLU: down(silu(gate(x)) * up(x))."""

    def __init__(self, width: int, hidden: int) -> None:
        """Make the three projections.

        Args:
            width: of the residual stream.
            hidden: features.
        """
        super().__init__()
        self.gate_proj = nn.Linear(width, hidden, bias=False)
        self.up_proj = nn.Linear(width, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return features [..., width] for `x` of the same shape."""
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Router(nn.Module):
    """Scores of experts, with the bias of the choice."""

    def __init__(self, settings: ModelSettings) -> None:
        """Make the weights.

        Args:
            settings: shape of the model.
        """
        super().__init__()
        self.weight = nn.Parameter(torch.empty(settings.experts, settings.width))
        self.register_buffer("e_score_correction_bias", torch.zeros(settings.experts))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, float32 [tokens, experts], of features [tokens, width]."""
        return functional.linear(x.float(), self.weight.float())


class Mixture(nn.Module):
    """Experts, and those that are shared."""

    def __init__(self, settings: ModelSettings) -> None:
        """Make router and experts.

        Args:
            settings: shape of the model.
        """
        super().__init__()
        self._settings, hidden = settings, expert_width(settings)
        self.gate = Router(settings)
        self.experts = nn.ModuleList(
            [FeedForward(settings.width, hidden) for _ in range(settings.experts)]
        )
        self.shared_experts = (
            FeedForward(settings.width, settings.shared_experts * hidden)
            if settings.shared_experts
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return features [..., width] for `x` of the same shape."""
        rows = x.reshape(-1, x.shape[-1])
        bias = self.gate.get_buffer("e_score_correction_bias").float()
        chosen, shares = choose(self.gate(rows), bias, self._settings)
        out = torch.zeros_like(rows)
        for number, expert in enumerate(self.experts):
            token, rank = torch.where(chosen == number)
            if token.numel():
                found = expert(rows[token]) * shares[token, rank].unsqueeze(1).to(x.dtype)
                out = out.index_add(0, token, found)
        if self.shared_experts is not None:
            out = out + self.shared_experts(rows)
        return out.view_as(x)
