"""Loss and gradients of one microbatch.

Theory of operation. Autograd differentiates the layers and the final norm. What lies at both ends,
embedding and head, is done by hand (see `ends`).
"""

import torch
from torch import Tensor

from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.model.layer import Kernels, Layers
from qmpi.training.ahead import Ahead
from qmpi.training.ends import Ends
from qmpi.training.own_tokens import OwnTokens
from qmpi.training.source_losses import LaneSources
from qmpi.training.stopwatch import Stopwatch
from qmpi.training.weights import Weights


class Backprop:
    """Computes microbatches of one shape."""

    def __init__(
        self,
        settings: Settings,
        weights: Weights,
        kernels: Kernels,
        watch: Stopwatch,
        ends: Ends,
        tokens: OwnTokens,
    ) -> None:
        """Take the parts.

        Args:
            settings: the job.
            weights: of the model.
            kernels: parts of a layer, for the final norm.
            watch: told where forward ends; the loss, whose gradient is made with it, is forward.
            ends: embedding and head.
            tokens: those that are computed here.
        """
        self._watch, self.ends, self.tokens = watch, ends, tokens
        self.ahead = Ahead(settings, weights, kernels.norm, ends)
        model, train = settings.model, settings.train
        self._weights, self._norm = weights, kernels.norm
        self._epsilon = model.norm_eps
        self.resize(train)

    def resize(self, train: TrainSettings) -> None:
        """Compute microbatches of another shape from now on.

        Args:
            train: their sequences.
        """
        self.ends.resize(self.tokens.rows(train))

    def begin_lane(self) -> None:
        """Start a lane: the gradients of embedding and head are sums over its microbatches."""
        self.ahead.begin_lane()
        self.ends.begin_lane()

    def run(self, layers: Layers, ids: Tensor, share: float, known: LaneSources) -> float:
        """Compute a microbatch; gradients go to the leaves and the ends.

        Args:
            layers: function of each layer, then of each ahead module's block.
            ids: int64 [B, T + 1].
            share: of the mean loss in the lane's.
            known: of the sequences.

        Returns:
            Mean cross-entropy of the next token, in nats, over the tokens that are computed here;
            `ahead` keeps those of further ones.
        """
        inputs, targets = self.tokens.inputs(ids), self.tokens.targets(ids)
        weights, ends = self._weights, self.ends
        start = ends.embedded(inputs)
        x, at = start, self.tokens.positions(ids[:, :-1])
        own, further = layers[: len(weights.layers)], layers[len(weights.layers) :]
        for layer, layer_weights in zip(own, weights.layers, strict=True):
            x = weights.through(layer, x, at, layer_weights)
        features = self._norm(x, weights.final_norm, self._epsilon, weights.kind)
        loss, gradient = ends.loss(features, targets, share / self.tokens.ranks)
        self.tokens.tell(known, ends.losses)
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
