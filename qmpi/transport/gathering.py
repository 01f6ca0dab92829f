"""How ranks hear of each other over a transport that nobody speaks on yet, through rank 0.

Theory of operation. Point-to-point messages, like all else: a collective would hang with the first
rank that dies. What a rank that is further on says meanwhile is put back for the roles.
"""

import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from qmpi.errors import MachineError
from qmpi.ports.transport import Delivery, Transport
from qmpi.units import Rank


class StartingTransport(Transport, Protocol):
    """A transport while the ranks meet: what came too early for that waits for the roles."""

    def put_back(self, deliveries: Sequence[Delivery]) -> None:
        """Let the next polls give these again, before anything else.

        Args:
            deliveries: as polls gave them, in that order.
        """
        ...


def exchange_hosts(
    transport: StartingTransport,
    mine: str,
    now: Callable[[], float],
    sleep: Callable[[float], None],
    deadline: float,
) -> list[str]:
    """Learn where every rank is, through rank 0.

    Args:
        transport: connected; ranks that are further on may speak already.
        mine: where this one is, in a line of text.
        now: clock.
        sleep: sleeps.
        deadline: when to give up.

    Returns:
        What each rank says of where it is, by rank; equal on every rank.

    Raises:
        MachineError: a rank did not answer in time, or died.
    """
    if transport.rank != 0:
        transport.send(Rank(0), mine.encode(), ())
        listed = await_root(transport, now, sleep, deadline)
        return listed.decode("utf-8", "replace").split("\n")
    hosts = {0: mine}
    while len(hosts) < transport.size:
        for delivery in transport.poll(64):
            hosts[int(delivery.source)] = delivery.data.decode()
        if transport.lost():
            raise MachineError("a rank died while the job was starting")
        if now() >= deadline:
            missing = sorted(set(range(transport.size)) - set(hosts))
            raise MachineError(f"no host from ranks {missing} in time; see their logs")
        sleep(0.002)
    known = [hosts[rank] for rank in range(transport.size)]
    for rank in range(1, transport.size):
        transport.send(Rank(rank), "\n".join(known).encode(), ())
    return known


def await_root(
    transport: StartingTransport,
    now: Callable[[], float],
    sleep: Callable[[float], None],
    deadline: float,
) -> bytes:
    """Wait for the next message of rank 0; what others say meanwhile is put back.

    Messages of different ranks overtake each other: a rank that has met all may speak to one that
    has not.

    Args:
        transport: connected.
        now: clock.
        sleep: sleeps.
        deadline: when to give up.

    Returns:
        The message.

    Raises:
        MachineError: rank 0 did not speak in time, or a rank died.
    """
    early: list[Delivery] = []
    try:
        while now() < deadline:
            for delivery in transport.poll(1):
                if delivery.source == 0:
                    return delivery.data
                early.append(delivery)
            if transport.lost():
                raise MachineError("a rank died while the job was starting")
            sleep(0.002)
    finally:
        transport.put_back(early)
    raise MachineError("rank 0 said nothing in time; see its log")


def host_name() -> str:
    """Return the name of this machine."""
    return socket.gethostname()
