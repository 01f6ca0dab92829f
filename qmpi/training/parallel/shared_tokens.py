"""Sequences whose tokens the ranks of the context axis share.

Theory of operation. All but attention is computed token by token, each rank its own pieces (see
`qmpi.model.pieces`). A layer's queries need the keys and values of all tokens before them: these
are gathered, in the type that is multiplied in, and put in the sequence's order; backward, each
rank has the sum of the gradients that all give its keys and values. Sums of floats are in order of
the ranks, so a lane has the same bits in every team. A lane's loss is the mean of the ranks' means,
for all have as many tokens.

What travels. A layer gathers once forward and scatters once backward, and gathers again where it is
computed again: each time a rank receives (C - 1) / C of 2 B T K D numbers, K key heads of D
features that the rank has. Its pieces, r and 2 C - 1 - r of 2 C, see the keys of the first 2 C - r
pieces, its own two among them: on average over the ranks three quarters of what is received. So
full attention gathers 4/3 of what is needed. With a window only a band of keys is needed, and all
are gathered all the same.

A rank is rehearsed before it knows its neighbours; see `rows`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from qmpi.training.comm.line import Comm


class SharedTokens:
    """The share of one rank.

    Attributes:
        line: the ranks of the context axis; None: not met yet.
    """

    def __init__(self, place: int = 0, ranks: int = 1) -> None:
        """Take the rank's place.

        Args:
            place: index of the rank along the axis.
            ranks: along it.
        """
        self.place, self.ranks = place, ranks
        self.line: Comm | None = None

    def mean_of(self, losses: Sequence[float]) -> list[float]:
        """Return mean losses over all tokens, the same bits on all ranks.

        Args:
            losses: means over the tokens of this rank; as many everywhere.

        Returns:
            One for each.

        Raises:
            PeerLost: a rank is gone.
        """
        if self.line is None or self.ranks == 1:
            return list(losses)
        total = self.sum_of(torch.tensor(losses, dtype=torch.float64))
        return (total / self.ranks).tolist()

    def sum_of(self, numbers: Tensor) -> Tensor:
        """Return sums over the ranks, the same bits on all of them.

        Args:
            numbers: float64 [n], in the host's memory.

        Returns:
            float64 [n].

        Raises:
            PeerLost: a rank is gone.
        """
        if self.line is None or self.ranks == 1:
            return numbers
        total = torch.zeros_like(numbers)
        for one in self.line.gather_numbers(numbers):
            total += one
        return total

    def whole(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return the keys and values of whole sequences; differentiable.

        Args:
            k: [B, T / ranks, K, D], of the tokens of this rank.
            v: likewise.

        Returns:
            [B, T, K, D] each, in order of the sequence.

        Raises:
            PeerLost: a rank is gone, here or in the backward pass.
        """
        k, v = _Gather.apply(torch.stack((k, v)), self).unbind()
        return k, v

    def gathered(self, own: Tensor) -> Tensor:
        """Return the tokens of all ranks, in order of the sequence.

        Args:
            own: [N, B, T / ranks, ...], contiguous.

        Returns:
            [N, B, T, ...].

        Raises:
            PeerLost: a rank is gone.
        """
        told = torch.cat([own] * self.ranks) if self.line is None else self.line.allgather(own)
        whole = own.new_empty(*own.shape[:2], own.shape[2] * self.ranks, *own.shape[3:])
        for place, pair in enumerate(self._pairs(told, own.shape)):
            for piece, given in zip(self._of(whole, place), pair, strict=True):
                piece.copy_(given)
        return whole

    def scattered(self, whole: Tensor) -> Tensor:
        """Return the sum over the ranks, of the tokens of this rank.

        Args:
            whole: [N, B, T, ...]; what this rank adds.

        Returns:
            float32 [N, B, T / ranks, ...].

        Raises:
            PeerLost: a rank is gone.
        """
        shape = (*whole.shape[:2], whole.shape[2] // self.ranks, *whole.shape[3:])
        told = whole.new_empty(self.ranks * shape[0], *shape[1:])
        for place, pair in enumerate(self._pairs(told, torch.Size(shape))):
            for piece, given in zip(self._of(whole, place), pair, strict=True):
                given.copy_(piece)
        if self.line is None:
            return told.chunk(self.ranks)[self.place].to(torch.float32)
        return self.line.sum_scattered(told).to(torch.float32)

    def _pairs(self, told: Tensor, shape: torch.Size) -> Iterator[tuple[Tensor, ...]]:
        """Yield the two pieces of each rank, in order of the ranks."""
        for own in told.view(self.ranks, *shape).unbind():
            yield own.chunk(2, dim=2)

    def _of(self, whole: Tensor, place: int) -> tuple[Tensor, ...]:
        """Return the two pieces of a rank out of whole sequences."""
        pieces = whole.chunk(2 * self.ranks, dim=2)
        return pieces[place], pieces[-1 - place]


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, between: SharedTokens) -> Tensor:  # noqa: ANN401
        ctx.between, ctx.kind = between, own.dtype
        return between.gathered(own)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return ctx.between.scattered(gradients[0]).to(ctx.kind), None
