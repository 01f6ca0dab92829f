"""Coordinator: membership, trainer groups, grants, commits, the journal and the status.

Theory of operation. It never touches bulk data. Ranks say hello; when all have (or are lost), a trainer group
is formed. Forming a group is the same at the start, after a failure and after a relaunch: open a generation
(`Regroup`), hear what every trainer holds (`Holding`), let `policy.recovery` decide, tell the members
(`FormGroup`), wait until they are connected (`GroupReady`), grant steps. Anything that goes wrong on the way
opens the next generation. A step is committed when the first member reports it: the vote among trainers
guarantees that the others hold it or can finish it.

States (`phase`):
    gathering -> regrouping   all hellos are in
    regrouping -> forming     all holdings are in
    forming -> running        all members are ready
    forming, running -> regrouping   a member is lost or broken
    running -> ending         all steps are committed and the checkpoint of the last is on disk
    any -> ended              the end marker is written, or the job cannot go on (left for a relaunch)
"""

from itertools import chain
from typing import Literal

from msgspec.structs import replace

from qmpi.config.settings import Settings
from qmpi.errors import ExitCode, InvariantError
from qmpi.policy.failure_detector import silent_ranks
from qmpi.policy.stream import recipe_at
from qmpi.protocol.blocks import DataFault
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.journal import (
    RunEnded,
    SnapshotKept,
)
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
from qmpi.protocol.status import EndMarker, RunState
from qmpi.roles.agreement import disagreement, opening
from qmpi.roles.copy_book import CopyBook
from qmpi.roles.crew import Crew
from qmpi.roles.ending import LEAVING, Ending, EndState
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

SHOWN_STATE: dict[str, RunState] = {
    "finished": "finished",
    "stopped": "stale",
    "failed": "failed",
}
"""State in the status for each state of the end marker; a stopped run waits to be resumed."""

LAST_COPY_TRIES = 3
"""How often the last checkpoint may fail before the run does."""

STATUS = "status"
WATCH = "watch"
"""Names of timers."""


class Coordinator:
    """The one role that decides.

    Invariants: `generation` grows by one a group attempt; `holdings` and `ready` belong to `generation`;
    steps are granted only in `running`; nothing is committed after `ending`.
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
        dealt = sum(1 for a in run.expected if a.role == RoleName.TRAINER)
        self.groups = Groups(self.roster, self.ledger.generation, max(1, dealt), train.lanes)
        self.grants = Grants(settings)
        self.stopping = ""
        self.why = run.placement
        self.ending = Ending(self.crew)
        self.gather_until = Seconds(0.0)
        self.last_copies_failed = 0

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
                # Counted as dead for its silence: what it says now belongs to a story that was given up.
                return []
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
            case Holding():
                heard = self.phase == "regrouping" and self.groups.heard(source.rank, message)
                return self._form_if_heard(now) if heard else []
            case GroupReady(generation):
                return self._member_ready(source.rank, generation, now)
            case GroupBroken(generation, reason):
                current = generation == self.groups.generation
                if current and self.phase in ("forming", "running"):
                    return self._regroup(f"rank {source.rank}: {reason}", now)
                return []
            case StepReport():
                return self._reported(message, now)
            case SnapshotHeld(facts):
                return self._copied(source.rank, facts, now)
            case SnapshotFailed(step, reason):
                return self._copy_failed(source, step, reason, now)
            case Crashed(what, reason, exit_code):
                return self._crashed(source.rank, f"{what}: {reason}", exit_code, now)
            case DataFault(reason):
                return self._end("failed", ExitCode.MACHINE, f"bad data: {reason}", now)
            case Left():
                self.ending.left.add(source.rank)
                return self._leave_if_last()
            case _:
                return []

    # --- start ------------------------------------------------------------------------------------------

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
        again = (
            f"incarnation {opened.incarnation}" if opened.incarnation > 1 else "start of the run"
        )
        return [
            AppendJournal((opened,)),
            *self.crew.fill_roles(now),
            *self.crew.publish(again),
            *self._regroup(again, now),
        ]

    # --- groups -----------------------------------------------------------------------------------------

    def _regroup(self, reason: str, now: Seconds) -> list[Effect]:
        self.phase, self.why = "regrouping", reason
        return [*self.groups.open(reason), *self._form_if_heard(now)]

    def _form_if_heard(self, now: Seconds) -> list[Effect]:
        if not self.groups.all_heard():
            return []
        plan = self.groups.decide(self.copies, self.ledger.committed)
        if plan is None:
            return self._give_up("no rank is left that can train", now)
        redone = self.ledger.rewind(plan.step)
        self.phase = "forming"
        self.why = f"{plan.reason}; {redone} steps are done again" if redone else plan.reason
        step = Step(min(plan.step, self._committed))
        opened = self.groups.record(plan, step, self.why, now)
        promoted = [
            self.crew.assign(rank, RoleName.TRAINER, plan.reason, now) for rank in plan.promoted
        ]
        return [
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

    # --- steps ------------------------------------------------------------------------------------------

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

    # --- copies -----------------------------------------------------------------------------------------

    def _copied(self, rank: Rank, facts: tuple[SnapshotFact, ...], now: Seconds) -> list[Effect]:
        self.copies.note(rank, facts)
        records = tuple(SnapshotKept(now, f.step, f.digest, f.place, rank, f.path) for f in facts)
        return [AppendJournal(records), *self._finish_if_done(now)]

    def _copy_failed(self, source: Address, step: Step, reason: str, now: Seconds) -> list[Effect]:
        if self.phase == "ending":
            return []
        # An older copy may be gone by now, and nobody needs it; without the last one the run is lost.
        last = step >= self.grants.end and self._committed >= self.grants.end
        self.last_copies_failed += last
        again = self.last_copies_failed < LAST_COPY_TRIES
        what = f"the copy of step {step} on rank {source.rank} failed"
        action = "go on without it"
        if last:
            action = "copy it again" if again else "stop: the last checkpoint cannot be written"
        seen = self.ledger.fail(now, (source.rank,), what, action, reason)
        effects: list[Effect] = [AppendJournal((seen,))]
        if last and not again:
            return [*effects, *self._end("failed", ExitCode.MACHINE, reason, now)]
        if last:
            return [*effects, *self._regroup(f"{what}: {reason}", now)]
        return [*effects, self._status("running", now)]

    # --- failures ---------------------------------------------------------------------------------------

    def _lost(self, rank: Rank, reason: str, now: Seconds) -> list[Effect]:
        roles = self.roster.bury(rank)
        self.ending.left.add(rank)
        if self.phase == "ending":
            return self._leave_if_last()
        if not roles:
            return []
        what = f"{ranks_text([rank])} ({', '.join(roles)}) died"
        was_member = rank in self.groups.members()
        trains = RoleName.TRAINER in roles and self.phase != "gathering"
        action = self.crew.cure(roles)
        seen = self.ledger.fail(now, (rank,), what, action, reason)
        effects: list[Effect] = [AppendJournal((seen,))]
        if self.phase == "gathering":
            return [*effects, *self._gathered(now)]
        effects += [*self.crew.fill_roles(now), *self.crew.publish(what)]
        if trains or (was_member and self.phase in ("forming", "running")):
            return [*effects, *self._regroup(what, now)]
        return [*effects, self._status("running", now), *self._finish_if_done(now)]

    def _crashed(self, rank: Rank, reason: str, exit_code: int, now: Seconds) -> list[Effect]:
        # A machine's fault strikes one rank and is healed like a death; the user's or ours strikes them all.
        if exit_code == ExitCode.MACHINE or self.phase == "ending":
            return []
        return self._end("failed", ExitCode(exit_code), f"rank {rank}: {reason}", now)

    def _give_up(self, reason: str, now: Seconds) -> list[Effect]:
        """Leave without an end marker, so that the supervisor starts the job again."""
        seen = self.ledger.fail(now, (), reason, "leave, to be started again", self.why)
        self.why = reason
        status = self._status("running", now)
        self.phase = "ended"
        return [AppendJournal((seen,)), status, *self.ending.abandon(reason)]

    # --- end --------------------------------------------------------------------------------------------

    def _end(self, state: EndState, code: ExitCode, why: str, now: Seconds) -> list[Effect]:
        self.phase, self.why = "ending", why
        ended = RunEnded(now, state, self._committed, self.ledger.digest, why)
        marker = EndMarker(
            state=state,
            exit_code=int(code),
            step=self._committed,
            digest=self.ledger.digest,
            reason=why,
            time=now,
        )
        return [
            AppendJournal((ended,)),
            self._status(SHOWN_STATE[state], now),
            *self.ending.begin(marker, now),
            *self._leave_if_last(),
        ]

    def _leave_if_last(self) -> list[Effect]:
        if self.phase != "ending" or not self.ending.all_left():
            return []
        self.phase = "ended"
        return [self.ending.leave()]

    # --- timers, directory, status ----------------------------------------------------------------------

    def _timer(self, name: str, now: Seconds) -> list[Effect]:
        failure, monitor = self.settings.failure, self.settings.monitor
        if name == STATUS:
            state: RunState = "starting" if self.phase == "gathering" else "running"
            again = SetTimer(STATUS, Seconds(now + monitor.status_seconds))
            return [again] if self.phase == "ending" else [self._status(state, now), again]
        if name == LEAVING:
            self.phase = "ended"
            return [self.ending.leave()]
        return [
            SetTimer(WATCH, Seconds(now + failure.heartbeat_seconds)),
            *self._watch(now),
        ]

    def _watch(self, now: Seconds) -> list[Effect]:
        if self.phase == "gathering":
            if now < self.gather_until:
                return []
            late = sorted({a.rank for a in self.roster.missing()})
            reason = f"{ranks_text(late)} did not report within {self.settings.failure.start_seconds:.0f} s"
            return self._give_up(reason, now)
        if self.phase == "ending":
            return []
        seen = self.roster.last_seen()
        seen.pop(self.facts.rank, None)
        effects: list[Effect] = []
        for verdict in silent_ranks(seen, now, Seconds(self.settings.failure.dead_seconds)):
            effects += self.crew.fence(verdict.rank, verdict.reason)
            effects += self._lost(verdict.rank, verdict.reason, now)
        return effects

    def _status(self, state: RunState, now: Seconds) -> Effect:
        me = Address(self.facts.rank, RoleName.COORDINATOR)
        self.roster.beat(me, self.activity, now)
        report = self.ledger.status(state, now, self.settings.train.steps)
        return WriteStatus(
            replace(
                report,
                generation=self.generation,
                ranks=self.roster.reports(),
                name=self.settings.job.name,
                run_id=self.run.run_id,
                reason=self.why,
            )
        )
