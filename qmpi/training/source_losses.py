"""What lanes tell of their sources beside the gradient: how many tokens of each, at what loss.

Theory of operation. A sequence comes from one source. The losses of its tokens are added up in
float64 and rounded to a grid; from there on all is integers, summed beside the gradient: the same
for any deal, and after a pass that is done again. An integer travels as three digits of 15 bits, so
that the sum over 65,536 ranks fits 32 bits. A sequence whose loss is not finite counts for nothing.
The loss of answers (`qmpi.training.answers`) is told apart.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from qmpi.protocol.progress import LOSS_GRID, SourceLoss
from qmpi.training.answers import Answers

_KINDS = 4
"""Tokens, their loss, answer tokens, their loss."""

_DIGITS, _BITS = 3, 15


class SourceLosses:
    """Sums of a pass, on one rank.

    Attributes:
        size: integers that they make.
    """

    def __init__(self, sources: int, answers: Answers, device: torch.device) -> None:
        """Make room.

        Args:
            sources: of the job file; what a run is given later is counted as one more.
            answers: says which tokens are answers.
            device: where lanes are computed.
        """
        self._answers = answers
        self._sums = torch.zeros(sources + 1, _KINDS, dtype=torch.int64, device=device)
        self.size = self._sums.numel() * _DIGITS

    def clear(self) -> None:
        """Start a pass."""
        self._sums.zero_()

    def rows(self, sources: Sequence[int]) -> Tensor:
        """Return the sources of a lane's rows as `take` wants them.

        Args:
            sources: number of the source of each; empty: nobody knows.

        Returns:
            int64 [rows, 1], or [0, 1].
        """
        told = torch.tensor(sources, dtype=torch.int64).clamp_(max=len(self._sums) - 1)
        return told.view(-1, 1)

    def answers(self, ids: Tensor) -> Tensor | None:
        """Return which targets are answers; None: there are none to be told of.

        Args:
            ids: int64 [B, T + 1].

        Returns:
            bool [B, T].
        """
        return self._answers.of_targets(ids) if self._answers.are_told else None

    def take(self, sources: Tensor, losses: Tensor, answers: Tensor | None) -> None:
        """Add what is computed here of a microbatch.

        Args:
            sources: int64 [sequences, 1]; empty: nothing is added.
            losses: float32 [sequences * tokens], in nats.
            answers: bool, likewise; None: there are none.
        """
        if not sources.numel():
            return
        rows = losses.view(sources.numel(), -1).to(torch.float64)
        told = torch.zeros(rows.shape[0], _KINDS, dtype=torch.float64, device=rows.device)
        told[:, 0] = rows.shape[1]
        told[:, 1] = rows.sum(1) * LOSS_GRID
        if answers is not None:
            chosen = answers.view_as(rows)
            told[:, 2] = chosen.sum(1)
            told[:, 3] = torch.where(chosen, rows, 0.0).sum(1) * LOSS_GRID
        told *= told.isfinite().all(1, keepdim=True)
        whole = torch.nan_to_num(told, 0.0, 0.0, 0.0).round_().to(torch.int64)
        self._sums.index_add_(0, sources.view(-1).to(self._sums.device), whole)

    def add_to(self, counts: Tensor) -> None:
        """Add the sums of the pass to what travels.

        Args:
            counts: int32, what is summed beside the gradient; the last `size` of it is for this.
        """
        digits = [(self._sums >> (_BITS * n)) & ((1 << _BITS) - 1) for n in range(_DIGITS)]
        counts[counts.numel() - self.size :].add_(torch.stack(digits).flatten().to(torch.int32))

    def read(self, counts: Tensor) -> tuple[SourceLoss, ...]:
        """Read the sums of all ranks.

        Args:
            counts: as of `add_to`, summed.

        Returns:
            An entry for each source that had a token, ascending.
        """
        own = counts[counts.numel() - self.size :].to(torch.int64).view(_DIGITS, -1, _KINDS)
        sums = torch.zeros_like(own[0])
        for number, digit in enumerate(own.unbind()):
            sums += digit << (_BITS * number)
        return tuple(SourceLoss(number, *row) for number, row in enumerate(sums.tolist()) if row[0])
