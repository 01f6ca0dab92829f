"""Embedding and head of a rank that holds a run of the vocabulary's rows.

Theory of operation. A rank looks up the tokens that it has and leaves the others zero; the sum over
the ranks is exact, for of each token only one is not zero. The head gives a rank the logits of its
tokens. Of each row it tells the largest, the sum of the exponentials below it, and the target's if
it has that: out of these every rank has the same log-sum-exp, and so its share of the gradient.
"""

import torch
from torch import Tensor

from qmpi.model.fused.cross_entropy import ROWS, Loss
from qmpi.model.partition import Partition
from qmpi.training.ends import Ends
from qmpi.training.parallel.rows import Rows
from qmpi.training.weights import Weights


class VocabularyLoss(Loss):
    """The loss of one rank's rows of the head."""

    def __init__(
        self, rows: int, part: Partition, kind: torch.dtype, device: torch.device, between: Rows
    ) -> None:
        """Allocate for one chunk.

        Args:
            rows: of all features.
            part: what the rank holds.
            kind: type of features and head.
            device: where they live.
            between: the ranks that have the other rows.
        """
        model = part.model
        super().__init__(rows, model.vocab_size, kind, device, model.logit_softcap)
        self._first, self._between = part.first_token, between

    def turn(self, values: Tensor, targets: Tensor, total: Tensor, each: Tensor) -> None:
        """Turn logits of the rank's tokens into its share of what `Loss.turn` makes, in place.

        Args:
            values: logits [rows, V / shares]; overwritten.
            targets: int64 [rows], of the whole vocabulary.
            total: float64; the sum of the losses of all rows is added to it.
            each: float32, as many as rows or more; takes the losses.
        """
        blocks = [slice(row, row + ROWS) for row in range(0, values.shape[0], ROWS)]
        own, is_own = own_of(targets, self._first, values.shape[1])
        own = own.unsqueeze(-1)
        told = torch.empty(3, values.shape[0], device=values.device)
        for block in blocks:
            logits = self.widened(values[block])
            torch.amax(logits, dim=-1, out=told[0, block])
            told[2, block] = logits.gather(1, own[block]).squeeze(-1) * is_own[block]
            exponentials = logits.sub_(told[0, block].unsqueeze(-1)).exp_()
            torch.sum(exponentials, dim=-1, out=told[1, block])
        most, whole, losses = joined(self._between.each(told))
        for block in blocks:
            logits = self.widened(values[block])
            errors = self._wide[1, : logits.shape[0]]
            torch.sub(logits, most[block].unsqueeze(-1), out=errors)
            errors.exp_().div_(whole[block].unsqueeze(-1))
            errors.scatter_add_(1, own[block], -is_own[block].to(errors.dtype).unsqueeze(-1))
            self.put(errors, logits, values[block])
        each[: losses.numel()] = losses
        total += losses.sum(dtype=torch.float64)


class VocabularyEnds(Ends):
    """Embedding and head of a rank that holds a run of the vocabulary's rows."""

    def __init__(self, weights: Weights, part: Partition, between: Rows) -> None:
        """Allocate the gradients.

        Args:
            weights: of what the rank holds.
            part: what that is.
            between: ranks of the tensor axis.
        """
        super().__init__(weights, part.model)
        self._part, self._between = part, between

    def make_loss(self, rows: int) -> Loss:
        """Allocate what computes losses.

        Args:
            rows: tokens of a microbatch.

        Returns:
            It.
        """
        device = self._weights.device
        return VocabularyLoss(rows, self._part, self._weights.kind, device, self._between)

    @torch.no_grad()
    def embedded(self, ids: Tensor) -> Tensor:
        """Return the embedding of tokens; see `Ends.embedded`."""
        return looked_up(ids, self._weights, self._part, self._between).requires_grad_()

    def take(self, ids: Tensor, gradient: Tensor) -> None:
        """Add the gradient of an embedding; see `Ends.take`."""
        own, is_own = own_of(ids, self._part.first_token, self._part.model.vocab_size)
        mine = is_own.nonzero().squeeze(-1)
        whole = self._between.all_of(gradient.contiguous())
        self.of_table.index_add_(0, own[mine], whole[mine])

    def picked(self, x: Tensor, rows: Tensor) -> Tensor:  # noqa: ARG002
        """Return all rows that this rank has: others may have more of those that are wanted."""
        return x

    def _step(
        self, features: Tensor, targets: Tensor, scale: float, rows: Tensor | None
    ) -> tuple[float, Tensor]:
        whole = self._between.all_of(features.contiguous())
        wanted = whole if rows is None else whole.index_select(0, rows)
        loss, gradient = super()._step(wanted, targets, scale, None)
        if rows is not None:
            gradient = torch.zeros_like(whole).index_copy_(0, rows, gradient)
        return loss, self._between.sum_of(gradient).to(features.dtype)


def own_of(ids: Tensor, first: int, count: int) -> tuple[Tensor, Tensor]:
    """Return the rows that a rank has of tokens, and which tokens are there.

    Args:
        ids: int64 [rows], of the whole vocabulary.
        first: row of the vocabulary that the rank has.
        count: of its rows.

    Returns:
        int64 [rows], any row for the others' tokens; bool [rows].
    """
    own = ids - first
    return own.clamp(0, count - 1), (own >= 0) & (own < count)


def looked_up(ids: Tensor, weights: Weights, part: Partition, between: Rows) -> Tensor:
    """Return the embedding of tokens.

    Args:
        ids: int64 [rows].
        weights: of what the rank holds.
        part: what that is.
        between: ranks of the tensor axis.

    Returns:
        float32 [rows / shares, width].

    Raises:
        PeerLost: a rank is gone.
    """
    own, is_own = own_of(ids, part.first_token, part.model.vocab_size)
    found = weights.table_values[own].to(torch.float32)
    found.mul_(is_own.unsqueeze(-1))
    return between.sum_of(found)


def joined(told: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return what follows from what each rank tells of its logits.

    Args:
        told: float32 [shares, 3, rows]: the largest, the sum of the exponentials below it, and the
            target's or 0.

    Returns:
        Of each row the largest logit, the sum of all exponentials below it, and the cross-entropy
        in nats; float32 [rows] each.
    """
    largest, below, wanted = told.unbind(1)
    most = largest.amax(dim=0)
    whole = (below * (largest - most).exp()).sum(dim=0)
    return most, whole, most + whole.log() - wanted.sum(dim=0)
