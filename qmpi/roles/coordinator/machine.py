"""Coordinator: membership, trainer groups, grants, commits, the journal and the status.

Theory of operation. It never touches bulk data. Ranks say hello; when all have (or are lost), a
trainer group is formed. Forming a group is the same at the start, after a failure and after a
relaunch: open a generation (`Regroup`), hear what every trainer holds (`Holding`), let
`policy.recovery` decide, tell the members (`FormGroup`), wait until they are connected
(`GroupReady`), grant steps. Anything that goes wrong on the way opens the next generation. A step
is committed when its one report is in: the vote among all trainers guarantees that they hold it or
can finish it, and the next group's reporter tells what a dead one did not.

`RULES` is the machine; docs/design.md shows it as a picture. Silence, crashes and losses all end in
`RankLost`, so that there is one answer to each of them.

Invariants: `generation` grows by one a group attempt; steps are granted only in `running`; nothing
is committed after `ending`.
"""

from typing import Literal

from msgspec.structs import replace

from qmpi.config.settings import Settings
from qmpi.errors import ExitCode, InvariantError
from qmpi.planning.shape import flops_per_token, shape_of
from qmpi.policy.state_source import INITIAL
from qmpi.ports.base import Effect, Event, Started
from qmpi.ports.books import AppendJournal, BooksBroken, WriteStatus
from qmpi.ports.clock import SetTimer, Slept, TimerFired
from qmpi.ports.copies import ForgetCopies
from qmpi.ports.processes import ProfileRequested, RecipeRequested, StopRequested
from qmpi.ports.transport import RankLost, Received, Send
from qmpi.protocol.added import SourcesTried
from qmpi.protocol.blocks import DataFault
from qmpi.protocol.envelope import RoleName
from qmpi.protocol.evaluation import EvaluationPart
from qmpi.protocol.journal import RunEnded
from qmpi.protocol.membership import Crashed, GroupBroken, GroupReady, Hello, Holding, Left
from qmpi.protocol.profiles import ProfileDone
from qmpi.protocol.progress import StepReport
from qmpi.protocol.pulse import Beat, BeatHeard, DirectoryWanted, Pulse
from qmpi.protocol.snapshots import SnapshotFailed, SnapshotHeld
from qmpi.protocol.status import RunState
from qmpi.roles.chief import STATUS, WATCH, Chief, EndJob
from qmpi.roles.coordinator.agreement import contradiction, opening
from qmpi.roles.coordinator.broken import REFORM, BrokenGroups
from qmpi.roles.coordinator.changing import HALVE, Changes
from qmpi.roles.coordinator.copies import CopyBook
from qmpi.roles.coordinator.crew import Crew
from qmpi.roles.coordinator.evaluations import GRACE_STEPS, Evaluations, newest
from qmpi.roles.coordinator.facts import RunFacts
from qmpi.roles.coordinator.failures import LEAVE_AGAIN, NOBODY, Failures
from qmpi.roles.coordinator.grants import Grants
from qmpi.roles.coordinator.halting import goes_back, opened_back, way_back, why_halted
from qmpi.roles.coordinator.profiles import Profiles
from qmpi.roles.coordinator.recipes import RecipeBook
from qmpi.roles.coordinator.record import Record
from qmpi.roles.coordinator.teams import Groups
from qmpi.roles.ending import LEAVING, HowItEnded
from qmpi.roles.facts import RankFacts
from qmpi.roles.reports import ranks_text
from qmpi.roles.table import Rule, Table, named
from qmpi.units import Generation, Seconds, Step

Phase = Literal["gathering", "regrouping", "forming", "running", "ending", "ended"]


class GiveUp(Event, frozen=True):
    """Raised by the coordinator itself: leave without an end marker, to be started again."""

    why: str


class Coordinator(Chief):
    """The one role that decides in a training job."""

    name = RoleName.COORDINATOR

    def __init__(self, settings: Settings, facts: RankFacts, run: RunFacts) -> None:
        """Make the coordinator of one incarnation.

        Args:
            settings: the job.
            facts: who this rank is.
            run: the run so far and the placement.
        """
        super().__init__(settings, facts, run.expected, run.hosts, "gathering", run.domains)
        self.run, train = run, settings.train
        tokens = train.lanes * train.microbatches * train.sequences * train.sequence_tokens
        self.record = Record(tokens, train.lanes)
        self.record.replay(run.history)
        self.copies = CopyBook(settings.snapshot.keep, settings.parallel.team_size)
        generation, size = self.record.generation, settings.parallel.team_size
        self.groups = Groups(self.roster, generation, run, train, size)
        self.groups.branches = tuple(self.record.branches)
        self.grants = Grants(settings)
        self.crew = Crew(self.roster, facts, lanes_keep=self.groups.lanes_keep)
        self.failures = Failures(self.record, self.crew)
        self.broken = BrokenGroups(self.roster, run, facts.rank, size)
        self.profiles = Profiles()
        self.evaluations = Evaluations(settings, newest(self.record.evaluations))
        shape = shape_of(settings.model)
        self.flops_per_token = flops_per_token(shape, train.sequence_tokens)
        self.peak_flops = 0.0
        self.stopping = ""
        self.stop_code = ExitCode.REQUEUE
        self.is_asked = False
        self.why = run.placement
        self.changes = Changes(self.record, self.groups, self.grants)
        self.recipes = RecipeBook(settings, run, self.changes, self.crew)

    @property
    def generation(self) -> Generation:
        """Newest generation; only this role raises it."""
        return self.groups.generation

    def handle(self, event: Event, now: Seconds) -> list[Effect]:
        """Take one event.

        Args:
            event: what happened.
            now: seconds since the epoch, monotonic.

        Returns:
            What shall happen, in order.
        """
        if not self.hears(event, now):
            return []
        try:
            return TABLE.take(self, event, now)
        except InvariantError as error:
            self.raised.clear()
            return TABLE.take(self, EndJob("failed", ExitCode.BUG, str(error)), now)

    def check(self) -> None:
        """Check the invariants of the class.

        Raises:
            InvariantError: one of them is broken.
        """
        self.groups.check()
        self.grants.check()

    # --- guards -----------------------------------------------------------------------------------

    def all_agree(self, _: object) -> bool:
        """All instances have said hello, none contradicts another, the journal or the user."""
        return (
            self.roster.complete
            and not contradiction(self.roster, self.run)
            and not self._no_way_back()
        )

    def all_here(self, _: object) -> bool:
        """All instances have said hello."""
        return self.roster.complete

    def undecided(self, _: object) -> bool:
        """Every live trainer has said what it holds, and the next group need not wait."""
        waits = self.broken.waits or self.recipes.holds
        return self.groups.all_heard and not self.groups.decided and not waits

    def planned(self, _: object) -> bool:
        """The next group is decided, and throws no checkpoint away."""
        return self.groups.plan is not None and not self.loses_state(_)

    def loses_state(self, _: object) -> bool:
        """The group would begin anew although checkpoints were written."""
        plan = self.groups.plan
        anew = plan is not None and plan.origins[0].origin == INITIAL
        return anew and self.record.checkpointed > 0 and not self.run.from_scratch

    def nobody(self, _: object) -> bool:
        """It is decided that too few ranks are left for one team."""
        return self.groups.decided and self.groups.plan is None

    def starved(self, _: object) -> bool:
        """Nobody is left to train for want of memory, before any step was done."""
        return self.nobody(_) and bool(self.failures.starved)

    def all_ready(self, _: object) -> bool:
        """Every member is connected."""
        return self.groups.all_ready

    def stopped(self, _: object) -> bool:
        """A stop was asked for, and its last step is committed and on disk."""
        return bool(self.stopping) and self.done(_)

    def done(self, _: object) -> bool:
        """All steps are committed, the last is evaluated if due, and its checkpoint is on disk."""
        end = self.grants.end
        whole = self.record.committed >= end and self.copies.on_disk(end)
        return whole and not self.evaluations.awaited(end)

    def sources_tried(self, _: object) -> bool:
        """Every data rank has tried the sources that are asked for."""
        return self.recipes.additions.is_tried

    def in_group(self, event: Received) -> bool:
        """The message is of the generation in force."""
        return getattr(event.message, "generation", None) == self.generation

    def trains(self, event: RankLost) -> bool:
        """The rank is known and trains."""
        return RoleName.TRAINER in self.roster.roles_on(event.rank)

    def last_copy(self, event: Received) -> bool:
        """The copy that failed is that of the last step, which all others wait for."""
        message = event.message
        end = self.grants.end
        last = isinstance(message, SnapshotFailed) and message.step >= end and not message.place
        return last and self.record.committed >= end

    def nothing_to_save(self, _: object) -> bool:
        """Not a step is granted."""
        return max(self.grants.granted, self.record.committed) == 0

    # --- the beginning ----------------------------------------------------------------------------

    def start(self, _: Started, now: Seconds) -> list[Effect]:
        """Expect every instance, and set the timers."""
        return [*self.begin(now), self._status("starting", now)]

    def greet(self, event: Received, now: Seconds) -> list[Effect]:
        """Take in a hello; a late one may be of a data role."""
        hello, source = event.message, event.header.source
        if isinstance(hello, Hello):
            self.roster.greet(source, hello, now)
        if self.phase == "gathering":
            return []
        return self.crew.publish(f"rank {source.rank} serves as {source.role}", now)

    def refuse(self, _: None, now: Seconds) -> list[Effect]:
        """End a run whose ranks contradict each other, or its past."""
        fault = contradiction(self.roster, self.run)
        if fault:
            return self.end(EndJob("failed", ExitCode.MACHINE, fault), now)
        return self.end(EndJob("failed", ExitCode.USER, self._no_way_back()), now)

    def _no_way_back(self) -> str:
        step = Step(self.run.back_to)
        if step < 0:
            return way_back(self.run, self.record, self.settings, self.groups)[1]
        if step == 0 or self.groups.whole_steps(step):
            return ""
        return self.failures.no_way_back(self.run, self.groups.whole_steps(self.record.committed))

    def open_run(self, _: None, now: Seconds) -> list[Effect]:
        """Write down that the job has begun, and form the first group."""
        roll_back = way_back(self.run, self.record, self.settings, self.groups)[0]
        opened = opening(self.run, self.roster, self.record, self.settings, now, roll_back)
        self.record.take(opened)
        self._halt()
        self.groups.hyperparameters = opened.hyperparameters
        self.groups.branches = tuple(self.record.branches)
        again = f"start {opened.incarnation} of the job"
        if roll_back is not None:
            again += f": {opened_back(roll_back, self.settings)}"
        elif opened.back_to >= 0:
            again += f", which goes back to step {opened.back_to}"
        crew = [*self.crew.fill_roles(now), *self.recipes.open(opened, again, now)]
        noted = [*self.failures.died_before(self.run, now), *self.failures.left_out(self.run, now)]
        return [AppendJournal((opened,)), *noted, *crew, *self._regroup(again)]

    # --- groups -----------------------------------------------------------------------------------

    def _regroup(self, reason: str) -> list[Effect]:
        self.why = reason
        asked = self.groups.open(reason)
        self.record.generation = self.generation
        return asked

    def regroup_broken(self, event: Received, now: Seconds) -> list[Effect]:
        """Form the next group, perhaps later or without a member; or end a run that gets none."""
        message, rank = event.message, event.header.source.rank
        if not isinstance(message, GroupBroken):
            return []
        why = f"rank {rank}: {message.reason}"
        if message.out_of_memory:
            self.changes.halve_next()
            what = f"{ranks_text([rank])} had no memory for a step"
            noted = self.failures.note(now, (rank,), what, HALVE, message.reason)
            return [*noted, *self._regroup(why)]
        follows = self.broken.broke(rank, message, now)
        if follows.unfit is not None:
            unfit = RankLost(follows.unfit, self.broken.why_unfit(follows.unfit))
            return [*self.orders.fence(unfit.rank, unfit.reason), *self.lose_trainer(unfit, now)]
        if follows.ends:
            why = self.broken.why_ends(self.record.committed)
            self.raised.append(EndJob("failed", ExitCode.MACHINE, why))
        if not self.broken.waits:
            return self._regroup(why)
        later = SetTimer(REFORM, Seconds(now + follows.wait_seconds))
        return [*self._regroup(f"{why}; tried again in {follows.wait_seconds:g} s"), later]

    def reform(self, _: TimerFired, now: Seconds) -> list[Effect]:
        """Let the next group wait no longer."""
        del now
        self.broken.waits = False
        return []

    def hear_holding(self, event: Received, now: Seconds) -> list[Effect]:
        """Take in what a trainer holds."""
        del now
        if isinstance(event.message, Holding):
            self.groups.heard(event.header.source.rank, event.message)
        return []

    def decide(self, _: None, now: Seconds) -> list[Effect]:
        """Decide who trains next, from which state."""
        del now
        self.groups.decide(self.copies, self.record.committed)
        return []

    def form(self, _: None, now: Seconds) -> list[Effect]:
        """Tell the members of the next group what to do first."""
        plan = self.groups.decided_plan
        anew = plan.origins[0].origin == INITIAL and self.record.committed
        noted = self.failures.begun_anew(self.run, now) if anew else []
        missed = self._evaluated(now, min(plan.step, self.record.committed), grace=1)
        redone = self.record.rewind(plan.step)
        self.evaluations.begin(plan.step, newest(self.record.evaluations))
        self.groups.evaluated = self.evaluations.settled
        self.why = f"{plan.reason}; {redone} steps are done again" if redone else plan.reason
        for rank in plan.demoted:
            self.profiles.lose(rank, f"rank {rank} trains no more: {plan.reason}")
        step = Step(min(plan.step, self.record.committed))
        opened = self.groups.record(plan, step, self.why, now)
        changed = self.changes.halved(plan.step, now)
        self.groups.seat(plan)
        self.broken.formed(plan.members)
        exchanged = self.crew.exchange(plan.promoted, plan.demoted, plan.reason, now)
        return [
            *noted,
            *missed,
            AppendJournal((opened, *changed)),
            *exchanged,
            *self.groups.form(plan, self.record.committed, self.why),
            self._status("running", now),
        ]

    def start_over_refused(self, _: None, now: Seconds) -> list[Effect]:
        """End a run that would silently begin anew although checkpoints of it were written."""
        ahead = self.groups.snapshots_after(self.record.committed)
        why = self.failures.nothing_readable(self.run, ahead)
        return self.end(EndJob("failed", ExitCode.MACHINE, why), now)

    def nobody_trains(self, _: None, now: Seconds) -> list[Effect]:
        """Leave, to be started again: too few ranks are left for one team."""
        return self.give_up(GiveUp(NOBODY), now)

    def nobody_fits(self, _: None, now: Seconds) -> list[Effect]:
        """End a run that has too little memory: another start would end alike."""
        why = f"{NOBODY}; {self.failures.starved}"
        return self.end(EndJob("failed", ExitCode.MACHINE, why), now)

    def note_ready(self, event: Received, now: Seconds) -> list[Effect]:
        """Note that a member is connected."""
        del now
        if isinstance(event.message, GroupReady):
            self.groups.member_ready(event.header.source.rank, event.message.generation)
        return []

    def grant_first(self, _: None, now: Seconds) -> list[Effect]:
        """Grant a connected group its first steps."""
        self.peak_flops = self.groups.peak_flops()
        granted = self.grants.first(
            self.generation, self.groups.members.values(), self.record.committed
        )
        return [*granted, *self._order_profiles(), self._status("running", now)]

    # --- steps and copies -------------------------------------------------------------------------

    def commit(self, event: Received, now: Seconds) -> list[Effect]:
        """Write a step to the journal, and grant more."""
        report = event.message
        if not isinstance(report, StepReport):
            return []
        if report.step > self.record.committed and report.generation < self.generation:
            return []  # of a story that was given up for an older snapshot
        record = self.record.commit(report, self.recipes.number_of(report.step), now)
        if record is None:
            return []
        self.broken.begin_anew()
        self._halt()
        changed = () if self.run.replayed else self.changes.grown(now)
        told = self.recipes.committed(record, changed, now)
        told += self._evaluated(now, self.record.committed)
        return [AppendJournal((record, *changed)), *told, *self._extend()]

    def _halt(self) -> None:
        """Stop after a spike that says so; a run that is over, or replays one that went on, not."""
        record, halted = self.record, self.record.outcomes.halted
        if halted is None or self.run.replayed or record.committed >= self.settings.train.steps:
            return
        self.why = why_halted(halted, record, self.settings, self.run.directory)
        back = goes_back(record, self.settings)
        self.stopping, self.stop_code = self.why, ExitCode.REQUEUE if back else ExitCode.USER
        self.grants.halt(record.committed)

    def hear_evaluation(self, event: Received, now: Seconds) -> list[Effect]:
        """Take in a share of an evaluation."""
        if isinstance(event.message, EvaluationPart):
            self.evaluations.take(event.message)
        return self._evaluated(now, self.record.committed)

    def _evaluated(self, now: Seconds, committed: int, grace: int = GRACE_STEPS) -> list[Effect]:
        records = tuple(self.evaluations.settle(committed, now, grace))
        for record in records:
            self.record.take(record)
        return [AppendJournal(records), self._status("running", now)] if records else []

    def _extend(self) -> list[Effect]:
        if self.phase != "running":
            return []
        members = self.groups.members.values()
        return self.grants.extend(self.generation, members, self.record.committed)

    def keep(self, event: Received, now: Seconds) -> list[Effect]:
        """Take in verified copies."""
        message = event.message
        if not isinstance(message, SnapshotHeld):
            return []
        records = self.copies.note(event.header.source.rank, message.snapshots, now)
        for record in records:
            self.record.take(record)
        return [AppendJournal(records)]

    def note_copy(self, event: Received, now: Seconds) -> list[Effect]:
        """Note a copy that could not be kept."""
        message, rank = event.message, event.header.source.rank
        if not isinstance(message, SnapshotFailed):
            return []
        return [*self.failures.copy_missing(rank, message, now), self._status("running", now)]

    def copy_again(self, event: Received, now: Seconds) -> list[Effect]:
        """Have the last copy taken again, or end the run if it failed too often."""
        message, rank = event.message, event.header.source.rank
        if not isinstance(message, SnapshotFailed):
            return []
        again, noted = self.failures.last_copy_failed(rank, message, now)
        if not again:
            self.raised.append(EndJob("failed", ExitCode.MACHINE, message.reason))
        # Also then: while the old group stood it would be formed once more before the end.
        why = f"the last copy failed on {ranks_text([rank])}: {message.reason}"
        return [*noted, *self._regroup(why)]

    # --- profiles ---------------------------------------------------------------------------------

    def profile(self, event: ProfileRequested, now: Seconds) -> list[Effect]:
        """Hand a request for a profile to its trainers, or keep it until there is a group."""
        self.profiles.ask(event.request)
        ordered = self._order_profiles() if self.phase == "running" else []
        return [*ordered, self._status("running", now)]

    def _order_profiles(self) -> list[Effect]:
        begun = max(self.grants.granted, self.record.committed)
        return self.profiles.order(self.groups.members, self.grants.end - begun)

    def profiled(self, event: Received, now: Seconds) -> list[Effect]:
        """Note what came of a trainer's part of a profile."""
        if isinstance(event.message, ProfileDone):
            self.profiles.done(event.header.source.rank, event.message)
        return [self._status("running", now)]

    def reweigh(self, event: RecipeRequested, now: Seconds) -> list[Effect]:
        """Give sources other weights from a step on, or say why not; wait until the run is open."""
        return [*self.recipes.ask(event.request, now), self._status("running", now)]

    def hear_tried(self, event: Received, now: Seconds) -> list[Effect]:
        """Note what a data rank found that has tried sources which shall be added."""
        del now
        if isinstance(event.message, SourcesTried):
            self.recipes.additions.hear(event.header.source, event.message)
        return []

    def settle_sources(self, _: None, now: Seconds) -> list[Effect]:
        """Add the sources and draw from them, or say why not."""
        return [*self.recipes.settle(now), self._status("running", now)]

    # --- losses -----------------------------------------------------------------------------------

    def lose(self, event: RankLost, now: Seconds) -> list[Effect]:
        """Give what a dead rank did to others."""
        rank = event.rank
        roles = self.roster.bury(rank)
        self.groups.lose(rank)
        self.broken.begin_anew()
        self.profiles.lose(rank, f"rank {rank} died: {event.reason}")
        was_last = self.groups.too_few and self.phase != "gathering"
        died = self.failures.died(rank, roles, event.reason, now, was_last=was_last)
        if self.phase == "gathering":
            return died
        what = f"{ranks_text([rank])} is gone"
        crew = [*self.crew.fill_roles(now), *self.crew.publish(what, now)]
        return [*died, *crew, self._status("running", now)]

    def lose_trainer(self, event: RankLost, now: Seconds) -> list[Effect]:
        """Give what a dead rank did to others, and form the next group."""
        return [*self.lose(event, now), *self._regroup(f"{ranks_text([event.rank])} is gone")]

    def bad_data(self, event: Received, now: Seconds) -> list[Effect]:
        """End a run whose data cannot be read anywhere."""
        verdict = event.message.verdict if isinstance(event.message, DataFault) else ""
        return self.end(EndJob("failed", ExitCode.MACHINE, verdict), now)

    def books_broken(self, event: BooksBroken, now: Seconds) -> list[Effect]:
        """End a run that cannot be written down."""
        code = ExitCode(event.exit_code)
        return self.end(EndJob("failed", code, event.reason), now)

    def watch(self, _: TimerFired, now: Seconds) -> list[Effect]:
        """Look for ranks that live and say nothing."""
        return [self.watch_again(now), *self.judge_silence(now)]

    def watch_gathering(self, _: TimerFired, now: Seconds) -> list[Effect]:
        """Give up a start that takes too long."""
        if now >= self.gather_until:
            late = {address.rank for address in self.roster.missing()}
            patience = self.settings.failure.start_seconds
            why = f"{ranks_text(late)} did not report within {patience:.0f} s"
            self.raised.append(GiveUp(why))
        return [self.watch_again(now)]

    def beat(self, event: Received, now: Seconds) -> list[Effect]:
        """Take in what the ranks of a host say."""
        message = event.message
        if not isinstance(message, Beat):
            return []
        self.roster.beat(message.pulses, now)
        for pulse in message.pulses:
            self.record.agree(Step(pulse.digest_step), pulse.digest)
        source = event.header.source
        heard = Send(source, BeatHeard(self.crew.directory.revision))
        return [heard, *self.crew.catch_up(source, message.revision, now)]

    def send_directory(self, event: Received, now: Seconds) -> list[Effect]:
        """Send the whole directory to who has missed a change."""
        revision = getattr(event.message, "revision", self.crew.directory.revision)
        return self.crew.catch_up(event.header.source, revision, Seconds(now + 1e9))

    # --- the end ----------------------------------------------------------------------------------

    def stop(self, event: StopRequested, now: Seconds) -> list[Effect]:
        """Let the run end once what is granted is done."""
        del now
        self.is_asked = True
        if self.stopping:
            return []
        self.stopping = event.reason
        end = self.grants.stop(self.record.committed)
        self.why = f"stopping at step {end}: {event.reason}"
        return self._extend()

    def stop_at_once(self, event: StopRequested, now: Seconds) -> list[Effect]:
        """End a run that has done nothing yet."""
        self.is_asked = True
        return self.end(EndJob("stopped", ExitCode.REQUEUE, event.reason), now)

    def finish(self, _: None, now: Seconds) -> list[Effect]:
        """End a run that has done all its steps."""
        return self.end(EndJob("finished", ExitCode.DONE, "all steps are committed"), now)

    def finish_stopped(self, _: None, now: Seconds) -> list[Effect]:
        """End a run that was asked to stop."""
        return self.end(EndJob("stopped", self.stop_code, self.stopping), now)

    def end(self, event: EndJob, now: Seconds) -> list[Effect]:
        """End the run."""
        record = self.record
        kept = self.copies.readable(self.roster, record.committed)
        steps = {*self.groups.whole_steps(record.committed), *(copy.fact.step for copy in kept)}
        log = self.groups.hyperparameters or self.run.hyperparameters
        left_out = self.failures.left_out_updates(self.run, self.settings, log, sorted(steps))
        self.why = "; ".join([event.why, *left_out])
        how = HowItEnded(
            event.state,
            int(event.exit_code),
            record.committed,
            record.digest,
            self.why,
            record.digest_step,
            event.state == "stopped" and not self.is_asked and goes_back(record, self.settings),
        )
        ended = RunEnded(now, how.state, how.step, how.digest, how.reason, how.digest_step)
        forget: list[Effect] = [ForgetCopies()] if how.state == "finished" else []
        leave = self.ending.begin(how, now, copies=True)
        missed = self._evaluated(now, record.committed, grace=1)
        return [*missed, self._status(event.state, now), AppendJournal((ended,)), *leave, *forget]

    def give_up(self, event: GiveUp, now: Seconds) -> list[Effect]:
        """Leave without an end marker, so that the supervisor starts the job again."""
        told, reason = self.failures.is_leaving, event.why
        noted = [] if told else self.failures.note(now, (), reason, LEAVE_AGAIN, self.why)
        self.why = reason
        return [*noted, self._status("running", now), *self.ending.abandon(reason)]

    # --- the status -------------------------------------------------------------------------------

    def write_status(self, _: TimerFired, now: Seconds) -> list[Effect]:
        """Write the status, again and again."""
        again = SetTimer(STATUS, Seconds(now + self.settings.monitor.status_seconds))
        return [self._status("starting" if self.phase == "gathering" else "running", now), again]

    def _status(self, state: RunState, now: Seconds) -> Effect:
        me = Pulse(self.name, (self.facts.rank,), self.phase)
        self.roster.beat((me,), now)
        report = self.record.status(state, now, self.settings.train.steps)
        report = replace(
            report,
            healing=self.run.healing,
            flops_per_second=report.tokens_per_second * self.flops_per_token,
            peak_flops=self.peak_flops,
            profiles=self.profiles.reports,
        )
        teams = len({team for team, _ in self.groups.seats.values()})
        return WriteStatus(
            self.reporter.complete(
                self.recipes.told(report),
                name=self.settings.job.name,
                run_id=self.run.run_id,
                reason=self.why,
                seats=self.groups.seats,
                teams=teams,
            )
        )


LIVING = ("gathering", "regrouping", "forming", "running")
GROUPED = ("forming", "running")
REGROUPS, RUNS = ("regrouping",), ("running",)
GATHERED = ("regrouping", "forming", "running")
ANY = (*LIVING, "ending")

C = Coordinator
RULES: tuple[Rule[Coordinator], ...] = (
    Rule(phases=("gathering",), on=Started, action=C.start),
    Rule(phases=LIVING, on=Hello, action=C.greet),
    Rule(phases=("gathering",), on=None, guard=C.all_agree, action=C.open_run, to="regrouping"),
    Rule(phases=("gathering",), on=None, guard=C.all_here, action=C.refuse, to="ending"),
    # groups
    Rule(phases=("regrouping",), on=Holding, action=C.hear_holding),
    Rule(phases=("regrouping",), on=None, guard=C.undecided, action=C.decide),
    Rule(phases=("regrouping",), on=None, guard=C.planned, action=C.form, to="forming"),
    Rule(phases=REGROUPS, on=None, guard=C.loses_state, action=C.start_over_refused, to="ending"),
    Rule(phases=("regrouping",), on=None, guard=C.starved, action=C.nobody_fits, to="ending"),
    Rule(phases=("regrouping",), on=None, guard=C.nobody, action=C.nobody_trains, to="ended"),
    Rule(phases=("forming",), on=GroupReady, action=C.note_ready),
    Rule(phases=("forming",), on=None, guard=C.all_ready, action=C.grant_first, to="running"),
    Rule(
        phases=GROUPED, on=GroupBroken, guard=C.in_group, action=C.regroup_broken, to="regrouping"
    ),
    # steps and copies
    Rule(phases=LIVING, on=StepReport, action=C.commit),
    Rule(phases=LIVING, on=EvaluationPart, action=C.hear_evaluation),
    Rule(phases=ANY, on=SnapshotHeld, action=C.keep),
    Rule(phases=RUNS, on=SnapshotFailed, guard=C.last_copy, action=C.copy_again, to="regrouping"),
    Rule(phases=LIVING, on=SnapshotFailed, action=C.note_copy),
    Rule(phases=("running",), on=None, guard=C.stopped, action=C.finish_stopped, to="ending"),
    Rule(phases=("running",), on=None, guard=C.done, action=C.finish, to="ending"),
    # profiles
    Rule(phases=GATHERED, on=ProfileRequested, action=C.profile),
    Rule(phases=LIVING, on=ProfileDone, action=C.profiled),
    Rule(phases=LIVING, on=RecipeRequested, action=C.reweigh),
    Rule(phases=GATHERED, on=SourcesTried, action=C.hear_tried),
    Rule(phases=GATHERED, on=None, guard=C.sources_tried, action=C.settle_sources),
    # losses
    Rule(phases=GATHERED, on=RankLost, guard=C.trains, action=C.lose_trainer, to="regrouping"),
    Rule(phases=LIVING, on=RankLost, guard=C.known, action=C.lose),
    Rule(phases=("ending",), on=RankLost, action=C.lose_leaving),
    Rule(phases=LIVING, on=Crashed, action=C.crash),
    Rule(phases=LIVING, on=DataFault, action=C.bad_data, to="ending"),
    Rule(phases=LIVING, on=BooksBroken, action=C.books_broken, to="ending"),
    Rule(phases=ANY, on=Beat, action=C.beat),
    Rule(phases=ANY, on=DirectoryWanted, action=C.send_directory),
    Rule(phases=ANY, on=Slept, action=C.forgive),
    # the end
    Rule(phases=("gathering",), on=StopRequested, action=C.stop_at_once, to="ending"),
    Rule(
        phases=GATHERED,
        on=StopRequested,
        guard=C.nothing_to_save,
        action=C.stop_at_once,
        to="ending",
    ),
    Rule(phases=GATHERED, on=StopRequested, action=C.stop),
    Rule(phases=LIVING, on=EndJob, action=C.end, to="ending"),
    Rule(phases=LIVING, on=GiveUp, action=C.give_up, to="ended"),
    Rule(phases=("ending",), on=Left, action=C.note_left),
    Rule(phases=("ending",), on=None, guard=C.alone, action=C.leave, to="ended"),
    # timers
    Rule(phases=LIVING, on=TimerFired, guard=named(STATUS), action=C.write_status),
    Rule(phases=("gathering",), on=TimerFired, guard=named(WATCH), action=C.watch_gathering),
    Rule(phases=GATHERED, on=TimerFired, guard=named(WATCH), action=C.watch),
    Rule(phases=("regrouping",), on=TimerFired, guard=named(REFORM), action=C.reform),
    Rule(phases=("ending",), on=TimerFired, guard=named(LEAVING), action=C.leave, to="ended"),
)
"""The transition table, in order of precedence."""

TABLE = Table(RULES)
