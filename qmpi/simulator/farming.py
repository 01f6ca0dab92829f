"""Making the processes of a work farm."""

from qmpi.config.settings import FailureSettings, Settings
from qmpi.config.train import TrainSettings
from qmpi.driver.ports import Ports
from qmpi.driver.router import Build, Router
from qmpi.protocol.envelope import Address, RoleName
from qmpi.roles.facts import RankFacts
from qmpi.roles.farm.build import build_farm_role, roles_of, workers_of
from qmpi.roles.farm.tally import FarmFacts
from qmpi.simulator.building import Born, Observer, born, facts_of
from qmpi.simulator.incarnation import Incarnation
from qmpi.simulator.life import Life
from qmpi.simulator.ports.books import SimulatedBooks
from qmpi.simulator.ports.clock import SimulatedClock
from qmpi.simulator.ports.copies import SimulatedCopies
from qmpi.simulator.ports.processes import SimulatedProcesses
from qmpi.simulator.ports.units import FarmFiles, SimulatedUnits
from qmpi.simulator.process import SimulatedProcess
from qmpi.simulator.strikes import CHIEF
from qmpi.simulator.surroundings import Surroundings
from qmpi.units import Rank

FARM = Settings(
    train=TrainSettings(steps=1),
    failure=FailureSettings(start_seconds=60.0, dead_seconds=10.0, max_relaunches=5),
)


class FarmBuilder:
    """Makes the processes of farms."""

    def __init__(self, around: Surroundings, results: FarmFiles) -> None:
        """Note what all jobs share.

        Args:
            around: the machine.
            results: what is done.
        """
        self.around = around
        self.results = results

    def build(self, job: Incarnation, number: int, observe: Observer) -> Born:
        """Make the processes of a farm.

        Args:
            job: without processes.
            number: of the incarnation, from 1.
            observe: told of every event that was handled.

        Yields:
            Each process in rank order, with the roles that it starts.
        """
        size = len(job.hosts)
        stages = tuple(f"stage {stage}" for stage in range(len(self.results.model.units)))
        farm = FarmFacts("simulated", "simulated", stages, workers_of(size), job.hosts)
        for facts in facts_of(job, number, Address(CHIEF, RoleName.DEALER)):
            build = _role_builder(self.around.settings, facts, farm)
            yield self._process(job, facts, build, observe), roles_of(facts.rank, size)

    def counts_as_alive(self, first: SimulatedProcess, rank: Rank) -> bool:
        """Say that no rank of a farm trains.

        Args:
            first: the dealer's process.
            rank: which rank.

        Returns:
            False.
        """
        del first, rank
        return False

    def _process(
        self, job: Incarnation, facts: RankFacts, build: Build, observe: Observer
    ) -> SimulatedProcess:
        around, life, rank = self.around, Life(self.around.agenda), facts.rank

        def kill(rank: Rank, reason: str) -> None:
            job.kill(job.processes[rank], reason)

        ports = Ports(
            clock=SimulatedClock(around.agenda),
            transport=job.network.ends[rank],
            processes=SimulatedProcesses(facts.host, facts.pid, job.fence, around.files),
            copies=SimulatedCopies(around, life, rank, facts.host),
            books=SimulatedBooks(around),
            units=SimulatedUnits(around, life, rank, self.results, kill),
        )
        return born(job, life, ports, Router(rank, build), facts, observe)


def _role_builder(settings: Settings, facts: RankFacts, farm: FarmFacts) -> Build:
    return lambda name, describe: build_farm_role(settings, facts, farm, name, describe)
