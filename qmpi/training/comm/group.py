"""The calls of torch's process groups that are used here; its stubs leave them out."""

from datetime import timedelta
from typing import Protocol

from torch import Tensor
from torch._C._distributed_c10d import ReduceOp


class Work(Protocol):
    """An operation under way."""

    def wait(self, timeout: timedelta = ...) -> bool:
        """Wait; raises RuntimeError on time-out and on failure."""
        ...

    def is_completed(self) -> bool:
        """Return whether it has ended, well or badly."""
        ...


class Group(Protocol):
    """A process group of torch, of any library."""

    def allreduce(self, tensors: list[Tensor], op: ReduceOp.RedOpType = ...) -> Work:
        """Start a sum, or what `op` names, in place."""
        ...

    def broadcast(self, tensor: Tensor, root: int) -> Work:
        """Start a broadcast in place."""
        ...

    def alltoall_base(
        self, output: Tensor, given: Tensor, received: list[int], sent: list[int], /
    ) -> Work:
        """Start an exchange of parts, counted along the first dimension."""
        ...

    def _allgather_base(self, output: Tensor, part: Tensor, /) -> Work:
        """Start to collect parts of one size."""
        ...
