"""One line of one generation: all that its members say to each other.

Theory of operation. A line is made for one generation, under a fresh prefix of the lead's store,
and is dropped with it. Its operations can be left (see `pending`); after one has raised `PeerLost`
no other on the line comes to anything.

Floats that are summed give the same bits on all members. Which bits these are, is up to the library
in `allreduce`; `sum_everywhere` and `sum_scattered` add in order of index, so that they are those
of a plain loop over the members, on any device and number of hosts.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch._C._distributed_c10d import PrefixStore, Store

from qmpi.errors import NoConnection, PeerLost
from qmpi.training.comm.backend import Backend
from qmpi.training.comm.gloo import Gloo, address_towards
from qmpi.training.comm.pending import UnderWay
from qmpi.training.comm.place import Place
from qmpi.training.comm.starts import Starts
from qmpi.training.comm.store import meet
from qmpi.training.comm.waited import Waited
from qmpi.training.comm.waits import Aborted, first_line, refused


class Gpu(NamedTuple):
    """A GPU that a member computes on.

    Attributes:
        device: as torch names it in this process.
        name: that no other GPU has, on whatever host.
    """

    device: torch.device
    name: str


class Comm(Waited):
    """The ranks of one generation along one axis. A line of one talks to nobody.

    Operations return when they have ended here; `start` has the same ones, to be waited for later.
    Each may raise `PeerLost`: a member is gone, or this one is told to leave. Its tensors must not
    be used any more then.

    Small tensors of the host travel by gloo, whatever carries those of a GPU.

    Attributes:
        index: place of this member on the line.
        size: number of members.
        start: begins operations.
        by_host: lines over which sums of integers may go instead; None: there are none.
    """

    by_host: "ByHost | None" = None

    def __init__(  # noqa: PLR0913 - facts of the line, given by name
        self,
        *,
        store: Store | None,
        name: str,
        index: int,
        size: int,
        timeout_seconds: float,
        aborted: Aborted,
        reach: int = 0,
        gpu: Gpu | None = None,
    ) -> None:
        """Meet the other members.

        Args:
            store: the lead's store; not used when `size` is 1.
            name: of generation and line; keeps the keys of groups apart.
            index: place of this member on the line, 0 <= index < size.
            size: number of members.
            timeout_seconds: of the rendezvous and of each operation; the last resort.
            aborted: looked at while waiting.
            reach: messages go to members at most so many steps on around the line; 0: none are
                sent.
            gpu: that this member computes on; None: none. Where each member has one of its own,
                tensors on them travel by NCCL; all others travel by gloo.

        Raises:
            PeerLost: a member did not come, or `aborted` says so.
            NoConnection: this machine has no room for the connection.
        """
        self._under_way = UnderWay(aborted)
        self._gpu: Backend | None = None
        super().__init__(Starts(index, size, self._backend_of, self._under_way))
        self.index, self.size = index, size
        if size == 1:
            return
        if store is None:
            raise PeerLost("a group of several needs its lead's rendezvous store")
        prefixed = PrefixStore(name, store)
        place = Place(index, size, reach)
        try:
            name = gpu.name if gpu is not None else ""
            by_nccl = meet(prefixed, index, size, name, timeout_seconds, aborted)
            self._host = Gloo(prefixed, address_towards(store), place, timeout_seconds)
            if by_nccl and gpu is not None:
                own = PrefixStore("gpu", prefixed)
                self._gpu = _on_gpu(own, gpu.device, place, timeout_seconds)
        except RuntimeError as error:
            told = f"the rendezvous failed: {first_line(error)}"
            if refused(told):
                raise NoConnection(told) from None
            raise PeerLost(told) from None

    @property
    def stuck(self) -> bool:
        """Whether operations left behind are still under way."""
        return self._under_way.stuck or any(line.stuck for line in self.by_host or ())

    def vote(self) -> None:
        """Return once every member has called this."""
        if self.size > 1:
            self.allreduce(torch.ones(1))

    def agree_any(self, *, flag: bool) -> bool:
        """Return whether any member has raised its flag; the same everywhere."""
        raised = torch.tensor([flag], dtype=torch.int32)
        self.maximum(raised)
        return bool(raised.item())

    def gather_numbers(self, numbers: Tensor) -> Tensor:
        """Collect a few numbers of each member.

        Args:
            numbers: float64, [n], in the host's memory; as many everywhere.

        Returns:
            float64, [size, n], in order of index; the same bits everywhere.
        """
        return self.allgather(numbers).view(self.size, -1)

    def _backend_of(self, tensor: Tensor) -> Backend:
        return self._gpu if self._gpu is not None and tensor.is_cuda else self._host


class ByHost(NamedTuple):
    """Lines of a member of a longer line, as `qmpi.protocol.host_lines` says.

    Attributes:
        scatter: members of its host.
        across: of each host the member at its place.
        gather: members of its host.
    """

    scatter: Comm
    across: Comm
    gather: Comm


def _on_gpu(store: Store, device: torch.device, place: Place, timeout_seconds: float) -> Backend:
    # torch for CPUs alone has no such module.
    from qmpi.training.comm.nccl import Nccl

    return Nccl(store, device, place, timeout_seconds)
