"""Both ends of the model, whose gradients are made by hand: embedding and head.

Theory of operation. Losses give their gradients as they are computed. The gradient of the embedding
is a sum over tokens that goes, in float32, into the buffer that already holds that of a tied head.
Both are sums over the microbatches of a lane.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from qmpi.config.model import ModelSettings
from qmpi.model.fused.cross_entropy import Loss
from qmpi.training.weights import Part, Weights


class Ends:
    """Embedding and head of a rank that holds the whole vocabulary.

    Attributes:
        of_head: gradient of the head, float32 [vocabulary, width].
        of_table: gradient of the embedding; that of the head if they are tied.
    """

    def __init__(self, weights: Weights, model: ModelSettings) -> None:
        """Allocate the gradients.

        Args:
            weights: of the model.
            model: shape of what they are of.
        """
        self._weights, self._model = weights, model
        self.of_head = torch.zeros_like(weights.head_values, dtype=torch.float32)
        self.of_table = self.of_head
        if weights.head is not weights.table or weights.table is None:
            self.of_table = torch.zeros_like(weights.table_values, dtype=torch.float32)

    def resize(self, rows: int) -> None:
        """Compute microbatches of another size from now on.

        Args:
            rows: tokens of a microbatch.
        """
        self._loss = self.make_loss(rows)

    def make_loss(self, rows: int) -> Loss:
        """Allocate what computes losses.

        Args:
            rows: tokens of a microbatch.

        Returns:
            It.
        """
        model, weights = self._model, self._weights
        device = weights.device
        return Loss(rows, model.vocab_size, weights.kind, device, model.logit_softcap)

    def begin_lane(self) -> None:
        """Start a lane."""
        self.of_head.zero_()
        if self.of_table is not self.of_head:
            self.of_table.zero_()

    def gradients(self) -> Iterator[tuple[Part, Tensor]]:
        """Yield each parameter that is at an end here, with its gradient."""
        weights = self._weights
        if weights.head is not None and weights.head is not weights.table:
            yield weights.head, self.of_head
        if weights.table is not None:
            yield weights.table, self.of_table

    def embedded(self, ids: Tensor) -> Tensor:
        """Return the embedding of tokens, a leaf.

        Args:
            ids: int64 [rows].

        Returns:
            float32 [rows, width], of the rows that this rank has of the stream.
        """
        return self._weights.embedded(ids)

    def take(self, ids: Tensor, gradient: Tensor) -> None:
        """Add the gradient of an embedding.

        Args:
            ids: as `embedded` had them.
            gradient: of what it returned.
        """
        self.of_table.index_add_(0, ids, gradient)

    def picked(self, x: Tensor, rows: Tensor) -> Tensor:
        """Return of the stream what the loss of some rows needs.

        Args:
            x: [rows that this rank has, width].
            rows: int64 [n], of all rows.

        Returns:
            What `loss` takes with these rows, before it is normed; differentiable.
        """
        return x.index_select(0, rows)

    @property
    def losses(self) -> Tensor:
        """Of each row of the last `loss`, in nats, float32 [rows]."""
        return self._loss.each

    def loss(
        self, features: Tensor, targets: Tensor, share: float, rows: Tensor | None = None
    ) -> tuple[float, Tensor]:
        """Compute a mean loss; the gradient of the head is added to `of_head`.

        Args:
            features: normed, of the rows that this rank has of the stream, or of what was picked.
            targets: int64 [n], of all rows, or of those that were picked.
            share: of the mean loss in what is minimised.
            rows: int64 [n], those that were picked; None: all.

        Returns:
            The loss in nats, and the gradient of the features.
        """
        if not targets.numel():
            return 0.0, torch.zeros_like(features)
        return self._step(features.detach(), targets, share / targets.numel(), rows)

    def _step(
        self,
        features: Tensor,
        targets: Tensor,
        scale: float,
        rows: Tensor | None,  # noqa: ARG002 - here they were picked before
    ) -> tuple[float, Tensor]:
        head = self._weights.head_values
        return self._loss.step(features, head, targets, scale, self.of_head)
