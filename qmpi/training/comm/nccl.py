"""Lines over NCCL, for tensors of one GPU a member. Nothing here has run.

Theory of operation. Communicators do not block the host, neither while they connect nor while they
compute. Waiting asks an operation whether its kernels have ended; torch then also asks NCCL whether
a peer is gone. An operation that is left behind would keep its kernels on the GPU, so all
communicators of the line are aborted, which ends them. torch's own watchdog must not do so, nor end
the process: `TORCH_NCCL_ASYNC_ERROR_HANDLING=0`.

As with gloo, messages go by groups of two, one for each direction: on one communicator a send holds
up all that comes after it until its receive has begun.
"""

import select
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Protocol, cast

import torch
from torch._C._distributed_c10d import PrefixStore, ProcessGroupNCCL, Store

from qmpi.training.comm.group import Group, Work
from qmpi.training.comm.place import Place, Ways

LOOK_SECONDS = 0.0001
"""Between two looks at an operation; kernels end sooner than the operations of a network."""


class NcclGroup(Group, Protocol):
    """What NCCL's groups have besides."""

    def eager_connect_single_device(self, device: torch.device, /) -> None:
        """Begin to connect, before the first operation."""
        ...

    def abort(self) -> None:
        """End all operations, finished or not, and the communicator with them."""
        ...


class Nccl:
    """The NCCL end of one line."""

    def __init__(
        self, store: Store, device: torch.device, place: Place, timeout_seconds: float
    ) -> None:
        """Connect to all other members, who do the same now.

        Args:
            store: with a prefix of its own.
            device: a GPU that no other member computes on.
            place: of this member on the line.
            timeout_seconds: of each operation.

        Raises:
            RuntimeError: a member is gone.
        """
        self._device, self._timeout = device, timedelta(seconds=timeout_seconds)
        self._group = self._made(store, place.index, place.size)
        self._ways = Ways(place, lambda name, at: self._made(PrefixStore(name, store), at, 2))

    @property
    def group(self) -> Group:
        """All members of the line."""
        return self._group

    @property
    def ways(self) -> Ways:
        """Where messages to single members go."""
        return self._ways

    def ended(self, work: Work, seconds: float) -> bool:
        """Wait for an operation for so long at most, about.

        Args:
            work: what is waited for.
            seconds: of a slice.

        Returns:
            Whether it has ended. The current stream goes on after it then.

        Raises:
            RuntimeError: it failed.
        """
        for _ in range(max(1, round(seconds / LOOK_SECONDS))):
            if work.is_completed():
                # Ended well or badly: this tells which, and blocks no more.
                work.wait()
                return True
            select.select([], [], [], LOOK_SECONDS)
        return False

    def abandon(self) -> None:
        """Abort all communicators of the line, so that nothing is left on the GPU."""
        for group in self._all():
            group.abort()

    def _all(self) -> Iterator[NcclGroup]:
        yield self._group
        yield from cast(Iterator[NcclGroup], iter(self._ways))

    def _made(self, store: Store, index: int, size: int) -> NcclGroup:
        options = ProcessGroupNCCL.Options()
        options.config.blocking = 0
        options._timeout = self._timeout  # noqa: SLF001 - torch.distributed itself sets it so
        make = cast(Callable[..., NcclGroup], ProcessGroupNCCL)
        group = make(store, index, size, options)
        group.eager_connect_single_device(self._device)
        return group
