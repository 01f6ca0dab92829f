"""Which tokens of a row are answers to problems, by their ids alone.

Theory of operation. A generated problem ends in a line that opens with fixed words and goes on with
the answer (`qmpi.content.exercise`). So a line that opens with their ids, and ends within a few
tokens, holds one: no mark has to travel with a block or lie in a shard. The bound leaves prose out
that happens to begin with such a word.

Most tokens are no line breaks, and most lines open otherwise: two looks at a table leave few places
to be compared. That is done on the host, where blocks arrive.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qmpi.protocol.evaluation import RowLoss
from qmpi.protocol.token_kinds import AnswerLines

MOST_TOKENS = 24
"""Of an answer, its line break left out."""

KINDS = 3
"""Sums that `row_losses` takes of a row."""

Flags = np.ndarray[Any, np.dtype[np.bool_]]


class Answers:
    """Finds answers."""

    def __init__(self, lines: AnswerLines) -> None:
        """Make the tables.

        Args:
            lines: how they look.
        """
        # One may begin like another: the longest is tried first.
        self._openings = sorted(lines.openings, key=len, reverse=True)
        self._breaks = _table(lines.breaks)
        self._firsts = _table(opening[0] for opening in lines.openings)

    @property
    def are_told(self) -> bool:
        """Whether there are any to be found."""
        return bool(self._openings)

    def of_targets(self, ids: Tensor) -> Tensor:
        """Return of each target its place in an answer.

        Args:
            ids: int64 [B, T + 1], in the host's memory.

        Returns:
            int8 [B, T]: 0 is no part of an answer, 1 the first token of one; the last has its
            place below 0, so it tells the length. Of a line that the row cuts nothing is an answer.
        """
        rows = ids.numpy()
        is_break = _looked_up(self._breaks, rows)
        opens = is_break[:, :-1] & _looked_up(self._firsts, rows)[:, 1:]
        found = np.zeros(rows.shape, np.int8)
        for row, place in zip(*np.nonzero(opens), strict=True):
            opening = self._behind(rows[row, place + 1 :])
            begin = place + 1 + opening
            breaks = np.flatnonzero(is_break[row, begin : begin + MOST_TOKENS + 1])
            if opening and breaks.size and breaks[0]:
                found[row, begin : begin + breaks[0]] = np.arange(1, breaks[0] + 1)
                found[row, begin + breaks[0] - 1] *= -1
        return torch.from_numpy(found[:, 1:])

    def _behind(self, ids: np.ndarray[Any, Any]) -> int:
        """Return how many ids an opening takes with which these begin; 0: they begin with none."""
        for opening in self._openings:
            if ids[: len(opening)].tolist() == list(opening):
                return len(opening)
        return 0


def row_losses(each: Tensor, answers: Tensor | None) -> Tensor:
    """Add the losses of some rows up.

    Args:
        each: of their targets, [rows, T].
        answers: int8, likewise, on any device, as `Answers.of_targets` has them; None: there are
            none.

    Returns:
        float64 [KINDS, rows]: nats of all targets, nats of the answers, number of the answers.
    """
    losses = each.double()
    chosen = torch.zeros_like(each) if answers is None else answers.to(each.device)
    chosen = chosen != 0
    # Not multiplied: what is not finite elsewhere in the row would be so here.
    of_answers = losses.where(chosen, 0.0)
    return torch.stack([losses.sum(1), of_answers.sum(1), chosen.sum(1, dtype=torch.float64)])


def told_losses(sums: Tensor) -> list[RowLoss]:
    """Return losses by row.

    Args:
        sums: as of `row_losses`.
    """
    rows = sums.t().tolist()
    return [RowLoss(nats, answer_nats, int(answers)) for nats, answer_nats, answers in rows]


def _table(ids: Iterable[int]) -> Flags:
    """Return which ids are among some; the last entry stands for all ids behind."""
    known = list(ids)
    table = np.zeros(max(known, default=-1) + 2, np.bool_)
    table[known] = True
    return table


def _looked_up(table: Flags, ids: np.ndarray[Any, Any]) -> Flags:
    found: Flags = table[np.minimum(ids, table.size - 1)]
    return found
