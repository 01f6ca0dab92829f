"""All communication of trainers: a raw gloo group for one generation, with waits that can be left.

Theory of operation. No call frees a gloo wait from outside, and a rank may wait for a live peer
that has itself left for the next generation. So each wait is cut into slices; between them the wait
looks at `aborted`, which the control thread sets. An operation that is left behind goes on by
itself and may still touch its tensors: they are kept with the group, and the caller must not use
them again. A group with such an operation joins its threads when dropped, which blocks; so `stuck`
groups are kept until their operations have ended (the owner's graveyard).

One backend serves all devices: gloo stages CUDA tensors through the host. NCCL would be faster, but
its waits are of another kind, and nothing here is built that has not been run.
"""

import errno
import os
import select
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol, cast

import torch
from torch import Tensor
from torch._C._distributed_c10d import (
    PrefixStore,
    ProcessGroupGloo,
    ReduceOp,
    Store,
    TCPStore,
)

from qmpi.errors import MachineError, NoConnection, PeerLost

Aborted = Callable[[], str | None]
"""Says why the work in hand shall end, or None."""

CHUNK_BYTES = 32 * 2**20
"""Large tensors travel in pieces, in order, so that a wait ends soon after an abort."""

STORE_SECONDS = 30.0
"""A host that cannot reach its own store under its own name is told so after this."""

CONNECT_SLICE_SECONDS = 2.0
"""How long one try to reach a lead's store lasts."""

PROBE_SECONDS = 1.0
PAUSE_SECONDS = 0.05
"""How long one look for a listener lasts, and the pause after one that found none."""

REFUSALS = tuple(
    os.strerror(number) for number in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
)
"""What the machine says that gives a process no more threads, memory or descriptors. C++ hands
on the words alone."""

FIRST_SLICE = 0.002
LAST_SLICE = 0.02
"""Seconds; slices grow, since a short operation should not be cut often nor a long one late."""


class Work(Protocol):
    """An operation under way."""

    def wait(self, timeout: timedelta = ...) -> bool:
        """Wait; raises RuntimeError on time-out and on failure."""
        ...

    def is_completed(self) -> bool:
        """Return whether it has ended, well or badly."""
        ...


class Group(Protocol):
    """The calls of torch's gloo group that are used here; its stubs leave them out."""

    def allreduce(self, tensors: list[Tensor], op: ReduceOp.RedOpType = ...) -> Work:
        """Start a sum, or what `op` names, in place."""
        ...

    def broadcast(self, tensor: Tensor, root: int) -> Work:
        """Start a broadcast in place."""
        ...


def open_store(host: str) -> tuple[Store, str]:
    """Open this process's rendezvous store on a free port.

    Args:
        host: name or address under which peers reach this host.

    Returns:
        The store, and its address as "host:port".

    Raises:
        MachineError: no port can be opened.
    """
    wait = timedelta(seconds=STORE_SECONDS)
    try:
        store = TCPStore(host, 0, is_master=True, timeout=wait, wait_for_workers=False)
    except RuntimeError as error:
        raise MachineError(
            f"the rendezvous store cannot listen on {host}: {first_line(error)}"
        ) from None
    return store, f"{host}:{store.port}"


def connect_store(address: str, timeout_seconds: float, aborted: Aborted | None = None) -> Store:
    """Connect to a lead's rendezvous store.

    torch retries a refused connection until its time-out and cannot be told to stop: a lead that is
    dead by now would hold this member for a minute. So somebody must listen there before it tries.

    Args:
        address: "host:port" from `open_store`.
        timeout_seconds: after this the lead counts as lost.
        aborted: says why to give up, or None.

    Returns:
        The store.

    Raises:
        PeerLost: it cannot be reached.
        NoConnection: this machine has no room for the connection.
    """
    host, _, port = address.rpartition(":")
    slice_seconds = min(CONNECT_SLICE_SECONDS, timeout_seconds)
    wait = timedelta(seconds=slice_seconds)
    why = "no answer"
    for _ in range(max(1, round(timeout_seconds / slice_seconds))):
        try:
            await_listener(host, int(port), slice_seconds, aborted)
            store = TCPStore(host, int(port), is_master=False, timeout=wait, wait_for_workers=False)
        except (RuntimeError, ValueError, OSError) as error:
            why = first_line(error)
            continue
        store.set_timeout(timedelta(seconds=STORE_SECONDS))
        return store
    if refused(why):
        raise NoConnection(f"no way to the rendezvous store at {address}: {why}")
    raise PeerLost(f"the rendezvous store at {address} is gone: {why}")


def await_listener(host: str, port: int, seconds: float, aborted: Aborted | None) -> None:
    """Wait until somebody listens at an address.

    Args:
        host: name or address.
        port: of it.
        seconds: how long at most, about.
        aborted: says why to give up, or None.

    Raises:
        PeerLost: `aborted` says so.
        OSError: nobody listens.
    """
    left = seconds
    while True:
        reason = aborted() if aborted is not None else None
        if reason is not None:
            raise PeerLost(reason)
        try:
            socket.create_connection((host, port), PROBE_SECONDS).close()
        except OSError as error:
            # What is refused is refused at once; what is lost takes the whole look.
            left -= PROBE_SECONDS if isinstance(error, TimeoutError) else PAUSE_SECONDS
            if left <= 0:
                raise
            select.select([], [], [], PAUSE_SECONDS)
        else:
            return


def first_line(error: Exception) -> str:
    """Return the first line of an error's text; torch appends C++ frames."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def refused(why: str) -> bool:
    """Return whether an error says that this machine gives the process no more of something."""
    return any(refusal in why for refusal in REFUSALS)


class Comm:
    """The ranks of one generation along one axis. A line of one talks to nobody."""

    def __init__(
        self,
        *,
        store: Store | None,
        name: str,
        index: int,
        size: int,
        timeout_seconds: float,
        aborted: Aborted,
    ) -> None:
        """Meet the other members.

        Args:
            store: the lead's store; not used when `size` is 1.
            name: of generation and line; keeps the keys of groups apart.
            index: place of this member on the line, 0 <= index < size.
            size: number of members.
            timeout_seconds: of the rendezvous and of each operation; the last resort.
            aborted: looked at while waiting.

        Raises:
            PeerLost: a member did not come, or `aborted` says so.
            NoConnection: this machine has no room for the connection.
        """
        self.index, self.size = index, size
        self._aborted, self._timeout = aborted, timeout_seconds
        self._pending: list[tuple[Work, Tensor]] = []
        self._group: Group | None = None
        if size == 1:
            return
        if store is None:
            raise PeerLost("a group of several needs its lead's rendezvous store")
        prefixed = PrefixStore(name, store)
        try:
            self._meet(prefixed)
            make = cast(Callable[..., Group], ProcessGroupGloo)
            self._group = make(prefixed, index, size, _options(store, timeout_seconds))
        except RuntimeError as error:
            told = f"the rendezvous failed: {first_line(error)}"
            if refused(told):
                raise NoConnection(told) from None
            raise PeerLost(told) from None

    @property
    def stuck(self) -> bool:
        """Whether operations left behind are still under way."""
        self._pending = [item for item in self._pending if not item[0].is_completed()]
        return bool(self._pending)

    def allreduce(self, tensor: Tensor) -> None:
        """Sum over the members, in place; int32 or float32, contiguous.

        Args:
            tensor: the same shape everywhere. After `PeerLost` it must not be used again.
        """
        if self._group is not None:
            for piece in pieces(tensor):
                self._run(self._group.allreduce, [piece])

    def maximum(self, tensor: Tensor) -> None:
        """Take the largest over the members, element by element, in place; int32, contiguous.

        Args:
            tensor: the same shape everywhere. After `PeerLost` it must not be used again.
        """
        if self._group is not None:
            for piece in pieces(tensor):
                self._run(self._group.allreduce, [piece], ReduceOp.MAX)

    def broadcast(self, tensor: Tensor, root: int) -> None:
        """Give every member the root's values, in place.

        Args:
            tensor: contiguous, the same shape everywhere; not to be used after `PeerLost`.
            root: index of the member whose values count.
        """
        if self._group is not None:
            for piece in pieces(tensor):
                self._run(self._group.broadcast, piece, root)

    def vote(self) -> None:
        """Return once every member has called this."""
        if self._group is not None:
            self.allreduce(torch.ones(1))

    def _meet(self, store: Store) -> None:
        # The group's own rendezvous blocks without a way out, so it starts when everybody is there.
        store.set(f"here{self.index}", "1")
        keys = [f"here{member}" for member in range(self.size)]
        for _ in range(max(1, round(self._timeout / LAST_SLICE))):
            if store.check(keys):
                return
            self._leave_if_aborted()
            # A pause, not a clock: its length feeds no result.
            select.select([], [], [], LAST_SLICE)
        raise PeerLost(f"not all {self.size} members met within {self._timeout:.0f} s")

    def _run(
        self,
        operation: Callable[..., Work],
        what: Tensor | list[Tensor],
        *args: int | ReduceOp.RedOpType,
    ) -> None:
        self._leave_if_aborted()
        tensor = what[0] if isinstance(what, list) else what
        try:
            work = operation(what, *args)
        except RuntimeError as error:
            raise PeerLost(first_line(error)) from None
        self._wait(work, tensor)

    def _wait(self, work: Work, tensor: Tensor) -> None:
        slice_seconds = FIRST_SLICE
        while True:
            try:
                work.wait(timedelta(seconds=slice_seconds))
            except RuntimeError as error:
                if not timed_out(error):
                    self._pending.append((work, tensor))
                    raise PeerLost(first_line(error)) from None
            else:
                return
            slice_seconds = min(LAST_SLICE, 2 * slice_seconds)
            reason = self._aborted()
            if reason is not None:
                self._pending.append((work, tensor))
                raise PeerLost(f"told to leave: {reason}")

    def _leave_if_aborted(self) -> None:
        reason = self._aborted()
        if reason is not None:
            raise PeerLost(f"told to leave: {reason}")


def _options(store: Store, timeout_seconds: float) -> object:
    # torch's stubs leave these names out; torch.distributed itself sets them so.
    options = ProcessGroupGloo._Options()  # pyright: ignore[reportAttributeAccessIssue]  # noqa: SLF001 - see above
    options._timeout = timedelta(seconds=timeout_seconds)  # noqa: SLF001 - see above
    # The network on which this host reaches the lead's store is the one on which all of them meet.
    # gloo itself takes the address of the host's own name, often the loopback or a slow network.
    address = _address_towards(store.host) if isinstance(store, TCPStore) else ""
    device = (
        ProcessGroupGloo.create_device(hostname=address)
        if address
        else ProcessGroupGloo.create_default_device()
    )
    options._devices = [device]  # noqa: SLF001 - see above
    return options


def _address_towards(host: str) -> str:
    """Return the address that this host would use to reach another; sends nothing."""
    for family, kind, protocol, _, target in socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM):
        with socket.socket(family, kind, protocol) as probe:
            try:
                probe.connect(target)
            except OSError:
                continue
            return str(probe.getsockname()[0])
    return ""


def timed_out(error: Exception) -> bool:
    """Return whether a wait ended because its slice was over, not because the operation failed."""
    return "Operation timed out" in str(error)


def look_on(comm: Comm, like: Tensor, root: int) -> None:
    """Take part in a broadcast, which wants everybody, and throw away what comes, piece by piece.

    Args:
        comm: the group.
        like: what is broadcast is of its shape and type.
        root: index of the member that gives it.
    """
    for piece in pieces(like):
        comm.broadcast(torch.empty_like(piece), root)


def pieces(tensor: Tensor) -> tuple[Tensor, ...]:
    """Return views of at most `CHUNK_BYTES` that make up a contiguous tensor."""
    return tensor.view(-1).split(CHUNK_BYTES // tensor.element_size())
