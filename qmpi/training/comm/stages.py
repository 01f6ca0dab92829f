"""What the operations of a line are made of: calls of the library, stage by stage."""

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor
from torch._C._distributed_c10d import ReduceOp

from qmpi.errors import InvariantError
from qmpi.training.comm.backend import Backend
from qmpi.training.comm.group import Group, Work
from qmpi.training.comm.pending import Begun, Operation, UnderWay
from qmpi.training.comm.pieces import as_bytes, even_counts, pieces, sum_in_order


class Stages:
    """Begins the calls of a line's operations; a line of one makes none."""

    def __init__(
        self, index: int, size: int, backend_of: Callable[[Tensor], Backend], under_way: UnderWay
    ) -> None:
        """Take the line.

        Args:
            index: place of this member.
            size: number of members.
            backend_of: finds what carries a tensor.
            under_way: the line's calls.
        """
        self._index, self._size = index, size
        self._backend_of, self._under_way = backend_of, under_way

    def reduced(self, tensor: Tensor, how: ReduceOp.RedOpType) -> Begun:
        """Combine the values of all members, in place.

        Args:
            tensor: the same shape everywhere.
            how: sum or maximum.

        Yields:
            The calls of all pieces.

        Returns:
            The tensor.
        """
        if self._size > 1 and tensor.numel():
            yield [self._call(lambda g, p=p: g.allreduce([p], how), p) for p in pieces(tensor)]
        return tensor

    def spread(
        self, tensor: Tensor, data: Tensor, root: int, group_of: Callable[[Backend], Group]
    ) -> Begun:
        """Give the root's bytes to all others of a group, in place.

        Args:
            tensor: what the operation comes to.
            data: the tensor itself, or its bytes.
            root: index in the group.
            group_of: finds the group.

        Yields:
            The calls of all pieces.

        Returns:
            The tensor.
        """
        if self._size > 1 and data.numel():
            backend = self._backend_of(data)
            group = group_of(backend)
            yield [
                self._under_way.begin(backend, lambda p=p: group.broadcast(p, root), p)
                for p in pieces(data)
            ]
        return tensor

    def exchanged(self, tensor: Tensor, sent: Sequence[int], received: Sequence[int]) -> Begun:
        """Send each member some rows, and receive some of each.

        Args:
            tensor: [sum of sent, ...].
            sent: rows for each member.
            received: rows from each member.

        Yields:
            One call.

        Returns:
            A new tensor, [sum of received, ...].

        Raises:
            InvariantError: the counts are not those of this line and tensor.
        """
        self._check(sent, len(tensor))
        self._check(received, sum(received))
        result = tensor.new_empty((sum(received), *tensor.shape[1:]))
        if self._size == 1:
            return result.copy_(tensor)
        here, there = as_bytes(tensor), as_bytes(result)
        width = prod(tensor.shape[1:]) * tensor.element_size()
        split = ([rows * width for rows in received], [rows * width for rows in sent])
        yield [self._call(lambda group: group.alltoall_base(there, here, *split), here, there)]
        return result

    def gathered(self, part: Tensor, counts: Sequence[int]) -> Begun:
        """Put the parts of all members together.

        Args:
            part: [counts[index], ...].
            counts: rows of each member.

        Yields:
            One call.

        Returns:
            A new tensor, [sum of counts, ...].

        Raises:
            InvariantError: the counts are not those of this line and part.
        """
        self._check(counts, len(part) + sum(counts) - counts[self._index])
        if self._size == 1:
            return part.clone()
        # The libraries want parts of one size: shorter ones travel with rows that nobody reads.
        most, row = max(counts), part.shape[1:]
        full = part
        if len(part) < most:
            full = part.new_empty((most, *row))
            full[: len(part)] = part
        result = part.new_empty((self._size, most, *row))
        here, there = as_bytes(full), as_bytes(result)
        yield [self._call(lambda group: group._allgather_base(there, here), here, there)]  # noqa: SLF001 - torch's own name for it
        if min(counts) == most:
            return result.view(self._size * most, *row)
        return torch.cat([rows[:count] for rows, count in zip(result, counts, strict=True)])

    def scattered(self, tensor: Tensor, counts: Sequence[int]) -> Begun:
        """Sum over the members in order of index, each a part.

        Args:
            tensor: [sum of counts, ...].
            counts: rows of each member's part.

        Yields:
            One call.

        Returns:
            This member's part.
        """
        own = counts[self._index]
        parts = yield from self.exchanged(tensor, counts, [own] * self._size)
        return sum_in_order(parts.view(self._size, own, *tensor.shape[1:]).unbind())

    def summed(self, tensor: Tensor) -> Begun:
        """Sum over the members in order of index, in place.

        Args:
            tensor: the same shape everywhere.

        Yields:
            One call, then another.

        Returns:
            The tensor.
        """
        flat = tensor.view(-1)
        counts = even_counts(len(flat), self._size)
        part = yield from self.scattered(flat, counts)
        flat.copy_((yield from self.gathered(part, counts)))
        return tensor

    def _call(self, start: Callable[[Group], Work], *tensors: Tensor) -> Operation:
        backend = self._backend_of(tensors[0])
        return self._under_way.begin(backend, lambda: start(backend.group), *tensors)

    def _check(self, counts: Sequence[int], rows: int) -> None:
        # What does not fit ends in gloo, and the process with it.
        if len(counts) != self._size or min(counts) < 0 or sum(counts) != rows:
            raise InvariantError(f"counts {counts} for {rows} rows and {self._size} members")
