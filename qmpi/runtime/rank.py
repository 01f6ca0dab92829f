"""One rank, put together: router, ports, inbox, process, loop."""

import logging
import threading
from collections.abc import Callable

from msgspec import Struct

from qmpi.driver.inbox import Inbox
from qmpi.driver.ports import Ports
from qmpi.driver.process import Handled, Process
from qmpi.driver.router import Build, Router
from qmpi.ports.transport import RankLost
from qmpi.protocol.envelope import RoleName
from qmpi.runtime.loop import Loop
from qmpi.runtime.meeting import Surroundings
from qmpi.units import Seconds

logger = logging.getLogger(__name__)


class RankContext(Struct, frozen=True, kw_only=True):
    """One rank, ready to run.

    Attributes:
        loop: turns it.
        roles: those that it starts with, in order.
        settle: waits for what must be done before the process leaves, some seconds at most.
        held: what rank 0 holds while this lives, such as the lock of the run; None elsewhere.
    """

    loop: Loop
    roles: tuple[RoleName, ...]
    settle: Callable[[Seconds], bool]
    held: object


def assemble(
    world: Surroundings,
    ports: Ports,
    build: Build,
    *,
    roles: tuple[RoleName, ...],
    settle: Callable[[Seconds], bool],
    held: object,
) -> RankContext:
    """Put a rank together.

    Args:
        world: of this process.
        ports: of this rank.
        build: makes its roles.
        roles: those that it starts with, the herald first.
        settle: waits for what must be done before the process leaves.
        held: what shall live as long as the rank.

    Returns:
        The rank, ready to run.
    """
    wake = threading.Event()
    process = Process(
        Router(world.transport.rank, build),
        ports,
        Inbox(wake.set),
        observe=log_loss,
        complain=logger.warning,
    )
    loop = Loop(process, wake)
    return RankContext(loop=loop, roles=roles, settle=settle, held=held)


def log_loss(handled: Handled) -> None:
    """Log that a rank is lost, once a rank.

    Args:
        handled: an event and what followed.
    """
    match handled.event:
        case RankLost(rank, reason) if handled.owner == RoleName.HERALD:
            logger.warning("rank %d is lost: %s", rank, reason)
        case _:
            pass
