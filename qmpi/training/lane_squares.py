"""The squared norm of a lane's gradient, for the measure of noise; only where it is asked for.

Theory of operation. Autograd completes gradients in whatever order it likes, and a sum of floats
depends on its order. So each parameter has a place of its own, and the places are added in the
order of the layout when the lane is done: the same bits, whoever computes the lane.
"""

import torch
from torch import Tensor

from qmpi.training.norm import norm_of


class LaneSquares:
    """Squares of one lane's gradient, parameter by parameter."""

    def __init__(self, parameters: int, device: torch.device) -> None:
        """Allocate.

        Args:
            parameters: of the layout.
            device: where gradients live.
        """
        self._norms = torch.zeros(parameters, dtype=torch.float64, device=device)

    def begin_lane(self) -> None:
        """Forget the lane before."""
        self._norms.zero_()

    @torch.no_grad()
    def add(self, number: int, gradient: Tensor) -> None:
        """Take the gradient of a parameter; once a lane.

        Args:
            number: of the parameter in the layout.
            gradient: float32 or bfloat16, contiguous.
        """
        self._norms[number] = norm_of(gradient.reshape(-1))

    def total(self) -> float:
        """Return the squared norm of the lane's gradient; may be infinite or NaN."""
        return float(self._norms.square().sum())
