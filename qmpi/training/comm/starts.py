"""Operations of a line that are begun here and waited for elsewhere.

Members begin operations in one order, and wait in that order for those of two stages, which are the
sums in a fixed order: their second stage begins when the first has been waited for. Rows are what
the first dimension counts; tensors are contiguous. A tensor belongs to its operation until that has
been waited for, and for good once `PeerLost` was raised.
"""

from collections.abc import Callable, Sequence

from torch import Tensor
from torch._C._distributed_c10d import ReduceOp

from qmpi.errors import InvariantError
from qmpi.training.comm.backend import Backend
from qmpi.training.comm.pending import Begun, Pending, UnderWay
from qmpi.training.comm.pieces import as_bytes, even_counts
from qmpi.training.comm.stages import Stages


class Starts:
    """The operations of a line, each begun at once. Each may raise `PeerLost`, as its wait may."""

    def __init__(
        self, index: int, size: int, backend_of: Callable[[Tensor], Backend], under_way: UnderWay
    ) -> None:
        """Take the line.

        Args:
            index: place of this member, 0 <= index < size.
            size: number of members; one talks to nobody.
            backend_of: finds what carries a tensor; not asked when `size` is 1.
            under_way: the line's calls.
        """
        self._index, self._size = index, size
        self._under_way = under_way
        self._stages = Stages(index, size, backend_of, under_way)

    def allreduce(self, tensor: Tensor) -> Pending:
        """Sum over the members, in place, in an order that the library chooses.

        Args:
            tensor: int32, int64, float32, float64 or bfloat16; the same shape everywhere.

        Returns:
            Comes to the tensor. All members get the same bits; which, depends on the library where
            three or more members sum floats.
        """
        return self._pending(self._stages.reduced(tensor, ReduceOp.SUM))

    def maximum(self, tensor: Tensor) -> Pending:
        """Take the largest over the members, element by element, in place.

        Args:
            tensor: int32, int64, float32, float64 or bfloat16; the same shape everywhere.

        Returns:
            Comes to the tensor.
        """
        return self._pending(self._stages.reduced(tensor, ReduceOp.MAX))

    def sum_everywhere(self, tensor: Tensor) -> Pending:
        """Sum over the members, in place, in order of index: ((r0 + r1) + r2) + ...

        Args:
            tensor: int32, int64, float32, float64 or bfloat16; the same shape everywhere.

        Returns:
            Comes to the tensor. bfloat16 is summed in float32 and rounded once.
        """
        ordered = tensor.is_floating_point() and self._size > 2
        stages = (
            self._stages.summed(tensor) if ordered else self._stages.reduced(tensor, ReduceOp.SUM)
        )
        return self._pending(stages)

    def sum_scattered(self, tensor: Tensor, counts: Sequence[int] | None = None) -> Pending:
        """Sum over the members in order of index, and give each its part (reduce-scatter).

        Args:
            tensor: [rows, ...], int32, int64, float32, float64 or bfloat16; the same shape
                everywhere. It stays as it is.
            counts: rows of each member's part, in order of index; None: `even_counts`.

        Returns:
            Comes to this member's part, [counts[index], ...]. bfloat16 is summed in float32 and
            rounded once.
        """
        return self._pending(
            self._stages.scattered(tensor, counts or even_counts(len(tensor), self._size))
        )

    def allgather(self, part: Tensor, counts: Sequence[int] | None = None) -> Pending:
        """Put the parts of all members together, in order of index.

        Args:
            part: [counts[index], ...], any type; the same shape but for the rows everywhere.
            counts: rows of each member's part; None: as many as here.

        Returns:
            Comes to a new tensor, [sum of counts, ...].
        """
        return self._pending(self._stages.gathered(part, counts or [len(part)] * self._size))

    def alltoall(self, tensor: Tensor, sent: Sequence[int], received: Sequence[int]) -> Pending:
        """Send each member some rows, and receive some of each.

        Args:
            tensor: [sum of sent, ...], any type; rows for each member, in order of index.
            sent: rows for each member, >= 0.
            received: rows from each member, >= 0: what that one sends here.

        Returns:
            Comes to a new tensor, [sum of received, ...], in order of index.
        """
        return self._pending(self._stages.exchanged(tensor, sent, received))

    def broadcast(self, tensor: Tensor, root: int) -> Pending:
        """Give every member the root's values, in place.

        Args:
            tensor: the same shape everywhere.
            root: index of the member whose values count.

        Returns:
            Comes to the tensor.
        """
        return self._pending(
            self._stages.spread(tensor, tensor, root, lambda backend: backend.group)
        )

    def send(self, tensor: Tensor, target: int) -> Pending:
        """Send one member a tensor; what one member sends another arrives in order.

        Args:
            tensor: any type; it must stay as it is until this has been waited for.
            target: index of another member.

        Returns:
            Comes to the tensor; may wait until the target receives it.

        Raises:
            InvariantError: there is no such other member.
        """
        return self._message(tensor, self._index, self._other(target))

    def receive(self, tensor: Tensor, source: int) -> Pending:
        """Receive the next tensor that a member has sent here.

        Args:
            tensor: of the shape and type of what was sent; overwritten.
            source: index of another member.

        Returns:
            Comes to the tensor.

        Raises:
            InvariantError: there is no such other member.
        """
        return self._message(tensor, self._other(source), self._index)

    def _pending(self, stages: Begun) -> Pending:
        return Pending(stages, self._under_way)

    def _message(self, tensor: Tensor, source: int, target: int) -> Pending:
        return self._pending(
            self._stages.spread(
                tensor, as_bytes(tensor), 0, lambda backend: backend.ways.between(source, target)
            )
        )

    def _other(self, index: int) -> int:
        if index == self._index or not 0 <= index < self._size:
            raise InvariantError(f"member {self._index} of {self._size} has no peer {index}")
        return index
