"""Lines over gloo, which carries tensors of all devices; those of GPUs through the host.

Theory of operation. A group is made when all its members are there, and connects each pair of them
at once. Waiting for gloo's own send or receive with a time-out closes the pair when the time is
over, so neither can be left. A message is a broadcast in a group of two instead, one for each
direction. These groups connect with the line: one that connects later asks the store for its peer
in a call that keeps all others of this process from the store until the peer has come.
"""

import socket
from collections.abc import Callable
from datetime import timedelta
from typing import cast

from torch._C._distributed_c10d import PrefixStore, ProcessGroupGloo, Store, TCPStore

from qmpi.training.comm.group import Group, Work
from qmpi.training.comm.place import Place, Ways


class Gloo:
    """The gloo end of one line."""

    def __init__(self, store: Store, address: str, place: Place, timeout_seconds: float) -> None:
        """Connect to all other members, who do the same now.

        Args:
            store: with the line's prefix.
            address: of this host in the network on which members meet; "": gloo chooses.
            place: of this member on the line.
            timeout_seconds: of connecting and of each operation; the last resort.

        Raises:
            RuntimeError: a member is gone.
        """
        # torch's stubs leave these names out; torch.distributed itself sets them so.
        self._options = ProcessGroupGloo._Options()  # pyright: ignore[reportAttributeAccessIssue]  # noqa: SLF001 - see above
        self._options._timeout = timedelta(seconds=timeout_seconds)  # noqa: SLF001 - see above
        self._address = address
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
        """Wait for an operation for so long at most.

        Args:
            work: what is waited for.
            seconds: of a slice.

        Returns:
            Whether it has ended.

        Raises:
            RuntimeError: it failed.
        """
        try:
            work.wait(timedelta(seconds=seconds))
        except RuntimeError as error:
            if not timed_out(error):
                raise
            return False
        return True

    def abandon(self) -> None:
        """Do nothing: gloo has no call that ends an operation."""

    def _made(self, store: Store, index: int, size: int) -> Group:
        # Groups that share a device and connect at first use find the wrong peers, and hang.
        self._options._devices = [_device(self._address)]  # noqa: SLF001 - as above
        make = cast(Callable[..., Group], ProcessGroupGloo)
        return make(store, index, size, self._options)


def _device(address: str) -> ProcessGroupGloo.Device:
    if address:
        return ProcessGroupGloo.create_device(hostname=address)
    return ProcessGroupGloo.create_default_device()


def timed_out(error: Exception) -> bool:
    """Return whether a wait ended because its slice was over, not because the operation failed."""
    return "Operation timed out" in str(error)


def address_towards(store: Store) -> str:
    """Find the address of this host in the network on which it reaches a store; sends nothing.

    gloo itself takes the address of the host's own name, often the loopback or a slow network.

    Args:
        store: of the lead.

    Returns:
        The address; "" if the store is none of a network, or cannot be reached.
    """
    if not isinstance(store, TCPStore):
        return ""
    found = socket.getaddrinfo(store.host, 9, type=socket.SOCK_DGRAM)
    for family, kind, protocol, _, target in found:
        with socket.socket(family, kind, protocol) as probe:
            try:
                probe.connect(target)
            except OSError:
                continue
            return str(probe.getsockname()[0])
    return ""
