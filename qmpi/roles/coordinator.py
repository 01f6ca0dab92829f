"""Coordinator: membership, trainer groups, grants, commits, the journal and the status.

Theory of operation. It never touches bulk data. Ranks say hello; when all have (or are lost), a
trainer group is formed. Forming a group is the same at the start, after a failure and after a
relaunch: open a generation (`Regroup`), hear what every trainer holds (`Holding`), let
`policy.recovery` decide, tell the members (`FormGroup`), wait until they are connected
(`GroupReady`), grant steps. Anything that goes wrong on the way opens the next generation. A step
is committed when the first member reports it: the vote among trainers guarantees that the others
hold it or can finish it.

States (`phase`):
    gathering -> regrouping   all hellos are in
    regrouping -> forming     all holdings are in
    forming -> running        all members are ready
    forming, running -> regrouping   a member is lost or broken
    running -> ending         all steps are committed and the checkpoint of the last is on disk
    any -> ended              the end marker is written, or a relaunch is needed
"""

from itertools import chain
from typing import Literal

from qmpi.config.settings import Settings
from qmpi.errors import ExitCode, InvariantError
from qmpi.policy.failure_detector import silent_ranks
from qmpi.policy.stream import recipe_at
from qmpi.protocol.blocks import DataFault
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import (
    Crashed,
    GroupBroken,
    GroupReady,
    Heartbeat,
    Hello,
    Holding,
    Left,
    SnapshotFact,
)
from qmpi.protocol.messages import Message
from qmpi.protocol.progress import StepReport
from qmpi.protocol.snapshots import SnapshotFailed, SnapshotHeld
from qmpi.protocol.status import RunState
from qmpi.roles.agreement import disagreement, opening
from qmpi.roles.casualties import Casualties
from qmpi.roles.copy_book import CopyBook
from qmpi.roles.crew import Crew
from qmpi.roles.ending import LEAVING, Ending, EndState, HowItEnded
from qmpi.roles.grants import Grants
from qmpi.roles.grouping import Groups
from qmpi.roles.interface import (
    AppendJournal,
    Effect,
    Event,
    RankLost,
    Received,
    SetTimer,
    Started,
    StopRequested,
    TimerFired,
    WriteStatus,
)
from qmpi.roles.ledger import Ledger, ranks_text
from qmpi.roles.member import RankFacts
from qmpi.roles.roster import Roster
from qmpi.roles.run_facts import RunFacts
from qmpi.units import Generation, Rank, Seconds, Step

Phase = Literal["gathering", "regrouping", "forming", "running", "ending", "ended"]

STATUS = "status"
WATCH = "watch"
"""Names of timers."""


class Coordinator:
    """The one role that decides.

    Invariants: `generation` grows by one a group attempt; `holdings` and `ready` belong to
    `generation`; steps are granted only in `running`; nothing is committed after `ending`.
    """

    name = RoleName.COORDINATOR

    def __init__(self, settings: Settings, facts: RankFacts, run: RunFacts) -> None:
        """Make the coordinator of one incarnation.

        Args:
            settings: the job.
            facts: who this rank is.
            run: the run so far and the placement.
        """
        train = settings.train
        self.settings, self.facts, self.run = settings, facts, run
        tokens = train.lanes * train.microbatches * train.sequences * train.sequence_tokens
        self.ledger = Ledger(train.lanes, tokens)
        self.ledger.replay(run.history)
        self.roster = Roster(run.expected, Seconds(0.0))
        self.phase: Phase = "gathering"
        self.crew = Crew(self.roster, facts)
        self.copies = CopyBook(settings.snapshot.keep)
        dealt = max(1, sum(a.role == RoleName.TRAINER for a in run.expected))
        self.groups = Groups(self.roster, self.ledger.generation, dealt, train.lanes)
        self.grants = Grants(settings)
        self.stopping = ""
        self.why = run.placement
        self.ending = Ending(self.crew)
        self.gather_until = Seconds(0.0)
        self.casualties = Casualties(self.ledger, self.crew)

    @property
    def generation(self) -> Generation:
        """Newest generation; only this role raises it."""
        return self.groups.generation

    @property
    def activity(self) -> str:
        """What it does right now."""
        return self.phase

    def handle(self, event: Event, now: Seconds) -> list[Effect]:
        """Take one event.

        Args:
            event: what happened.
            now: seconds since the epoch, monotonic.

        Returns:
            What shall happen, in order.
        """
        if self.phase == "ended":
            return []
        try:
            return self._handle(event, now)
        except InvariantError as error:
            return self._end("failed", ExitCode.BUG, str(error), now)

    def check(self) -> None:
        """Check the invariants of the class.

        Raises:
            InvariantError: one of them is broken.
        """
        self.groups.check()
        self.grants.check()

    def _handle(self, event: Event, now: Seconds) -> list[Effect]:
        match event:
            case Started():
                return self._started(now)
            case Received(header) if self.roster.is_buried(header.source.rank):
                return []  # counted as dead for its silence: its story was given up
            case Received(header, message):
                self.roster.seen(header.source, now)
                return self._received(header.source, message, now)
            case RankLost(rank, reason):
                return self._lost(rank, reason, now)
            case StopRequested(reason):
                return self._stop(reason, now)
            case TimerFired(name):
                return self._timer(name, now)
            case _:
                return []

    def _received(self, source: Address, message: Message, now: Seconds) -> list[Effect]:
        match message:
            case Hello():
                return self._greeted(source, message, now)
            case Heartbeat(activity):
                self.roster.beat(source, activity, now)
                return []
            case StepReport():
                return self._reported(message, now)
            case SnapshotHeld(facts):
                return self._copied(source.rank, facts, now)
            case SnapshotFailed(step, reason):
                return self._copy_failed(source.rank, step, reason, now)
            case Left():
                self.ending.left.add(source.rank)
                return self._leave_if_last()
            case _:
                return self._answered(source.rank, message, now)

    def _answered(self, rank: Rank, message: Message, now: Seconds) -> list[Effect]:
        match message:
            case Holding():
                heard = self.phase == "regrouping" and self.groups.heard(rank, message)
                return self._form_if_heard(now) if heard else []
            case GroupReady(generation):
                return self._member_ready(rank, generation, now)
            case GroupBroken(generation, reason) if generation == self.generation:
                in_group = self.phase in ("forming", "running")
                return self._regroup(f"rank {rank}: {reason}", now) if in_group else []
            case Crashed(what, reason, exit_code):
                return self._crashed(rank, f"{what}: {reason}", exit_code, now)
            case DataFault(reason):
                return self._end("failed", ExitCode.MACHINE, f"bad data: {reason}", now)
            case _:
                return []

    def _started(self, now: Seconds) -> list[Effect]:
        failure, monitor = self.settings.failure, self.settings.monitor
        for address in self.run.expected:
            self.roster.beat(address, "starting", now)
        me = Address(self.facts.rank, RoleName.COORDINATOR)
        self.roster.greet(me, Hello(self.facts.host, self.facts.pid, (self.name,)), now)
        self.gather_until = Seconds(now + failure.start_seconds)
        return [
            SetTimer(STATUS, Seconds(now + monitor.status_seconds)),
            SetTimer(WATCH, Seconds(now + failure.heartbeat_seconds)),
            self._status("starting", now),
            *self._gathered(now),
        ]

    def _greeted(self, source: Address, hello: Hello, now: Seconds) -> list[Effect]:
        self.roster.greet(source, hello, now)
        if self.phase == "gathering":
            return self._gathered(now)
        return self.crew.publish(f"rank {source.rank} serves as {source.role}")

    def _gathered(self, now: Seconds) -> list[Effect]:
        if self.roster.missing():
            return []
        fault = disagreement(self.roster, self.run.history)
        if fault:
            return self._end("failed", ExitCode.MACHINE, fault, now)
        opened = opening(self.run, self.roster, self.ledger, self.settings.train.lanes, now)
        self.ledger.replay([opened])
        again = f"start {opened.incarnation} of the job"
        crew = [*self.crew.fill_roles(now), *self.crew.publish(again)]
        return [AppendJournal((opened,)), *crew, *self._regroup(again, now)]

    def _regroup(self, reason: str, now: Seconds) -> list[Effect]:
        self.phase, self.why = "regrouping", reason
        asked = self.groups.open(reason)
        self.ledger.generation = self.generation
        return [*asked, *self._form_if_heard(now)]

    def _form_if_heard(self, now: Seconds) -> list[Effect]:
        if not self.groups.all_heard():
            return []
        plan = self.groups.decide(self.copies, self.ledger.committed)
        if plan is None:
            return self._give_up("no rank is left that can train", now)
        fault, noted = self.casualties.state_lost(self.run, plan, now)
        if fault:
            return self._end("failed", ExitCode.MACHINE, fault, now)
        redone = self.ledger.rewind(plan.step)
        self.phase = "forming"
        self.why = f"{plan.reason}; {redone} steps are done again" if redone else plan.reason
        step = Step(min(plan.step, self._committed))
        opened = self.groups.record(plan, step, self.why, now)
        promoted = (self.crew.assign(r, RoleName.TRAINER, plan.reason, now) for r in plan.promoted)
        return [
            *noted,
            AppendJournal((opened,)),
            *chain.from_iterable(promoted),
            *self.crew.publish(self.why),
            *self.groups.form(self.why),
            self._status("running", now),
        ]

    def _member_ready(self, rank: Rank, generation: Generation, now: Seconds) -> list[Effect]:
        if self.phase != "forming" or not self.groups.member_ready(rank, generation):
            return []
        self.phase = "running"
        granted = self.grants.first(self.groups.generation, self.groups.members(), self._committed)
        return [*granted, self._status("running", now), *self._finish_if_done(now)]

    @property
    def _committed(self) -> Step:
        return self.ledger.committed

    def _extend(self) -> list[Effect]:
        if self.phase != "running":
            return []
        return self.grants.extend(self.groups.generation, self.groups.members(), self._committed)

    def _reported(self, report: StepReport, now: Seconds) -> list[Effect]:
        if self.phase == "ending":
            return []
        recipe, _ = recipe_at(self.run.recipes, report.step)
        record = self.ledger.commit(report, recipe, now)
        if record is None:
            return []
        return [AppendJournal((record,)), *self._extend(), *self._finish_if_done(now)]

    def _finish_if_done(self, now: Seconds) -> list[Effect]:
        if self._committed < self.grants.end or self.phase != "running":
            return []
        if not self.copies.on_disk(self.grants.end):
            return []
        if self.stopping:
            return self._end("stopped", ExitCode.REQUEUE, self.stopping, now)
        return self._end("finished", ExitCode.DONE, "all steps are committed", now)

    def _stop(self, reason: str, now: Seconds) -> list[Effect]:
        if self.stopping or self.phase == "ending":
            return []
        self.stopping = reason
        end = self.grants.stop(self._committed)
        if self.phase == "gathering" or end == 0:
            return self._end("stopped", ExitCode.REQUEUE, reason, now)
        self.why = f"stopping at step {end}: {reason}"
        return [*self._extend(), *self._finish_if_done(now)]

    def _copied(self, rank: Rank, facts: tuple[SnapshotFact, ...], now: Seconds) -> list[Effect]:
        records = self.copies.note(rank, facts, now)
        return [AppendJournal(records), *self._finish_if_done(now)]

    def _copy_failed(self, rank: Rank, step: Step, reason: str, now: Seconds) -> list[Effect]:
        if self.phase == "ending":
            return []
        is_last = step >= self.grants.end and self._committed >= self.grants.end
        verdict, noted = self.casualties.copy_failed(rank, step, reason, now, is_last=is_last)
        if verdict == "stop":
            return [*noted, *self._end("failed", ExitCode.MACHINE, reason, now)]
        if verdict == "again":
            why = f"the last copy failed on {ranks_text([rank])}: {reason}"
            return [*noted, *self._regroup(why, now)]
        return [*noted, self._status("running", now)]

    def _lost(self, rank: Rank, reason: str, now: Seconds) -> list[Effect]:
        roles = self.roster.bury(rank)
        self.ending.left.add(rank)
        if self.phase == "ending":
            return self._leave_if_last()
        if not roles:
            return []
        what = f"{ranks_text([rank])} is gone"
        trains = RoleName.TRAINER in roles and self.phase != "gathering"
        effects = self.casualties.died(rank, roles, reason, now)
        if self.phase == "gathering":
            return [*effects, *self._gathered(now)]
        effects += [*self.crew.fill_roles(now), *self.crew.publish(what)]
        if trains:
            return [*effects, *self._regroup(what, now)]
        return [*effects, self._status("running", now), *self._finish_if_done(now)]

    def _crashed(self, rank: Rank, reason: str, exit_code: int, now: Seconds) -> list[Effect]:
        # A machine's fault strikes one rank; the user's or ours strikes them all.
        if self.phase == "ending":
            return []
        if exit_code == ExitCode.MACHINE:
            return self._lost(rank, reason, now)
        return self._end("failed", ExitCode(exit_code), f"rank {rank}: {reason}", now)

    def _give_up(self, reason: str, now: Seconds) -> list[Effect]:
        """Leave without an end marker, so that the supervisor starts the job again."""
        noted = self.casualties.note(now, (), reason, "leave, to be started again", self.why)
        self.why = reason
        status = self._status("running", now)
        self.phase = "ended"
        return [*noted, status, *self.ending.abandon(reason)]

    def _end(self, state: EndState, code: ExitCode, why: str, now: Seconds) -> list[Effect]:
        self.phase, self.why = "ending", why
        how = HowItEnded(state, int(code), self._committed, self.ledger.digest, why)
        return [self._status(how.shown, now), *self.ending.begin(how, now), *self._leave_if_last()]

    def _leave_if_last(self) -> list[Effect]:
        if self.phase != "ending" or not self.ending.all_left():
            return []
        self.phase = "ended"
        return [self.ending.leave()]

    def _timer(self, name: str, now: Seconds) -> list[Effect]:
        failure, monitor = self.settings.failure, self.settings.monitor
        if name == STATUS:
            state: RunState = "starting" if self.phase == "gathering" else "running"
            again = SetTimer(STATUS, Seconds(now + monitor.status_seconds))
            return [again] if self.phase == "ending" else [self._status(state, now), again]
        if name == LEAVING:
            self.phase = "ended"
            return [self.ending.leave()]
        again = SetTimer(WATCH, Seconds(now + failure.heartbeat_seconds))
        return [again, *self._watch(now)]

    def _watch(self, now: Seconds) -> list[Effect]:
        if self.phase == "gathering":
            if now < self.gather_until:
                return []
            late = sorted({a.rank for a in self.roster.missing()})
            patience = self.settings.failure.start_seconds
            reason = f"{ranks_text(late)} did not report within {patience:.0f} s"
            return self._give_up(reason, now)
        if self.phase == "ending":
            return []
        seen = self.roster.last_seen(but=self.facts.rank)
        effects: list[Effect] = []
        for verdict in silent_ranks(seen, now, Seconds(self.settings.failure.dead_seconds)):
            effects += self.crew.fence(verdict.rank, verdict.reason)
            effects += self._lost(verdict.rank, verdict.reason, now)
        return effects

    def _status(self, state: RunState, now: Seconds) -> Effect:
        me = Address(self.facts.rank, RoleName.COORDINATOR)
        self.roster.beat(me, self.activity, now)
        report = self.ledger.status(state, now, self.settings.train.steps)
        return WriteStatus(self.roster.sign(report, self.settings.job.name, self.run, self.why))
