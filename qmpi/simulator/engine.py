"""The simulation: jobs of simulated processes, one after the other, until the run has ended.

Theory of operation. One agenda, one seeded source of chance (the only one in the project's pure
code). A job is a network, its processes and their trainer groups. When no process is left and there
is no end marker, the job is started again on the hosts that live, with the journal, the disk and
the RAM files that are left: what the supervisor around a real job does. After every event the
invariants are checked; a broken one ends the run and tells the story.
"""

import random  # noqa: TID251 - the one place that makes a source of chance, seeded
from collections.abc import Iterable, Sequence

from qmpi.config.settings import Settings
from qmpi.errors import InvariantError
from qmpi.policy.placement import place
from qmpi.policy.relaunch import may_relaunch
from qmpi.policy.stream import first_recipe
from qmpi.ports.processes import StopRequested
from qmpi.protocol.envelope import Address, RoleName
from qmpi.roles.build import Assignment, build_role
from qmpi.roles.coordinator import Coordinator
from qmpi.roles.host import RoleHost
from qmpi.roles.member import RankFacts
from qmpi.roles.run_facts import RunFacts
from qmpi.simulator.agenda import Agenda, Chance
from qmpi.simulator.faults import (
    AtTime,
    Corrupt,
    Deed,
    Fault,
    Hang,
    Kill,
    KillAll,
    KillRole,
    LoseHost,
    OnEvent,
    Partition,
    Stop,
    WhenStep,
)
from qmpi.simulator.files import Files
from qmpi.simulator.group_model import SimulatedGroup
from qmpi.simulator.hardware import Hardware
from qmpi.simulator.invariants import Invariants
from qmpi.simulator.network import Network
from qmpi.simulator.outcome import Outcome
from qmpi.simulator.process import SimulatedProcess
from qmpi.simulator.stream_model import Expected
from qmpi.simulator.trace import Trace
from qmpi.units import Digest, Generation, Rank, Seconds

COORDINATOR = Rank(0)
STORY_LINES = 40
FOREVER = Seconds(1e6)


class Job:
    """One incarnation."""

    def __init__(self, network: Network, hosts: Sequence[str]) -> None:
        """Make a job without processes.

        Args:
            network: between its ranks.
            hosts: of each rank.
        """
        self.network = network
        self.hosts = tuple(hosts)
        self.processes: list[SimulatedProcess] = []
        self.groups: dict[Generation, SimulatedGroup] = {}
        self.ended = False

    def living(self) -> list[SimulatedProcess]:
        """Return the processes that live."""
        return [p for p in self.processes if p.alive]


class Simulation:
    """A run under faults.

    Invariants: at most one job is alive; each fault strikes once.
    """

    def __init__(
        self,
        settings: Settings,
        ranks: int,
        seed: int,
        faults: Sequence[Fault] = (),
        hardware: Hardware | None = None,
        *,
        keep_trace: int = 2000,
    ) -> None:
        """Set the stage.

        Args:
            settings: the job.
            ranks: size of the MPI job.
            seed: of delays, durations and what faults leave to chance.
            faults: what goes wrong.
            hardware: durations; the default is a small cluster.
            keep_trace: newest trace entries kept in memory; 0: all.
        """
        self.settings = settings
        self.hardware = hardware or Hardware()
        self.agenda = Agenda()
        self.chance: Chance = random.Random(seed)
        self.files = Files(settings.snapshot.keep)
        self.trace = Trace(keep=keep_trace)
        weights = [source.weight for source in settings.data.sources]
        self._recipes = (first_recipe(weights, settings.job.seed),)
        self._expected = Expected(settings, self._recipes, self.hardware.corpus_rows)
        failure = settings.failure
        patience = Seconds(failure.start_seconds + 3 * failure.dead_seconds + 120.0)
        self.invariants = Invariants(self._expected, patience)
        per_host = max(1, self.hardware.ranks_per_host)
        self._hosts = [f"host{rank // per_host}" for rank in range(ranks)]
        self._lost_hosts: set[str] = set()
        self._waiting: list[Fault] = []
        self._counts: dict[OnEvent, int] = {}
        self._relaunches: list[Seconds] = []
        self._given_up = False
        self._over = False
        self._job: Job | None = None
        for fault in faults:
            self._expect(fault)
        self._launch()

    def run(self, until: Seconds = FOREVER, max_events: int = 50_000_000) -> Outcome:
        """Run to the end of the run.

        Args:
            until: virtual seconds after which it is given up.
            max_events: actions after which it is given up.

        Returns:
            How it ended.
        """
        violation = ""
        try:
            while not self._over and self.agenda.now < until and self.agenda.done < max_events:
                if not self.agenda.step():
                    break
                self.invariants.check_progress(self.agenda.now)
        except InvariantError as error:
            violation = f"{error}\n{self._where()}\n{self.trace.story(STORY_LINES)}"
        return self._outcome(violation)

    # --- what processes want (World) --------------------------------------------------------------

    def group(self, generation: Generation, size: int) -> SimulatedGroup:
        """Return the trainer group of a generation, made on first use.

        Args:
            generation: its number.
            size: members.
        """
        groups = self._current().groups
        if generation not in groups:
            groups[generation] = SimulatedGroup(generation, size, self.chance, self.hardware.link)
        return groups[generation]

    def fence(self, host: str, pid: int, reason: str) -> None:
        """Kill a process of a host.

        Args:
            host: where.
            pid: which.
            reason: why, in words.
        """
        for process in self._current().living():
            if process.host == host and process.facts.pid == pid:
                self._kill(process, f"fenced: {reason}")

    def left(self, process: SimulatedProcess, reason: str) -> None:
        """Take a process that leaves by itself off the network.

        Args:
            process: which.
            reason: why, in words.
        """
        process.end()
        self._current().network.remove(process.rank, f"it left: {reason}", flushed=True)
        self._end_of_job()

    def counts_as_alive(self, rank: Rank) -> bool:
        """Say whether the coordinator believes that a rank lives.

        Args:
            rank: which rank.

        Returns:
            False too while there is no coordinator.
        """
        first = self._current().processes[COORDINATOR]
        role = first.roles.roles.get(RoleName.COORDINATOR)
        if not first.alive or not isinstance(role, Coordinator):
            return False
        return rank in role.roster.live_ranks()

    def handled(self, rank: Rank, names: Iterable[str]) -> None:
        """Let faults that wait for one of these names, or for a step, strike.

        Args:
            rank: where something was handled.
            names: of the event, message and effects.
        """
        if not self._waiting:
            return
        seen = tuple(names)
        for fault in tuple(self._waiting):
            if self._due(fault, rank, seen):
                self._waiting.remove(fault)
                self.agenda.after(0.0, lambda deed=fault.deed: self._strike(deed))

    # --- jobs -------------------------------------------------------------------------------------

    def _launch(self) -> None:
        hosts = [host for host in self._hosts if host not in self._lost_hosts]
        if not hosts:
            self._given_up = self._over = True
            return
        self.invariants.progress(self.agenda.now)
        job = self._job = Job(
            Network(self.agenda, self.chance, self.hardware.link, len(hosts)), hosts
        )
        self._build(job)

    def _build(self, job: Job) -> None:
        """Make the processes of a job."""
        train, hosts = self.settings.train, job.hosts
        placement = place(hosts, self.settings.roles, train.lanes)
        expected = tuple(
            Address(Rank(r), role) for r, roles in enumerate(placement.roles) for role in roles
        )
        run = RunFacts(
            run_id="simulated",
            settings_digest=Digest("simulated"),
            recipes=self._recipes,
            expected=expected,
            placement=placement.reason,
            history=tuple(self.files.journal),
        )
        number = len(self._relaunches) + 1
        for rank, host in enumerate(hosts):
            facts = RankFacts(Rank(rank), host, 10_000 * number + rank, COORDINATOR)
            assignment = Assignment(self.settings, facts, run)
            roles = RoleHost(Rank(rank), lambda name, a=assignment: build_role(a, name))
            process = SimulatedProcess(self, facts, job.network.ends[rank], roles)
            job.processes.append(process)
            names = placement.roles[rank]
            process.later(0.5 * self.chance.random(), lambda p=process, n=names: p.start(n))

    def _current(self) -> Job:
        if self._job is None:
            raise InvariantError("no job was ever started")
        return self._job

    def _kill(self, process: SimulatedProcess, reason: str) -> None:
        process.end()
        self._current().network.remove(process.rank, reason, flushed=False)
        self._end_of_job()

    def _end_of_job(self) -> None:
        job = self._current()
        if job.living() or job.ended:
            return
        job.ended = True
        if self.files.end is not None:
            self._over = True
            return
        failure, now = self.settings.failure, self.agenda.now
        window = Seconds(failure.relaunch_window_seconds)
        again = may_relaunch(self._relaunches, now, failure.max_relaunches, window)
        if not again.allowed:
            self._given_up = self._over = True
            return
        begin = Seconds(now + again.wait_seconds + self.hardware.relaunch_seconds)
        self._relaunches.append(begin)
        self.agenda.at(begin, self._launch)

    # --- faults -----------------------------------------------------------------------------------

    def _expect(self, fault: Fault) -> None:
        if isinstance(fault.trigger, AtTime):
            self.agenda.at(fault.trigger.at, lambda: self._strike(fault.deed))
        else:
            self._waiting.append(fault)

    def _due(self, fault: Fault, rank: Rank, names: tuple[str, ...]) -> bool:
        match fault.trigger:
            case AtTime():
                return False
            case WhenStep(step):
                return self.invariants.committed >= step
            case OnEvent(name, wanted, count) as trigger:
                if name not in names or wanted not in (None, rank):
                    return False
                self._counts[trigger] = self._counts.get(trigger, 0) + 1
                return self._counts[trigger] >= count

    def _strike(self, deed: Deed) -> None:
        job = self._current()
        self.trace.add(self.agenda.now, Rank(-1), "fault", repr(deed), ())
        self.invariants.progress(self.agenda.now)
        match deed:
            case Kill(rank):
                self._kill_rank(rank)
            case KillRole(role, index):
                players = [p for p in job.living() if role in p.roles.roles]
                for process in players[index : index + 1]:
                    self._kill(process, "killed")
            case KillAll():
                self._kill_all(job)
            case LoseHost(host):
                self._lost_hosts.add(host)
                self.files.lose_host(host)
                self._kill_all(job)
            case Hang() | Partition() | Corrupt():
                self._hamper(job, deed)
            case Stop():
                first = job.processes[COORDINATOR]
                event = StopRequested("a stop was requested")
                first.run(lambda: first.handle(RoleName.COORDINATOR, event, "stop"))

    def _hamper(self, job: Job, deed: Hang | Partition | Corrupt) -> None:
        match deed:
            case Hang(rank, seconds):
                if rank < len(job.processes):
                    job.processes[rank].hung_until = Seconds(self.agenda.now + seconds)
            case Partition(ranks, seconds):
                job.network.cut(frozenset(ranks), seconds)
            case Corrupt(place_name, rank):
                self.files.corrupt(place_name, rank)

    def _kill_rank(self, rank: Rank) -> None:
        job = self._current()
        if rank < len(job.processes) and job.processes[rank].alive:
            self._kill(job.processes[rank], "killed")

    def _kill_all(self, job: Job) -> None:
        for process in job.living():
            process.end()
        self._end_of_job()

    # --- outcome ----------------------------------------------------------------------------------

    def _where(self) -> str:
        lines = [
            f"rank {p.rank} on {p.host}: "
            + ", ".join(
                f"{n} g{r.generation} ({r.activity})" for n, r in sorted(p.roles.roles.items())
            )
            for p in self._current().living()[:20]
        ]
        return "\n".join(lines)

    def _outcome(self, violation: str) -> Outcome:
        end = self.files.end
        state = end.state if end is not None else "given up" if self._given_up else "unfinished"
        status = self.files.status
        return Outcome(
            state="violated" if violation else state,
            end=end,
            journal=tuple(self.files.journal),
            status=status,
            violation=violation,
            expected_digest=self._expected.weights(self.settings.train.steps).hex(),
            trace_digest=self.trace.digest,
            committed=self.invariants.committed,
            redone=self.invariants.redone,
            generations=self.invariants.generations,
            incarnations=self.invariants.incarnations,
            failures=len(status.failures) if status else 0,
            time=float(self.agenda.now),
            events=self.agenda.done,
        )
