"""One incarnation of a run: an MPI job of simulated processes, from its start to its last death."""

from collections.abc import Callable, Sequence

from qmpi.protocol.envelope import RoleName
from qmpi.simulator.line import Lines
from qmpi.simulator.network import Network
from qmpi.simulator.process import SimulatedProcess
from qmpi.simulator.surroundings import Surroundings
from qmpi.units import Rank


class Incarnation:
    """A job.

    Invariants: `living` counts the processes that are not gone; `ended` is told once, when the last
    of them goes.
    """

    def __init__(
        self, around: Surroundings, hosts: Sequence[str], ended: Callable[[], None]
    ) -> None:
        """Make a job without processes.

        Args:
            around: the machine.
            hosts: of each rank.
            ended: called once no process is left.
        """
        hardware = around.hardware
        self.hosts = tuple(hosts)
        self.network = Network(around.agenda, around.chance, hardware.link, len(hosts))
        self.lines = Lines(around.chance, hardware.link)
        self.processes: list[SimulatedProcess] = []
        self._ended = ended
        self._pids: dict[tuple[str, int], SimulatedProcess] = {}
        self._living = 0

    def add(self, process: SimulatedProcess) -> None:
        """Add the process of the next rank.

        Args:
            process: that has not started.
        """
        self.processes.append(process)
        self._pids[process.identity.host, process.identity.pid] = process
        self._living += 1

    def living(self) -> list[SimulatedProcess]:
        """Return the processes that live."""
        return [p for p in self.processes if p.alive]

    def at(self, rank: Rank) -> SimulatedProcess | None:
        """Return a living process.

        Args:
            rank: of which rank; there may be no such rank, or a dead one.
        """
        found = self.processes[rank] if rank < len(self.processes) else None
        return found if found is not None and found.alive else None

    def players(self, role: RoleName) -> list[SimulatedProcess]:
        """Return the living processes that play a role, in rank order.

        Args:
            role: which.
        """
        return [p for p in self.processes if p.alive and role in p.router.roles]

    def kill(self, process: SimulatedProcess, reason: str) -> None:
        """End a process without a word.

        Args:
            process: which; one that is gone stays gone.
            reason: told to the others.
        """
        self._remove(process, reason, flushed=False)

    def left(self, process: SimulatedProcess, reason: str) -> None:
        """Take a process that leaves by itself off the network.

        Args:
            process: which.
            reason: why, in words.
        """
        self._remove(process, f"it left: {reason}", flushed=True)

    def kill_all(self) -> None:
        """End every process at once; nobody is told."""
        for process in self.living():
            process.end()
        if self._living:
            self._living = 0
            self._ended()

    def fence(self, host: str, pid: int, reason: str) -> None:
        """Kill a process of a host, if it lives.

        Args:
            host: where.
            pid: which.
            reason: why, in words.
        """
        process = self._pids.get((host, pid))
        if process is not None:
            self.kill(process, f"fenced: {reason}")

    def _remove(self, process: SimulatedProcess, reason: str, *, flushed: bool) -> None:
        if not process.alive:
            return
        process.end()
        self.network.remove(process.rank, reason, flushed=flushed)
        self._living -= 1
        if not self._living:
            self._ended()
