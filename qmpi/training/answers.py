"""Which tokens of a row are answers to problems, by their ids alone.

Theory of operation. A generated problem ends in a line that opens with fixed words and goes on with
the answer (`qmpi.content.exercise`). So a line that opens with their ids, and ends within a few
tokens, holds one: no mark has to travel with a block or lie in a shard. The bound leaves prose out
that happens to begin with such a word.
"""

import torch
from torch import Tensor

from qmpi.protocol.token_kinds import AnswerLines

MOST_TOKENS = 24
"""Of an answer, its line break left out."""


class Answers:
    """Finds answers."""

    def __init__(self, lines: AnswerLines, device: torch.device) -> None:
        """Make the tables.

        Args:
            lines: how they look.
            device: where ids are.
        """
        self._openings = lines.openings
        # The last entry stands for all ids behind: ranks may have a part of the vocabulary.
        self._breaks = torch.zeros(max(lines.breaks, default=-1) + 2, dtype=torch.bool)
        self._breaks[list(lines.breaks)] = True
        self._breaks = self._breaks.to(device)

    @property
    def are_told(self) -> bool:
        """Whether there are any to be found."""
        return bool(self._openings)

    def of_targets(self, ids: Tensor) -> Tensor:
        """Return of each target whether it is part of an answer.

        Args:
            ids: int64 [B, T + 1].

        Returns:
            bool [B, T]; of a line that the row cuts nothing is.
        """
        is_break = self._breaks[ids.clamp(max=self._breaks.numel() - 1)]
        begins = torch.zeros_like(is_break)
        for opening in self._openings:
            begins |= self._behind(ids, is_break, opening)
        places = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
        # Of each place the next break, that of the place itself included.
        ends = torch.where(is_break, places, ids.shape[1]).flip(1).cummin(1).values.flip(1)
        size = ends - places
        begins &= (size > 0) & (size <= MOST_TOKENS) & (ends < ids.shape[1])
        edges = begins.to(torch.int32)
        # Where nothing begins, what is taken away is nothing.
        edges.scatter_add_(1, ends.clamp(max=ids.shape[1] - 1), -begins.to(torch.int32))
        return edges.cumsum(1)[:, 1:] > 0

    def _behind(self, ids: Tensor, is_break: Tensor, opening: tuple[int, ...]) -> Tensor:
        """Return where the first token behind an opening is, which follows a line break."""
        matches = is_break.clone()
        for place, token in enumerate(opening, 1):
            matches &= _ahead(ids == token, place)
        return _back(matches, len(opening) + 1)


def _ahead(flags: Tensor, by: int) -> Tensor:
    """Return of each place the flag so many places further on; False behind the end."""
    moved = torch.zeros_like(flags)
    if by < flags.shape[1]:
        moved[:, : flags.shape[1] - by] = flags[:, by:]
    return moved


def _back(flags: Tensor, by: int) -> Tensor:
    """Return of each place the flag so many places before; False ahead of the beginning."""
    moved = torch.zeros_like(flags)
    if by < flags.shape[1]:
        moved[:, by:] = flags[:, : flags.shape[1] - by]
    return moved
