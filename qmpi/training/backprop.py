"""Loss and gradients of one microbatch.

Theory of operation. Autograd differentiates the layers and the final norm. What lies at both ends
is done by hand: losses give their gradients as they are computed, and the gradient of the embedding
is a sum over tokens that goes, in float32, into the buffer that already holds the gradient of a
tied head.
"""

import torch
from torch import Tensor

from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.model.documents import Documents
from qmpi.model.fused.cross_entropy import Loss
from qmpi.model.layer import Kernels, Layers
from qmpi.model.plain import Positions
from qmpi.training.ahead import Ahead
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
        divider: int | None = None,
    ) -> None:
        """Compute the tables of positions, allocate scratch memory.

        Args:
            settings: the job.
            weights: of the model.
            kernels: parts of a layer, for the final norm.
            watch: told where forward ends; the loss, whose gradient is made with it, is forward.
            divider: id of the token that ends a document; None: documents see one another.
        """
        self._watch = watch
        self.ahead = Ahead(settings, weights, kernels.norm)
        model, train = settings.model, settings.train
        self._weights, self._norm = weights, kernels.norm
        self._epsilon = model.norm_eps
        table = weights.table_values
        # Made once: a table that is filled by the first call would be compiled in another way.
        self._positions = Positions.of(model, train.sequence_tokens, table.device)
        self._documents = None
        if divider is not None:
            self._documents = Documents(model, self._positions, divider)
        self._vocabulary, self._cap = model.vocab_size, model.logit_softcap
        self.resize(train)
        self.of_head = torch.zeros_like(weights.head_values, dtype=torch.float32)
        tied = weights.head is weights.table
        self.of_table = self.of_head if tied else torch.zeros_like(table, dtype=torch.float32)

    def resize(self, train: TrainSettings) -> None:
        """Compute microbatches of another shape from now on.

        Args:
            train: their sequences.
        """
        rows = train.sequences * train.sequence_tokens
        device = self._weights.table_values.device
        self._loss = Loss(rows, self._vocabulary, self._weights.kind, device, self._cap)

    def begin_lane(self) -> None:
        """Start a lane: the gradients of embedding and head are sums over its microbatches."""
        self.ahead.begin_lane()
        self.of_head.zero_()
        if self.of_table is not self.of_head:
            self.of_table.zero_()

    def run(self, layers: Layers, ids: Tensor, share: float) -> float:
        """Compute a microbatch; gradients go to the leaves, `of_head` and `of_table`.

        Args:
            layers: function of each layer, then of each ahead module's block.
            ids: int64 [B, T + 1].
            share: of the mean loss in the lane's.

        Returns:
            Mean cross-entropy of the next token, in nats; `ahead` keeps those of further ones.
        """
        inputs, targets = ids[:, :-1].flatten(), ids[:, 1:].flatten()
        weights = self._weights
        start = weights.embedded(inputs)
        x, at = start, self._positions
        if self._documents is not None:
            at = self._documents.positions(ids[:, :-1])
        own, further = layers[: len(weights.layers)], layers[len(weights.layers) :]
        for layer, layer_weights in zip(own, weights.layers, strict=True):
            x = layer(x, at, layer_weights)
        features = self._norm(x, weights.final_norm, self._epsilon, weights.kind)
        loss, gradient = self._head_loss(features, targets, share)
        depths = self.ahead.run(further, x, at, ids, share, self._head_loss)
        self._watch.lap("forward")
        torch.autograd.backward(
            [features, *(depth.features for depth in depths)],
            [gradient, *(depth.gradient for depth in depths)],
        )
        for tokens, leaf in [(inputs, start), *((each.ids, each.embedded) for each in depths)]:
            if leaf.grad is not None:
                self.of_table.index_add_(0, tokens, leaf.grad)
        return loss

    def _head_loss(self, features: Tensor, targets: Tensor, share: float) -> tuple[float, Tensor]:
        """Compute a mean loss, in nats; the gradient of the head is added to `of_head`.

        Returns:
            The loss, and the gradient of the features.
        """
        if not targets.numel():
            return 0.0, torch.empty_like(features)
        return self._loss.step(
            features.detach(),
            self._weights.head_values,
            targets,
            share / targets.numel(),
            self.of_head,
        )
