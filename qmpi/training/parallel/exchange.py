"""Tokens on their way to experts on other ranks, and back.

Theory of operation. Each rank has a run of the experts, and some sequences of a microbatch. It
sends each token's features to the ranks that have the token's experts, once for each expert, with
the share that the expert has. How many rows travel depends on the router, so counts travel first;
no token is dropped. What arrives is laid expert by expert, by source within one: so an expert sees
the rows, in the order, that it would see on a rank that has all sequences, for ranks have these in
order. Results go back the way that the rows came, and are summed over a token's experts as ever.
The gradient goes the same two ways; that of the shares comes with that of the rows.

If loads are even, a rank sends R = tokens x k x (E - 1) / E rows to others, on each of four ways.
With s bytes an element that makes R x (4 x width x s + 8) bytes in a layer and a microbatch; 8 of
them are the share and its gradient. Counts are 8 bytes an expert.

Shares and their gradients are float32 and travel as bits, behind the features of their row.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from qmpi.model.experts.choice import Plan
from qmpi.model.experts.mix import Begun
from qmpi.model.experts.products import (
    Matrices,
    backward_rows,
    forward_rows,
    rows_of,
    summed,
)
from qmpi.training.comm.pending import Pending
from qmpi.training.parallel.sequences import Sequences


@dataclass(frozen=True)
class Trip:
    """Where the rows of one microbatch go in one layer.

    Attributes:
        between: the ranks that they go to.
        plan: who takes which, of all experts.
        sent: rows for each rank.
        received: rows of each rank.
        sizes: rows of each expert that is here.
        order: of these, in what arrives; int64 [sum of sizes].
    """

    between: "TokenExchange"
    plan: Plan
    sent: list[int]
    received: list[int]
    sizes: list[int]
    order: Tensor

    def laid(self, arrived: Tensor) -> Tensor:
        """Return what has arrived expert by expert."""
        return arrived[self.order]

    def there(self, rows: Tensor) -> Tensor:
        """Send rows, expert by expert, to those who have the experts.

        Args:
            rows: [rows, ...], in the order of the plan.

        Returns:
            What arrives, by source.
        """
        return self.between.exchanged(rows, self.sent, self.received)

    def back(self, rows: Tensor) -> Tensor:
        """Send rows back.

        Args:
            rows: [rows, ...], expert by expert.

        Returns:
            Those that this rank has sent, in the order of the plan.
        """
        by_source = torch.empty_like(rows)
        by_source[self.order] = rows
        return self.between.exchanged(by_source, self.received, self.sent)


class TokenExchange:
    """The ranks of the expert axis, as an `Exchange` of a layer.

    Attributes:
        parts: ranks along the axis.
    """

    def __init__(self, sequences: Sequences, place: int) -> None:
        """Take the rank's place.

        Args:
            sequences: who has which; the ranks that have the others have the other experts.
            place: of the rank along the axis.
        """
        self._sequences, self._place, self.parts = sequences, place, sequences.parts

    def begin(self, x: Tensor, shares: Tensor, given: Plan) -> Begun:
        """Send tokens to their experts.

        Args:
            x: [tokens, width], in the compute type.
            shares: float32 [tokens, k].
            given: who takes which, of all experts.

        Returns:
            What waits for those that come here, and computes.

        Raises:
            PeerLost: a rank is gone.
        """
        trip = self._trip(given, x.device)
        with torch.no_grad():
            rows = x[given.order // shares.shape[1]]
            rows = with_numbers(rows, rows_of(shares, given.order))
        arriving = self._start(rows, trip)
        return lambda gate_up, down: _Away.apply(x, shares, trip, arriving, gate_up, down)

    def exchanged(self, rows: Tensor, sent: list[int], received: list[int]) -> Tensor:
        """Send rows and receive others; until ranks have met, zeros stand for what would come.

        Args:
            rows: for each rank, in order.
            sent: how many for each.
            received: how many of each.

        Returns:
            Those of each rank, in order.

        Raises:
            PeerLost: a rank is gone.
        """
        if self._sequences.line is None:
            return rows.new_zeros(sum(received), *rows.shape[1:])
        return self._sequences.line.alltoall(rows, sent, received)

    def _start(self, rows: Tensor, trip: Trip) -> "Pending | Tensor":
        if self._sequences.line is None:
            return self.exchanged(rows, trip.sent, trip.received)
        return self._sequences.line.start.alltoall(rows, trip.sent, trip.received)

    def _trip(self, given: Plan, device: torch.device) -> Trip:
        mine = torch.tensor(given.sizes).view(self.parts, -1)
        if self._sequences.line is None:
            theirs = torch.stack([mine[self._place]] * self.parts)
        else:
            ones = [1] * self.parts
            theirs = self._sequences.line.alltoall(mine, ones, ones)
        experts = torch.arange(mine.shape[1]).repeat(self.parts)
        order = experts.repeat_interleave(theirs.flatten()).sort(stable=True).indices
        return Trip(
            between=self,
            plan=given,
            sent=mine.sum(dim=1).tolist(),
            received=theirs.sum(dim=1).tolist(),
            sizes=theirs.sum(dim=0).tolist(),
            order=order.to(device),
        )


class _Away(torch.autograd.Function):
    """As `Products`, of experts that are on several ranks."""

    @staticmethod
    def forward(  # noqa: PLR0913
        ctx: Any,  # noqa: ANN401
        x: Tensor,
        shares: Tensor,
        trip: Trip,
        arriving: Pending | Tensor,
        gate_up: Tensor,
        down: Tensor,
    ) -> Tensor:
        arrived = arriving if isinstance(arriving, Tensor) else arriving.wait()
        rows, share = without_numbers(trip.laid(arrived), x.shape[1])
        share, made = share.to(x.dtype), torch.empty_like(rows)
        merged = forward_rows(rows, share, trip.sizes, Matrices(gate_up, down), made)
        ctx.save_for_backward(shares, rows, share, merged, gate_up, down)
        ctx.trip = trip
        return summed(trip.back(made), trip.plan.order, shares)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        shares, rows, share, merged, gate_up, down = ctx.saved_tensors
        trip: Trip = ctx.trip
        order = trip.plan.order
        given = gradients[0].to(rows.dtype)[order // shares.shape[1]]
        back = trip.laid(trip.there(given))
        of_share, of_matrices = backward_rows(
            back, lambda: rows, share, merged, trip.sizes, Matrices(gate_up, down)
        )
        told = trip.back(with_numbers(back, of_share.unsqueeze(1)))
        of_rows, of_row_shares = without_numbers(told, rows.shape[1])
        of_shares = torch.zeros_like(shares).flatten()
        of_shares[order] = of_row_shares.squeeze(1)
        of_x = summed(of_rows, order, shares).to(rows.dtype)
        return of_x, of_shares.view_as(shares), None, None, *of_matrices


def with_numbers(rows: Tensor, numbers: Tensor) -> Tensor:
    """Put a number behind each row, as bits.

    Args:
        rows: [rows, width], of 4 or 2 bytes an element.
        numbers: float32 [rows, 1].

    Returns:
        [rows, width + 4 / itemsize].
    """
    return torch.cat((rows, numbers.contiguous().view(rows.dtype)), dim=1)


def without_numbers(rows: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Undo `with_numbers`.

    Args:
        rows: as it returned them.
        width: of the rows before.

    Returns:
        Rows and numbers, contiguous.
    """
    # A copy even of what is contiguous: bits are read at whole numbers alone.
    numbers = rows[:, width:].clone(memory_format=torch.contiguous_format)
    return rows[:, :width].contiguous(), numbers.view(torch.float32)
