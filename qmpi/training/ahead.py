"""Losses of the tokens beyond the next, of one microbatch; their gradients join the model's.

Theory of operation. Each ahead module (`qmpi.model.ahead`) is computed behind the layers, in order
of depth. Its loss is a mean over the positions that have a target; rows without one are left out
before the head. The losses' gradients start autograd's pass together with that of the next token,
so each leaf gets its gradient once, the sum of all.
"""

from typing import NamedTuple

from torch import Tensor

from qmpi.config.settings import Settings
from qmpi.model.ahead import Norm, joined, shifted, with_target
from qmpi.model.layer import Layers
from qmpi.model.plain import Positions
from qmpi.training.ends import Ends
from qmpi.training.weights import Weights


class Depth(NamedTuple):
    """What one module leaves for the backward pass.

    Attributes:
        ids: tokens that it takes in, int64 [B * T].
        embedded: of these, float32 [B * T, width], a leaf.
        features: normed, [n, width].
        gradient: of these, likewise.
    """

    ids: Tensor
    embedded: Tensor
    features: Tensor
    gradient: Tensor


class Ahead:
    """Computes the further losses of microbatches; without ahead modules there are none."""

    def __init__(self, settings: Settings, weights: Weights, norm: Norm, ends: Ends) -> None:
        """Take the parts.

        Args:
            settings: the job.
            weights: of the model.
            norm: part of a layer.
            ends: embedding and head.
        """
        self._ends = ends
        self._weights, self._norm, self._epsilon = weights, norm, settings.model.norm_eps
        self._weight = settings.train.ahead_weight / max(1, settings.model.predict_ahead)
        self._losses = [0.0] * settings.model.predict_ahead

    def begin_lane(self) -> None:
        """Start a lane."""
        self._losses = [0.0] * len(self._losses)

    def told(self, microbatches: int) -> tuple[float, ...]:
        """Return the mean loss of the lane's microbatches so far, of each depth.

        Args:
            microbatches: how many these are.
        """
        return tuple(loss / microbatches for loss in self._losses)

    def run(
        self, layers: Layers, x: Tensor, at: Positions, ids: Tensor, share: float
    ) -> list[Depth]:
        """Compute the losses and the gradients of their features.

        Args:
            layers: function of each module's block.
            x: residual stream behind the layers, float32 [B * T, width].
            at: positions.
            ids: int64 [B, T + 1].
            share: of the mean loss of the next token in what is minimised.

        Returns:
            One for each depth.
        """
        depths: list[Depth] = []
        each = zip(layers, self._weights.ahead, strict=True)
        for depth, (layer, weights) in enumerate(each, 1):
            taken = shifted(ids, depth).flatten()
            embedded = self._ends.embedded(taken)
            x = layer(joined(x, embedded, weights, self._norm, self._epsilon), at, weights.block)
            rows = with_target(ids, depth, at.first)
            features = self._norm(
                self._ends.picked(x, rows), weights.final_norm, self._epsilon, self._weights.kind
            )
            # Target of a position: the token behind the one that the module takes in there.
            targets = shifted(ids, depth + 1).flatten()[rows]
            mean, gradient = self._ends.loss(features, targets, share * self._weight, rows)
            self._losses[depth - 1] += mean
            depths.append(Depth(taken, embedded, features, gradient))
        return depths
