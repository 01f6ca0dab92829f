"""Making the processes of a job: placement, roles and ports of each rank."""

from collections.abc import Callable, Iterator
from typing import Protocol

from qmpi.config.settings import Settings
from qmpi.driver.ports import UNPLUGGED, Ports
from qmpi.driver.process import Handled
from qmpi.driver.router import Build, Router
from qmpi.policy.domains import domain_of
from qmpi.policy.hyperparameters import log_of
from qmpi.policy.placement import place
from qmpi.policy.recipes import recipes_of
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.journal import RunOpened
from qmpi.protocol.replay import Replay
from qmpi.roles.build import Assignment, build_role
from qmpi.roles.coordinator.facts import RunFacts
from qmpi.roles.coordinator.machine import Coordinator
from qmpi.roles.facts import RankFacts
from qmpi.simulator.incarnation import Incarnation
from qmpi.simulator.life import Life
from qmpi.simulator.ports.books import SimulatedBooks
from qmpi.simulator.ports.clock import SimulatedClock
from qmpi.simulator.ports.copies import SimulatedCopies
from qmpi.simulator.ports.data import SimulatedData
from qmpi.simulator.ports.engine import SimulatedEngine
from qmpi.simulator.ports.processes import SimulatedProcesses
from qmpi.simulator.process import Identity, SimulatedProcess
from qmpi.simulator.strikes import CHIEF
from qmpi.simulator.surroundings import Surroundings
from qmpi.units import Digest, Rank

Observer = Callable[[SimulatedProcess, Handled], None]
Born = Iterator[tuple[SimulatedProcess, tuple[RoleName, ...]]]


class Builder(Protocol):
    """Makes the processes of jobs of one kind."""

    def build(self, job: Incarnation, number: int, observe: Observer) -> Born:
        """Make the processes of a job.

        Args:
            job: without processes.
            number: of the incarnation, from 1.
            observe: told of every event that was handled.

        Returns:
            Each process in rank order, with the roles that it starts.
        """
        ...

    def counts_as_alive(self, first: SimulatedProcess, rank: Rank) -> bool:
        """Say whether the chief believes that a rank lives.

        Args:
            first: the chief's process.
            rank: which rank.

        Returns:
            False too while there is no chief.
        """
        ...


class TrainingBuilder:
    """Makes training jobs."""

    def __init__(self, around: Surroundings, replayed: Replay | None = None) -> None:
        """Note what all jobs share.

        Args:
            around: the machine.
            replayed: what the run goes by, if it replays another one.
        """
        self.around = around
        self.replayed = replayed

    def build(self, job: Incarnation, number: int, observe: Observer) -> Born:
        """Make the processes of a training job.

        Args:
            job: without processes.
            number: of the incarnation, from 1.
            observe: told of every event that was handled.

        Yields:
            Each process in rank order, with the roles that it starts.
        """
        settings, hosts = self.around.settings, job.hosts
        domains = tuple(domain_of(host, settings.hosts.domain) for host in hosts)
        lanes, size = settings.train.lanes, settings.parallel.team_size
        placement = place(hosts, settings.roles, lanes, size, domains)
        history, wish = tuple(self.around.files.journal), self.around.wish
        starts = sum(isinstance(record, RunOpened) for record in history)
        run = RunFacts(
            run_id="simulated",
            settings_digest=Digest("simulated"),
            recipes=recipes_of(history, settings),
            expected=tuple(
                Address(Rank(r), role) for r, roles in enumerate(placement.roles) for role in roles
            ),
            placement=placement.reason,
            hosts=hosts,
            domains=domains,
            teams=placement.teams,
            history=history,
            hyperparameters=log_of(history, self.around.begun),
            back_to=wish.back_to if starts == wish.starts else -1,
            replan=wish.replan,
            replayed=self.replayed,
            asked=self.around.files.recipe_request,
        )
        chief = Address(CHIEF, RoleName.COORDINATOR)
        for facts in facts_of(job, number, chief):
            process = self._process(job, facts, role_builder(settings, facts, run), observe)
            yield process, (RoleName.HERALD, *placement.roles[facts.rank])

    def counts_as_alive(self, first: SimulatedProcess, rank: Rank) -> bool:
        """Say whether the coordinator believes that a rank lives.

        Args:
            first: the coordinator's process.
            rank: which rank.

        Returns:
            False too while there is no coordinator.
        """
        role = first.router.roles.get(RoleName.COORDINATOR)
        return first.alive and isinstance(role, Coordinator) and rank in role.roster.heard

    def _process(
        self, job: Incarnation, facts: RankFacts, build: Build, observe: Observer
    ) -> SimulatedProcess:
        around, life = self.around, Life(self.around.agenda)
        rank, host = facts.rank, facts.host
        ports = Ports(
            clock=SimulatedClock(around.agenda),
            transport=job.network.ends[rank],
            processes=SimulatedProcesses(host, facts.pid, job.fence, around.files),
            engine=SimulatedEngine(around, life, rank, host, job.lines),
            data=SimulatedData(around, life, rank),
            copies=SimulatedCopies(around, life, rank, host),
            books=SimulatedBooks(around) if rank == CHIEF else UNPLUGGED,
        )
        return born(job, life, ports, Router(rank, build), facts, observe)


def facts_of(job: Incarnation, number: int, chief: Address) -> Iterator[RankFacts]:
    """Yield who each rank of a job is.

    Args:
        job: its hosts are known.
        number: of the incarnation, from 1; no process ever has the number of another.
        chief: the role that decides.

    Yields:
        Facts in rank order.
    """
    mates: dict[str, list[Rank]] = {}
    for rank, host in enumerate(job.hosts):
        mates.setdefault(host, []).append(Rank(rank))
    shared = {host: tuple(ranks) for host, ranks in mates.items()}
    for rank, host in enumerate(job.hosts):
        yield RankFacts(Rank(rank), host, 100_000 * number + rank, chief, shared[host])


def born(
    job: Incarnation,
    life: Life,
    ports: Ports,
    router: Router,
    facts: RankFacts,
    observe: Observer,
) -> SimulatedProcess:
    """Join the parts of a process.

    Args:
        job: it will belong to.
        life: that its ports share.
        ports: its side of the machine.
        router: its roles.
        facts: who it is.
        observe: told of every event that was handled.

    Returns:
        A process that has not started.
    """
    identity = Identity(facts.rank, facts.host, facts.pid)

    def left(process: SimulatedProcess) -> None:
        leaving = process.ports.processes
        job.left(process, leaving.reason if isinstance(leaving, SimulatedProcesses) else "")

    def seen(handled: Handled) -> None:
        observe(process, handled)

    process = SimulatedProcess(identity, life, ports, router, seen, left)
    return process


def role_builder(settings: Settings, facts: RankFacts, run: RunFacts) -> Build:
    """Return what builds the roles of a rank of a training job.

    Args:
        settings: the job.
        facts: who the rank is.
        run: the run so far.
    """
    assignment = Assignment(settings, facts, run)
    return lambda name, describe: build_role(assignment, name, describe)
