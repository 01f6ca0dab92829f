"""One simulated rank: the shipped driver and roles, turned whenever there is news.

Theory of operation. A real rank polls and sleeps; this one is turned at once by whatever it would
find: a message or a loss, a result of work, a notice, a timer that is due. A turn takes all that is
there. News that come while it stands still are found when it goes on, as a stopped process finds
them; its driver then sees the gap and tells the roles.
"""

from collections.abc import Callable, Iterable

from msgspec import Struct

from qmpi.driver.inbox import Inbox
from qmpi.driver.ports import Ports
from qmpi.driver.process import Observe, Process
from qmpi.driver.router import Router
from qmpi.errors import InvariantError
from qmpi.protocol.envelope import RoleName
from qmpi.simulator.life import Life
from qmpi.simulator.network import SimulatedTransport
from qmpi.simulator.ports.engine import SimulatedEngine
from qmpi.simulator.ports.processes import SimulatedProcesses
from qmpi.units import Rank, Seconds


class Identity(Struct, frozen=True):
    """Who a process is.

    Attributes:
        rank: in its job.
        host: its machine.
        pid: on that machine; no process ever has that of another.
    """

    rank: Rank
    host: str
    pid: int


class SimulatedProcess:
    """One rank of one incarnation.

    Invariants: turns never nest; nothing happens while the process stands still, or once it is
    gone.
    """

    def __init__(
        self,
        identity: Identity,
        life: Life,
        ports: Ports,
        router: Router,
        observe: Observe,
        left: Callable[["SimulatedProcess"], None],
    ) -> None:
        """Make a process that has not started.

        Args:
            identity: who it is.
            life: its life, which the ports share.
            ports: its side of the machine.
            router: its roles.
            observe: told of every event that was handled.
            left: told when it leaves by itself.
        """
        self.identity = identity
        self.life = life
        self.ports = ports
        self.router = router
        self.driver = Process(router, ports, Inbox(self.wake), observe, self._complain)
        self._left = left
        self._transport = _modelled(ports)
        self._turning = False
        self._again = False
        self._resuming = False
        self._alarm: Seconds | None = None

    @property
    def rank(self) -> Rank:
        """This rank."""
        return self.identity.rank

    @property
    def alive(self) -> bool:
        """False once it is gone."""
        return self.life.alive

    @property
    def engine(self) -> SimulatedEngine | None:
        """Its engine, if it has one."""
        engine = self.ports.engine
        return engine if isinstance(engine, SimulatedEngine) else None

    def start(self, roles: Iterable[RoleName]) -> None:
        """Start the roles and listen.

        Args:
            roles: which ones.
        """
        self._turning = True
        self.driver.start(roles)
        self._turning = False
        self._transport.on_news = self.wake
        if isinstance(self.ports.processes, SimulatedProcesses):
            self.ports.processes.on_notice = self.wake
        self.wake()

    def wake(self) -> None:
        """There is news: take a turn, now or when the process goes on."""
        if self._turning:
            self._again = True
        elif self.life.alive:
            if self.life.hung:
                self._resume_later()
            else:
                self._turn()

    def end(self) -> None:
        """Be gone."""
        self.life.end()
        if self.engine is not None:
            self.engine.die()

    def _turn(self) -> None:
        self._turning = self._again = True
        until = None
        while self._again and self.life.alive:
            self._again = False
            until = self.driver.turn().until
            # A turn takes many messages, but not without end.
            self._again = self._again or bool(self._transport.inbox)
        self._turning = False
        if self.driver.leaving and self.life.alive:
            self._left(self)
        elif until is not None and (self._alarm is None or until < self._alarm):
            self._alarm = until
            self.life.agenda.at(until, lambda: self._ring(until))

    def _ring(self, at: Seconds) -> None:
        if self._alarm == at:
            self._alarm = None
            self.wake()

    def _resume_later(self) -> None:
        if not self._resuming:
            self._resuming = True
            self.life.agenda.at(self.life.hung_until, self._resume)

    def _resume(self) -> None:
        self._resuming = False
        self.wake()

    def _complain(self, words: str) -> None:
        raise InvariantError(f"rank {self.rank}: {words}")


def _modelled(ports: Ports) -> SimulatedTransport:
    if not isinstance(ports.transport, SimulatedTransport):
        raise InvariantError(f"{ports.transport!r} is no end of a simulated network")
    return ports.transport
