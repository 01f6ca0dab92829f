"""The residual stream between the ranks of the tensor axis, cut by rows.

Theory of operation. Between layers each rank has a run of the stream's rows, so norms and sums are
computed once a team, and a rank keeps a share of what is kept for backward. What reads the stream
needs all rows: they are gathered, and the gradients that the ranks give them are added up. What
writes to it gives each rank a share of every row: these are added up, each sum where its rows live,
and their gradient is gathered. Sums of floats are in order of the ranks, so a lane has the same
bits in every team.

A rank is rehearsed before it knows its neighbours. Until it has a line, what it gives stands for
what they would: shapes and memory are true, numbers are not.
"""

from typing import Any

import torch
from torch import Tensor

from qmpi.training.comm.line import Comm


class Rows:
    """Rows of one rank.

    Attributes:
        line: the ranks of the tensor axis; None: not met yet.
    """

    def __init__(self, share: int, shares: int) -> None:
        """Take the rank's place.

        Args:
            share: index of the rank along the axis.
            shares: ranks along it.
        """
        self.share, self.shares = share, shares
        self.line: Comm | None = None

    def all_of(self, own: Tensor) -> Tensor:
        """Return all rows.

        Args:
            own: [rows / shares, ...], contiguous.

        Returns:
            [rows, ...].

        Raises:
            PeerLost: a rank is gone.
        """
        if self.line is None:
            return torch.cat([own] * self.shares)
        return self.line.allgather(own)

    def sum_of(self, shares: Tensor) -> Tensor:
        """Return this rank's rows of a sum over the ranks.

        Args:
            shares: [rows, ...], contiguous; what this rank adds.

        Returns:
            float32 [rows / shares, ...].

        Raises:
            PeerLost: a rank is gone.
        """
        if self.line is None:
            return shares.chunk(self.shares)[self.share].to(torch.float32)
        return self.line.sum_scattered(shares).to(torch.float32)

    def each(self, told: Tensor) -> Tensor:
        """Return what each rank tells, in order.

        Args:
            told: [...], contiguous.

        Returns:
            [shares, ...].

        Raises:
            PeerLost: a rank is gone.
        """
        return self.all_of(told.unsqueeze(0))

    def mean_of(self, own: Tensor) -> Tensor:
        """Return the mean over the ranks, added up in their order; the same bits on all.

        Args:
            own: float32 [...], contiguous.

        Returns:
            Likewise, a new tensor.

        Raises:
            PeerLost: a rank is gone.
        """
        total = torch.zeros_like(own)
        for one in self.each(own):
            total += one
        return total / self.shares

    def gather(self, own: Tensor) -> Tensor:
        """Return all rows; differentiable. Arguments and errors as of `all_of`."""
        return _Gather.apply(own, self)

    def scatter(self, shares: Tensor) -> Tensor:
        """Return own rows of a sum; differentiable. Arguments and errors as of `sum_of`."""
        return _Scatter.apply(shares, self)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, rows: Rows) -> Tensor:  # noqa: ANN401
        ctx.rows, ctx.kind = rows, own.dtype
        return rows.all_of(own.contiguous())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return ctx.rows.sum_of(gradients[0].contiguous()).to(ctx.kind), None


class _Scatter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, shares: Tensor, rows: Rows) -> Tensor:  # noqa: ANN401
        ctx.rows, ctx.kind = rows, shares.dtype
        return rows.sum_of(shares.contiguous())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        # In the type that it is needed in: half the bytes, and the numbers a rank alone would have.
        return ctx.rows.all_of(gradients[0].to(ctx.kind).contiguous()), None
