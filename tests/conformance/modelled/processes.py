"""The modelled processes: a job on two simulated hosts; a pid means a process of one host only."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from conformance.modelled.machine import Machine

from qmpi.driver.ports import Ports
from qmpi.driver.router import Router
from qmpi.ports.base import Event
from qmpi.protocol.profiles import ProfileRequest
from qmpi.protocol.recipe import RecipeRequest
from qmpi.simulator.incarnation import Incarnation
from qmpi.simulator.ports.clock import SimulatedClock
from qmpi.simulator.ports.processes import SimulatedProcesses
from qmpi.simulator.process import Identity, SimulatedProcess
from qmpi.units import Rank, Seconds

HOST, ELSEWHERE = "host0", "host1"
PIDS = {"own": 100, "peer": 101, "far": 102, "stranger": 103}


class ModelledWorld(Machine):
    """Two ranks here, one elsewhere; two strangers, of whom the simulation knows nothing."""

    own, peer, far, stranger = PIDS.values()

    def __init__(self, kind: type[SimulatedProcesses]) -> None:
        super().__init__()
        hosts = (HOST, HOST, ELSEWHERE)
        self._job = Incarnation(self.around, hosts, lambda: None)
        pids = (self.own, self.peer, self.far)
        for rank, (host, pid) in enumerate(zip(hosts, pids, strict=True)):
            self._job.add(self._process(Rank(rank), host, pid, kind))
        processes = self._job.processes[0].ports.processes
        assert isinstance(processes, SimulatedProcesses)
        self.processes = processes

    def _process(
        self, rank: Rank, host: str, pid: int, kind: type[SimulatedProcesses]
    ) -> SimulatedProcess:
        ports = Ports(
            clock=SimulatedClock(self.agenda), transport=self._job.network.ends[rank],
            processes=kind(host, pid, self._job.fence, self.around.files),
        )  # fmt: skip
        router = Router(rank, lambda *_: None)  # type: ignore[arg-type, return-value]
        identity = Identity(rank, host, pid)
        return SimulatedProcess(
            identity, self.life(), ports, router, lambda _: None, lambda _: None
        )

    def alive(self, pid: int) -> bool:
        # Whoever has a far rank's number here is a stranger; what dies then is the far rank.
        known = {process.identity.pid: process.alive for process in self._job.processes}
        return known.get(pid, True)

    def ask_to_stop(self) -> None:
        self.processes.ask_stop("a stop was requested")

    def ask_for_profile(self, request: ProfileRequest) -> None:
        self.processes.ask_profile(request)

    def ask_for_recipe(self, request: RecipeRequest) -> None:
        self.processes.ask_recipe(request)

    def take_back(self) -> None:
        self.processes.withdraw_recipe()

    def asked_for(self) -> RecipeRequest | None:
        return self.around.files.recipe_request

    def looks(self, times: int) -> Sequence[Event]:
        told: list[Event] = []
        for look in range(times):
            told += self.processes.notices(Seconds(float(look)))
        return told


@contextmanager
def modelled_world(
    folder: Path, kind: type[SimulatedProcesses] = SimulatedProcesses
) -> Iterator[ModelledWorld]:
    """Offer processes of a job that has just started."""
    del folder
    yield ModelledWorld(kind)
