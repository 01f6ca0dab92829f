"""What lanes tell of their sources beside the gradient: how many tokens of each, at what loss.

Theory of operation. A sequence comes from one source. The losses of its tokens are added up in
float64 and rounded to a grid; from there on all is integers, summed beside the gradient: the same
for any deal, and after a pass that is done again. An integer travels as three digits of 15 bits, so
that the sum over 65,536 ranks fits 32 bits. A sequence whose loss is not finite counts for nothing.
The loss of answers (`qmpi.training.answers`) is told apart.

A problem is solved where each token of its answer is given more than half. No other token can have
as much, so greedy decoding behind what stands before the answer writes it. The reverse does not
hold: less than half may be the most.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from qmpi.protocol.progress import LOSS_GRID, SourceLoss
from qmpi.training.answers import Answers

HALF = math.log(2.0)
"""Loss of a token that is given half, in nats."""

_KINDS = 6
"""Tokens, their loss, answer tokens, their loss; answers, those that are solved."""

_LOSSES = (1, 3)
"""Which of the kinds are losses."""

_DIGITS, _BITS = 3, 15


class LaneSources(NamedTuple):
    """What is known of a lane's rows before it is computed; of those that are computed here.

    Attributes:
        sources: int64 [rows]; empty: nobody knows.
        answers: int8 [rows, T], places of targets in answers, as `Answers.of_targets` has them;
            None: there are none to be told of.
    """

    sources: Tensor
    answers: Tensor | None = None

    def of(self, number: int, sequences: int) -> "LaneSources":
        """Return what is known of a microbatch.

        Args:
            number: which, from 0.
            sequences: of each, those that are computed here.
        """
        part = slice(number * sequences, (number + 1) * sequences)
        answers = None if self.answers is None else self.answers[part]
        return LaneSources(self.sources[part], answers)


NOT_KNOWN = LaneSources(torch.zeros(0, dtype=torch.int64))


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
        self._answers, self._device, self._rows = answers, device, sources + 1
        self.size = self._rows * _KINDS * _DIGITS
        self.clear()

    def clear(self) -> None:
        """Start a pass."""
        self._sources: list[Tensor] = []
        self._told: list[Tensor] = []

    def lane(
        self, sources: Sequence[int], own: Callable[[Tensor], Tensor], ids: Tensor
    ) -> LaneSources:
        """Look at a lane before it is computed.

        Args:
            sources: number of the source of each of its rows; empty: nobody knows.
            own: returns of all rows of the lane, [rows, any], those that are computed here.
            ids: int64 [rows, T + 1], those that are computed here, in the host's memory.

        Returns:
            What `take` needs, microbatch by microbatch.
        """
        if not sources:
            return NOT_KNOWN
        told = torch.tensor(sources, dtype=torch.int64).clamp_(max=self._rows - 1)
        return LaneSources(own(told.view(-1, 1)).flatten(), self.answers_of(ids))

    def answers_of(self, ids: Tensor) -> Tensor | None:
        """Return which targets are answers, bool [rows, T]; None: there are none to be told of.

        Args:
            ids: int64 [rows, T + 1], in the host's memory.
        """
        return self._answers.of_targets(ids) if self._answers.are_told else None

    def take(self, sources: Tensor, losses: Tensor, answers: Tensor | None) -> None:
        """Add what is computed here of a microbatch.

        Args:
            sources: int64 [sequences], at least one.
            losses: float32 [sequences * tokens], in nats; a buffer that is used again.
            answers: int8, likewise, places in answers; None: there are none.
        """
        rows = losses.view(sources.numel(), -1)
        whole = rows.sum(1, dtype=torch.float64)
        told = [torch.full_like(whole, rows.shape[1]), whole]
        if answers is None:
            told += [torch.zeros_like(whole)] * (_KINDS - len(told))
        else:
            told += _of_answers(rows, answers.to(self._device).view_as(rows))
        self._sources.append(sources)
        self._told.append(torch.stack(told, 1))

    def add_to(self, counts: Tensor) -> None:
        """Add the sums of the pass to what travels.

        Args:
            counts: int32, what is summed beside the gradient; the last `size` of it is for this.
        """
        if not self._told:
            return
        told = torch.cat(self._told)
        told[:, _LOSSES] *= LOSS_GRID
        finite = told.isfinite().all(1, keepdim=True)
        whole = told.where(finite, 0.0).round_().to(torch.int64)
        sums = torch.zeros(self._rows, _KINDS, dtype=torch.int64, device=self._device)
        sums.index_add_(0, torch.cat(self._sources).to(self._device), whole)
        digits = [(sums >> (_BITS * n)) & ((1 << _BITS) - 1) for n in range(_DIGITS)]
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


def _of_answers(losses: Tensor, places: Tensor) -> list[Tensor]:
    """Return of each sequence: answer tokens, their loss, answers, those that are solved.

    Args:
        losses: float32 [sequences, tokens].
        places: int8, likewise.
    """
    chosen, ends = places != 0, places < 0
    number = torch.arange(losses.shape[1], device=losses.device)
    # The last token up to each that is not given more than half; a loss that is no number is not.
    missed = number.where(~(losses < HALF), -1).cummax(1).values
    solved = ends & (number - missed >= -places)
    counted = [each.sum(1, dtype=torch.float64) for each in (chosen, ends, solved)]
    return [counted[0], losses.where(chosen, 0.0).sum(1, dtype=torch.float64), *counted[1:]]
