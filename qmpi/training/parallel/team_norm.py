"""The norm of a gradient whose parts lie on the ranks of a team.

Theory of operation. Each rank tells the square of the norm of each parameter that it holds; what
several hold alike one of them tells. The squares are added in the order of the model, and of the
ranks where they share a parameter. So it makes no difference to the bits which of the ranks that
compute with a parameter holds it.
"""

import math

import torch
from torch import Tensor

from qmpi.model.partition import Partition
from qmpi.training.comm.line import Comm
from qmpi.training.flat_state import Layout, state_shapes
from qmpi.training.norm import norm_of


class TeamNorm:
    """The part of one rank."""

    def __init__(self, part: Partition, layout: Layout) -> None:
        """Find what the rank tells.

        Args:
            part: what it holds.
            layout: where that lies.
        """
        numbers = {name: number for number, name in enumerate(state_shapes(part.model))}
        self._told = len(numbers)
        self._counted = {
            numbers[slot.name]: slice(slot.start, slot.start + slot.size)
            for slot in layout.slots
            if slot.name not in part.left
        }

    def of(self, gradient: Tensor, team: Comm) -> float:
        """Return the Euclidean norm of the whole gradient.

        Args:
            gradient: float32, flat; this rank's part.
            team: all ranks of the team.

        Returns:
            The norm, the same on all ranks; infinite or NaN if an element is.

        Raises:
            PeerLost: a rank is gone.
        """
        squares = torch.zeros(self._told, dtype=torch.float64)
        if self._counted:
            norms = torch.stack([norm_of(gradient[span]) for span in self._counted.values()])
            squares[list(self._counted)] = norms.square().cpu()
        by_parameter = team.allgather(squares).view(-1, self._told).t().flatten()
        # Not `sum`, which rounds in another way in other versions of Python.
        total = 0.0
        for square in by_parameter[by_parameter != 0.0].tolist():
            total += square
        return math.sqrt(total) if total >= 0.0 else math.nan
