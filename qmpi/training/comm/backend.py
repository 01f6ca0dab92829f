"""What a line asks of the library that carries it: gloo, or NCCL between GPUs."""

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
    """The calls of torch's process groups that are used here; its stubs leave them out."""

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


class Backend(Protocol):
    """The library's end of one line."""

    @property
    def group(self) -> Group:
        """All members of the line."""
        ...

    def way(self, source: int, target: int) -> Group:
        """Return the two members of a message: the source is 0, the target 1.

        Each direction has a group of its own, so that messages which cross do not wait for each
        other.

        Args:
            source: index of the member that sends.
            target: of the one that receives; this member is one of them.
        """
        ...

    def ended(self, work: Work, seconds: float) -> bool:
        """Wait for an operation for so long at most.

        Args:
            work: what is waited for.
            seconds: of a slice.

        Returns:
            Whether it has ended.

        Raises:
            RuntimeError: it failed.
        """
        ...

    def abandon(self) -> None:
        """Do what can be done to end operations that are left behind."""
        ...
