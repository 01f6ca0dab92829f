"""Operations of a line that have ended here when they return."""

from collections.abc import Sequence

import torch
from torch import Tensor

from qmpi.training.comm.pieces import pieces
from qmpi.training.comm.starts import Starts


class Waited:
    """The operations of a line; large tensors in pieces, one after the other.

    Attributes:
        start: the same operations, to be waited for later.
    """

    def __init__(self, start: Starts) -> None:
        """Take what begins operations.

        Args:
            start: of the line.
        """
        self.start = start

    def allreduce(self, tensor: Tensor) -> None:
        """Sum over the members, in place, in an order that the library chooses.

        Args:
            tensor: int32, int64, float32, float64 or bfloat16, contiguous; the same shape
                everywhere.
        """
        for piece in pieces(tensor):
            self.start.allreduce(piece).wait()

    def maximum(self, tensor: Tensor) -> None:
        """Take the largest over the members, element by element, in place.

        Args:
            tensor: int32, int64, float32, float64 or bfloat16, contiguous; the same shape
                everywhere.
        """
        for piece in pieces(tensor):
            self.start.maximum(piece).wait()

    def sum_everywhere(self, tensor: Tensor) -> None:
        """Sum over the members, in place, in order of index.

        Args:
            tensor: int32, int64, float32, float64 or bfloat16, contiguous; the same shape
                everywhere. bfloat16 is summed in float32 and rounded once.
        """
        for piece in pieces(tensor):
            self.start.sum_everywhere(piece).wait()

    def sum_scattered(self, tensor: Tensor, counts: Sequence[int] | None = None) -> Tensor:
        """Sum over the members in order of index, and give each its part (reduce-scatter).

        Args:
            tensor: [rows, ...], int32, int64, float32, float64 or bfloat16, contiguous; the same
                shape everywhere. It stays as it is.
            counts: rows of each member's part, in order of index; None: as even as can be, the
                first have one more.

        Returns:
            This member's part, [counts[index], ...].
        """
        return self.start.sum_scattered(tensor, counts).wait()

    def allgather(self, part: Tensor, counts: Sequence[int] | None = None) -> Tensor:
        """Put the parts of all members together, in order of index.

        Args:
            part: [counts[index], ...], any type, contiguous.
            counts: rows of each member's part; None: as many as here.

        Returns:
            A new tensor, [sum of counts, ...].
        """
        return self.start.allgather(part, counts).wait()

    def alltoall(self, tensor: Tensor, sent: Sequence[int], received: Sequence[int]) -> Tensor:
        """Send each member some rows, and receive some of each.

        Args:
            tensor: [sum of sent, ...], any type, contiguous; rows for each member, in order.
            sent: rows for each member, >= 0.
            received: rows from each member, >= 0: what that one sends here.

        Returns:
            A new tensor, [sum of received, ...], in order of index.
        """
        return self.start.alltoall(tensor, sent, received).wait()

    def broadcast(self, tensor: Tensor, root: int) -> None:
        """Give every member the root's values, in place.

        Args:
            tensor: contiguous, the same shape everywhere.
            root: index of the member whose values count.
        """
        for piece in pieces(tensor):
            self.start.broadcast(piece, root).wait()

    def look_on(self, like: Tensor, root: int) -> None:
        """Take part in a broadcast, which wants everybody, and throw away what comes.

        Args:
            like: what is broadcast is of its shape and type.
            root: index of the member that gives it.
        """
        for piece in pieces(like):
            self.broadcast(torch.empty_like(piece), root)

    def send(self, tensor: Tensor, target: int) -> None:
        """Send one member a tensor; what one member sends another arrives in order.

        Args:
            tensor: any type, contiguous.
            target: index of another member. It may have to receive before this returns.
        """
        for piece in pieces(tensor):
            self.start.send(piece, target).wait()

    def receive(self, tensor: Tensor, source: int) -> None:
        """Receive the next tensor that a member has sent here.

        Args:
            tensor: of the shape and type of what was sent, contiguous; overwritten.
            source: index of another member.
        """
        for piece in pieces(tensor):
            self.start.receive(piece, source).wait()
