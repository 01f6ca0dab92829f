"""The simulation: jobs of simulated processes, one after the other, until the run has ended.

Theory of operation. One agenda, one seeded source of chance (the only one in the project's pure
code). An incarnation is a network and its processes. When no process is left and there is no end
marker, the job is started again on the hosts that live, with the journal, the disk and the RAM
files that are left: what the supervisor around a real job does. After every event the invariants
are checked; a broken one ends the run and tells the story.
"""

import gc
import random  # noqa: TID251 - the one place that makes a source of chance, seeded
from collections.abc import Sequence

from msgspec import Struct

from qmpi.config.settings import Settings
from qmpi.driver.process import Handled
from qmpi.errors import InvariantError
from qmpi.policy.relaunch import may_relaunch
from qmpi.ports.books import AppendJournal, Entry, WriteEnd
from qmpi.ports.engine import GroupJoined
from qmpi.protocol.journal import HyperparametersChanged
from qmpi.simulator.agenda import Agenda, Chance
from qmpi.simulator.building import Builder, TrainingBuilder
from qmpi.simulator.faults import Deed, Fault, LoseHost
from qmpi.simulator.hardware import Hardware
from qmpi.simulator.incarnation import Incarnation
from qmpi.simulator.invariants import Invariants
from qmpi.simulator.outcome import Outcome
from qmpi.simulator.process import SimulatedProcess
from qmpi.simulator.stream_model import Expected, State
from qmpi.simulator.strikes import CHIEF, Pending, strike
from qmpi.simulator.surroundings import Onlooker, Surroundings
from qmpi.simulator.trace import Trace, names_of
from qmpi.units import Generation, Rank, Seconds

STORY_LINES = 40
END = "end"
"""Stands for the end of a run among what faults wait for: the user then goes on with it."""

FOREVER = Seconds(1e6)


class Care(Struct, frozen=True):
    """How closely a run is followed; less of it for thousands of ranks.

    Attributes:
        keep_trace: newest trace entries kept in memory; 0: all; -1: no trace, and no digest of it.
        check_roles: check the invariants of each role after each of its events.
        collect_garbage: let Python look for garbage during the run; among the millions of small
            objects of a large job there is little, and the search takes a third of the time.
    """

    keep_trace: int = 2000
    check_roles: bool = True
    collect_garbage: bool = True


NO_CARE = Care(keep_trace=-1, check_roles=False, collect_garbage=False)


class Simulation(Onlooker):
    """A run under faults.

    Invariants: at most one incarnation is alive; each fault strikes once.
    """

    def __init__(
        self,
        settings: Settings,
        ranks: int,
        seed: int,
        faults: Sequence[Fault] = (),
        hardware: Hardware | None = None,
        *,
        care: Care | None = None,
    ) -> None:
        """Set the stage.

        Args:
            settings: the job.
            ranks: size of the MPI job.
            seed: of delays, durations and what faults leave to chance.
            faults: what goes wrong.
            hardware: durations; the default is a small cluster.
            care: how closely it is followed.
        """
        self.settings = settings
        self.hardware = hardware or Hardware()
        self.care = care or Care()
        self.agenda = Agenda()
        self.chance: Chance = random.Random(seed)
        self.around = Surroundings(settings, self.hardware, self.agenda, self.chance)
        self.around.onlooker = self
        self.files = self.around.files
        self.trace = Trace(keep=self.care.keep_trace)
        self._expected = Expected(settings, self.hardware.corpus_rows)
        failure = settings.failure
        patience = Seconds(failure.start_seconds + 3 * failure.dead_seconds + 120.0)
        self.invariants = Invariants(self._expected, patience)
        per_host = max(1, self.hardware.ranks_per_host)
        self._hosts = [f"host{rank // per_host}" for rank in range(ranks)]
        self._relaunches: list[Seconds] = []
        self.launches = 0
        self._given_up = False
        self._over = False
        self._pending = Pending(self.agenda, faults, self._strike)
        self._builder = self.builder()
        self._job = self._launch()

    def builder(self) -> Builder:
        """Return what makes the processes of a job."""
        return TrainingBuilder(self.around)

    def run(self, until: Seconds = FOREVER, max_events: int = 50_000_000) -> Outcome:
        """Run to the end of the run.

        Args:
            until: virtual seconds after which it is given up.
            max_events: actions after which it is given up.

        Returns:
            How it ended.
        """
        collecting = gc.isenabled()
        if not self.care.collect_garbage:
            gc.disable()
        try:
            violation = self._run(until, max_events)
        finally:
            if collecting:
                gc.enable()
        return self._outcome(violation)

    def _run(self, until: Seconds, max_events: int) -> str:
        agenda, invariants = self.agenda, self.invariants
        try:
            while not self._over and agenda.now < until and agenda.done < max_events:
                if not agenda.step():
                    break
                invariants.check_progress(agenda.now)
        except InvariantError as error:
            return f"{error}\n{self._where()}\n{self.trace.story(STORY_LINES)}"
        return ""

    # --- what ports and processes tell ------------------------------------------------------------

    def weights_changed(self, rank: Rank, generation: Generation, state: State) -> None:
        """Hold new weights against those of an undisturbed run.

        Args:
            rank: whose engine.
            generation: of the work that changed them.
            state: what it holds.
        """
        alive = self._builder.counts_as_alive(self._job.processes[CHIEF], rank)
        self.invariants.weights_changed(rank, generation, state, alive=alive)

    def staged(self, rank: Rank, stage: str) -> None:
        """Let faults that wait for a stage of engine work strike.

        Args:
            rank: whose engine.
            stage: its name.
        """
        if self._pending.listening:
            self._pending.happened(stage, rank)

    def written(self, entry: Entry) -> None:
        """Judge what was written into the books.

        Args:
            entry: what.
        """
        match entry:
            case AppendJournal(records):
                self.invariants.appended(records, self.agenda.now)
                self._pending.committed(self.invariants.committed)
            case WriteEnd():
                self.invariants.progress(self.agenda.now)
            case _:
                pass

    def unit_written(self, units: int) -> None:
        """Note that a unit of a farm was written.

        Args:
            units: that exist now, of all stages.
        """
        self.invariants.progress(self.agenda.now)
        self.invariants.committed = units
        self._pending.committed(units)

    def handled(self, process: SimulatedProcess, handled: Handled) -> None:
        """Follow an event that a role has handled.

        Args:
            process: where.
            handled: the event, and what followed.
        """
        self.trace.add(self.agenda.now, process.rank, handled)
        if self.care.check_roles and handled.owner in process.router.roles:
            process.router.roles[handled.owner].check()
        if isinstance(handled.event, GroupJoined):
            self.invariants.joined(handled.event.generation)
        if self._pending.listening:
            for name in names_of(handled):
                self._pending.happened(name, process.rank)

    # --- incarnations -----------------------------------------------------------------------------

    def _launch(self) -> Incarnation:
        self.invariants.progress(self.agenda.now)
        job = self._job = Incarnation(self.around, self._hosts, self._ended)
        self.launches += 1
        for process, roles in self._builder.build(job, self.launches, self.handled):
            job.add(process)
            process.life.later(
                0.5 * self.chance.random(), lambda p=process, names=roles: p.start(names)
            )
        return job

    def _ended(self) -> None:
        end = self.files.end
        if end is not None and end.goes_back:
            # The command starts such a run again, and no death is counted.
            self.files.end = None
            self.agenda.after(self.hardware.relaunch_seconds, lambda: self._launch() and None)
            return
        if end is not None and not self._pending.happened(END, CHIEF):
            self._over = True
            return
        self.files.end = None
        failure, now = self.settings.failure, self.agenda.now
        window = Seconds(failure.relaunch_window_seconds)
        again = may_relaunch(self._relaunches, now, failure.max_relaunches, window)
        if not again.allowed or not self._hosts:
            self._given_up = self._over = True
            return
        begin = Seconds(now + again.wait_seconds + self.hardware.relaunch_seconds)
        self._relaunches.append(begin)
        self.agenda.at(begin, lambda: self._launch() and None)

    def _strike(self, deed: Deed) -> None:
        self.trace.note(self.agenda.now, repr(deed))
        self.invariants.progress(self.agenda.now)
        if isinstance(deed, LoseHost):
            self._hosts = [host for host in self._hosts if host not in deed.hosts]
        strike(deed, self._job, self.around)

    # --- outcome ----------------------------------------------------------------------------------

    def _where(self) -> str:
        lines = [
            f"rank {p.rank} on {p.identity.host}: "
            + ", ".join(f"{s.role} ({s.activity})" for s in p.router.describe())
            for p in self._job.living()[:20]
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
            expected_digest=self._expected.digest(self.around.settings.train.steps),
            trace_digest=self.trace.digest,
            committed=self.invariants.committed,
            redone=self.invariants.redone,
            generations=self.invariants.generations,
            incarnations=self.invariants.incarnations,
            failures=len(status.failures) if status else 0,
            skipped=status.skipped if status else 0,
            spikes=status.spikes if status else 0,
            roll_backs=len(status.roll_backs) if status else 0,
            changes=sum(isinstance(r, HyperparametersChanged) for r in self.files.journal),
            recipes=len(self._expected.recipes),
            evaluations=len(status.evaluations) if status else 0,
            evaluations_missed=status.evaluations_missed if status else 0,
            time=float(self.agenda.now),
            events=self.agenda.done,
        )
