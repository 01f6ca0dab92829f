"""Loss and gradients of one microbatch.

Theory of operation. Autograd differentiates the layers and the final norm. What lies at both ends,
embedding and head, is done by hand (see `ends`).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.model.documents import Documents
from qmpi.model.layer import Kernels, Layers
from qmpi.model.plain import Positions
from qmpi.training.ahead import Ahead
from qmpi.training.ends import Ends
from qmpi.training.stopwatch import Stopwatch
from qmpi.training.weights import Weights


def positions_of(
    settings: Settings, device: torch.device, divider: int | None
) -> Callable[[Tensor], Positions]:
    """Compute the tables of positions that all microbatches share.

    Args:
        settings: the job.
        device: where they go.
        divider: id of the token that ends a document; None: documents see one another.

    Returns:
        The positions of token ids, int64 [B, T].
    """
    # Made once: a table that is filled by the first call would be compiled in another way.
    shared = Positions.of(settings.model, settings.train.sequence_tokens, device)
    if divider is None:
        return lambda _: shared
    return Documents(settings.model, shared, divider).positions


class Backprop:
    """Computes microbatches of one shape."""

    def __init__(
        self,
        settings: Settings,
        weights: Weights,
        kernels: Kernels,
        watch: Stopwatch,
        ends: Ends,
        divider: int | None = None,
    ) -> None:
        """Compute the tables of positions.

        Args:
            settings: the job.
            weights: of the model.
            kernels: parts of a layer, for the final norm.
            watch: told where forward ends; the loss, whose gradient is made with it, is forward.
            ends: embedding and head.
            divider: id of the token that ends a document; None: documents see one another.
        """
        self._watch, self.ends = watch, ends
        self.ahead = Ahead(settings, weights, kernels.norm, ends)
        model, train = settings.model, settings.train
        self._weights, self._norm = weights, kernels.norm
        self._epsilon = model.norm_eps
        self._positions = positions_of(settings, weights.device, divider)
        self.resize(train)

    def resize(self, train: TrainSettings) -> None:
        """Compute microbatches of another shape from now on.

        Args:
            train: their sequences.
        """
        self.ends.resize(train.sequences * train.sequence_tokens)

    def begin_lane(self) -> None:
        """Start a lane: the gradients of embedding and head are sums over its microbatches."""
        self.ahead.begin_lane()
        self.ends.begin_lane()

    def run(self, layers: Layers, ids: Tensor, share: float) -> float:
        """Compute a microbatch; gradients go to the leaves and the ends.

        Args:
            layers: function of each layer, then of each ahead module's block.
            ids: int64 [B, T + 1].
            share: of the mean loss in the lane's.

        Returns:
            Mean cross-entropy of the next token, in nats; `ahead` keeps those of further ones.
        """
        inputs, targets = ids[:, :-1].flatten(), ids[:, 1:].flatten()
        weights, ends = self._weights, self.ends
        start = ends.embedded(inputs)
        x, at = start, self._positions(ids[:, :-1])
        own, further = layers[: len(weights.layers)], layers[len(weights.layers) :]
        for layer, layer_weights in zip(own, weights.layers, strict=True):
            x = layer(x, at, layer_weights)
        features = self._norm(x, weights.final_norm, self._epsilon, weights.kind)
        loss, gradient = ends.loss(features, targets, share)
        depths = self.ahead.run(further, x, at, ids, share)
        self._watch.lap("forward")
        torch.autograd.backward(
            [features, *(depth.features for depth in depths)],
            [gradient, *(depth.gradient for depth in depths)],
        )
        for tokens, leaf in [(inputs, start), *((each.ids, each.embedded) for each in depths)]:
            if leaf.grad is not None:
                ends.take(tokens, leaf.grad)
        return loss
