"""What a lane tells of its experts beside its gradient: who was wanted, and by which features.

Theory of operation. Loads are integers. The mean of the features that a router saw becomes
integers once a lane, on a grid that leaves room for all lanes, so both are summed exactly, beside
the gradient. The mean is told only where biases fade (see `balance`).
"""

import torch
from torch import Tensor

from qmpi.config.model import ModelSettings
from qmpi.model.shape import block_kinds

GRID = 1 << 12
"""Steps of 1 of a mean feature: 4096 lanes of 64 at most make 2**30."""

MOST = 64.0
"""Larger means, of normed features, are cut."""


class Tallies:
    """Tallies of the lane in hand, of all layers with experts; of a dense model there are none.

    Attributes:
        counts: int32 [layers, 1 or 2, experts]: wanted, and, where there is a capacity, dropped.
        features: float32 [layers, width] or [layers, 0]: mean of what the routers saw.
        size: integers that they make.
    """

    def __init__(self, model: ModelSettings, device: torch.device, ranks: int = 1) -> None:
        """Make room.

        Args:
            model: its shape.
            device: where lanes are computed.
            ranks: that each see as many tokens of a lane, and tell of these alone.
        """
        self._ranks = ranks
        layers = sum(kind.experts for kind in block_kinds(model))
        rows, width = 1 + (model.capacity_factor > 0), model.width if fades(model) else 0
        self.counts = torch.zeros(layers, rows, model.experts, dtype=torch.int32, device=device)
        self.features = torch.zeros(layers, width, device=device)
        self.size = self.counts.numel() + self.features.numel()

    def clear(self) -> None:
        """Start a lane."""
        if self.size:
            self.counts.zero_()
            self.features.zero_()

    def kept(self) -> tuple[Tensor, Tensor]:
        """Return a copy of what the lane in hand has told so far."""
        return self.counts.clone(), self.features.clone()

    def resume(self, kept: tuple[Tensor, Tensor] | None) -> None:
        """Take a lane in hand.

        Args:
            kept: of it, as `kept` gave it; None: it begins.
        """
        self.clear()
        if kept is not None:
            self.counts.copy_(kept[0])
            self.features.copy_(kept[1])

    def add_to(self, total: Tensor) -> None:
        """Add what the lane tells.

        Args:
            total: int32, of all lanes; the first `size` of it is for this.
        """
        grid = self.features.clamp(-MOST, MOST).mul_(GRID / self._ranks).round_().to(torch.int32)
        total[: self.size].add_(torch.cat((self.counts.flatten(), grid.flatten())))

    def read(self, total: Tensor, lanes: int) -> tuple[Tensor, Tensor]:
        """Read the sum over all lanes.

        Args:
            total: as of `add_to`.
            lanes: of a step.

        Returns:
            Counts, int64 as `counts`; the mean features, float64 as `features`.
        """
        parts = (self.counts.numel(), self.features.numel())
        counts, grid = total[: self.size].split(parts)
        means = grid.to(torch.float64).view_as(self.features) / (GRID * lanes)
        return counts.to(torch.int64).view_as(self.counts), means


def fades(model: ModelSettings) -> bool:
    """Return whether biases of a model fade before the run ends.

    Args:
        model: its shape.
    """
    return bool(model.experts and model.router == "softmax" and model.balance_rate)
