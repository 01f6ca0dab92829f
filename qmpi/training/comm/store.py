"""The rendezvous store of a lead, and how members find it and each other there."""

import select
import socket
from datetime import timedelta

from torch._C._distributed_c10d import Store, TCPStore

from qmpi.errors import MachineError, NoConnection, PeerLost
from qmpi.training.comm.waits import (
    FIRST_SLICE,
    Aborted,
    first_line,
    leave_if_told,
    next_slice,
    refused,
)

WORD, NO_GPU = "all", "-"
"""Key of the first member's word, and what a member says that has no GPU."""

STORE_SECONDS = 30.0
"""A host that cannot reach its own store under its own name is told so after this."""

CONNECT_SLICE_SECONDS = 2.0
"""How long one try to reach a lead's store lasts."""

PROBE_SECONDS = 1.0
PAUSE_SECONDS = 0.05
"""How long one look for a listener lasts, and the pause after one that found none."""


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


def announce(store: Store, index: int, gpu: str) -> None:
    """Say at a line's store that a member is there.

    Args:
        store: with the line's prefix.
        index: of the member.
        gpu: which one it computes on, by a name that no other of all hosts has; "": none.
    """
    store.set(f"here{index}", gpu or NO_GPU)


def meet(
    store: Store, index: int, size: int, gpu: str, timeout_seconds: float, aborted: Aborted
) -> bool:
    """Wait until all members of a line have come; a group's own rendezvous could not be left.

    The first member looks for all others, and they look for its word: so each look of each of them
    costs the store one key, not one for each member. It also sees whether each has a GPU of its
    own, which NCCL wants; its word says so, and all do as it says.

    Args:
        store: with the line's prefix.
        index: of this member.
        size: of the line.
        gpu: as `announce` takes it.
        timeout_seconds: after this those that have not come are lost.
        aborted: looked at while waiting.

    Returns:
        Whether each member has a GPU of its own.

    Raises:
        PeerLost: a member did not come, or `aborted` says so.
    """
    announce(store, index, gpu)
    here = [f"here{member}" for member in range(size)]
    wanted = [WORD] if index else here
    waited, pause = 0.0, FIRST_SLICE
    while not store.check(wanted):
        leave_if_told(aborted)
        if waited >= timeout_seconds:
            raise PeerLost(f"not all {size} members met within {timeout_seconds:.0f} s")
        # A pause, not a clock: its length feeds no result.
        select.select([], [], [], pause)
        waited, pause = waited + pause, next_slice(pause)
    if not index:
        gpus = [store.get(key) for key in here] if gpu else []
        alone = len(set(gpus)) == size and NO_GPU.encode() not in gpus
        store.set(WORD, "own" if alone else "shared")
    return store.get(WORD) == b"own"
