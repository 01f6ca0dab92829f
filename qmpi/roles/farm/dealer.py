"""Dealer of a work farm: the coordinator of a job whose work is units that end in files.

Theory of operation. Stage by stage: have the stage opened (count its units, verify those done),
deal the others to the ranks that have said hello, note what they report, deal again what a dead,
silent or failing rank held. After the last stage what stands for the whole is written, and the end
marker. The dealer keeps no journal: the files are the state, and a job that was killed is resumed
by looking at them. `policy.work_book` decides who does what.

States (`phase`):
    opening -> dealing      the units of the stage are known
    dealing -> opening      the stage is done, another follows
    dealing -> finishing    the last stage is done
    finishing -> ending     what stands for the whole is written
    any -> ending           stopped, or failed
    any -> ended            everybody has left, or nobody is left to work (to be started again)
"""

from collections.abc import Sequence
from typing import Literal

from msgspec.structs import replace

from qmpi.config.settings import Settings
from qmpi.errors import ExitCode, InvariantError
from qmpi.policy.failure_detector import silent_ranks
from qmpi.policy.work_book import WorkBook
from qmpi.ports.base import Effect, Event, Started, WorkCrashed
from qmpi.ports.books import AppendJournal, WriteStatus
from qmpi.ports.clock import SetTimer, TimerFired
from qmpi.ports.processes import StopRequested
from qmpi.ports.transport import RankLost, Received, Send
from qmpi.ports.units import FinishWork, OpenStage, StageOpened, WorkFinished
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import Crashed, Heartbeat, Hello, Left
from qmpi.protocol.messages import Message
from qmpi.protocol.status import FailureReport, RunState
from qmpi.protocol.work import WorkFailed, WorkGrant, WorkProgress, WorkReport
from qmpi.roles.crew import Crew
from qmpi.roles.ending import LEAVING, Ending, EndState, HowItEnded
from qmpi.roles.farm_tally import FarmFacts, FarmTally
from qmpi.roles.member import RankFacts
from qmpi.roles.roster import Roster
from qmpi.units import Digest, Generation, Rank, Seconds, Step

Phase = Literal["opening", "dealing", "finishing", "ending", "ended"]

STATUS = "status"
WATCH = "watch"
"""Names of timers."""


class Dealer:
    """The one role of a farm that decides.

    Invariants: those of `WorkBook`; units are dealt only in `dealing`, and only to `workers`: ranks
    that have said hello and live.
    """

    name = RoleName.COORDINATOR
    generation = Generation(0)

    def __init__(self, settings: Settings, facts: RankFacts, farm: FarmFacts) -> None:
        """Make the dealer of one incarnation.

        Args:
            settings: limits of failures, and how often the status is written.
            facts: who this rank is.
            farm: the work.
        """
        self.settings, self.facts, self.farm = settings, facts, farm
        expected = [Address(rank, RoleName.GENERATOR) for rank in farm.expected]
        self.roster = Roster(expected, Seconds(0.0))
        self.ending = Ending(Crew(self.roster, facts))
        self.phase: Phase = "opening"
        self.stage = 0
        self.book = WorkBook(0, ())
        self.workers: set[Rank] = set()
        self.tally = FarmTally()
        self.why = "starting"
        self.gather_until = Seconds(0.0)

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
        match event:
            case Started():
                return self._started(now)
            case Received(header) if self.roster.is_buried(header.source.rank):
                return []  # counted as dead for its silence: its units were dealt again
            case Received(header, message):
                self.roster.seen(header.source, now)
                return self._received(header.source, message, now)
            case RankLost(rank, reason):
                return self._lost(rank, reason, now)
            case TimerFired(name):
                return self._timer(name, now)
            case _ if self.phase == "ending":
                return []
            case StopRequested(reason):
                return self._end("stopped", ExitCode.REQUEUE, reason, now)
            case _:
                return self._work(event, now)

    def check(self) -> None:
        """Check the invariants of the class.

        Raises:
            InvariantError: one of them is broken.
        """
        self.book.check()
        if self.phase == "finishing" and not self.book.finished:
            raise InvariantError("the work is being finished, but units are missing")

    def _started(self, now: Seconds) -> list[Effect]:
        failure = self.settings.failure
        me = Address(self.facts.rank, self.name)
        self.roster.greet(me, Hello(self.facts.host, self.facts.pid, (self.name,)), now)
        self.gather_until = Seconds(now + failure.start_seconds)
        return [
            SetTimer(STATUS, Seconds(now + self.settings.monitor.status_seconds)),
            SetTimer(WATCH, Seconds(now + failure.heartbeat_seconds)),
            self._status("starting", now),
            *self._open(0),
        ]

    def _open(self, stage: int) -> list[Effect]:
        self.phase, self.stage, self.book = "opening", stage, WorkBook(0, ())
        self.why = f"looking at what is done of {self.farm.stages[stage]!r}"
        self.tally.next_stage()
        return [OpenStage(stage)]

    def _work(self, event: Event, now: Seconds) -> list[Effect]:
        match event:
            case StageOpened(stage, units, done, before) if stage == self.stage:
                self.book = WorkBook(units, done)
                self.tally.opened(len(self.book.done), before)
                self.phase = "dealing"
                self.why = f"{len(self.book.done)} of {units} units were done already"
                return [*self._deal(now), self._status("running", now)]
            case WorkFinished(digest):
                why = "all units are done"
                return self._end("finished", ExitCode.DONE, why, now, digest)
            case WorkCrashed(what, reason, exit_code):
                why = reason if exit_code != ExitCode.BUG else f"{what}: {reason}"
                return self._end("failed", ExitCode(exit_code), why, now)
            case _:
                return []

    def _received(self, source: Address, message: Message, now: Seconds) -> list[Effect]:
        rank = source.rank
        match message:
            case Hello():
                self.roster.greet(source, message, now)
                self.workers.add(rank)
                return self._deal(now, (rank,))
            case Heartbeat(activity):
                self.roster.beat(source, activity, now)
                return []
            case Left():
                self.ending.left.add(rank)
                return self._leave_if_last()
            case _ if self.phase == "ending":
                return []
            case Crashed(what, reason, exit_code):
                if exit_code == ExitCode.MACHINE:
                    return self._lost(rank, f"{what}: {reason}", now)
                return self._end(
                    "failed", ExitCode(exit_code), f"rank {rank}: {what}: {reason}", now
                )
            case WorkProgress() | WorkReport() | WorkFailed() if message.stage == self.stage:
                return self._told(rank, message, now)
            case _:
                return []

    def _told(
        self, rank: Rank, message: WorkProgress | WorkReport | WorkFailed, now: Seconds
    ) -> list[Effect]:
        match message:
            case WorkProgress(_, _, progress):
                self.tally.advanced(rank, progress)
                return []
            case WorkReport(_, unit, report):
                new = self.book.reported(rank, unit, now)
                self.tally.ended(rank, report if new else None)
                return self._deal(now, (rank,))
            case WorkFailed(_, unit, reason, exit_code):
                return self._unit_failed(rank, unit, reason, ExitCode(exit_code), now)

    def _unit_failed(
        self, rank: Rank, unit: int, reason: str, code: ExitCode, now: Seconds
    ) -> list[Effect]:
        self.tally.ended(rank, None)
        if code != ExitCode.MACHINE:
            # The user's mistake or ours strikes every rank alike.
            return self._end("failed", code, reason, now)
        if self.book.failed(rank, unit, now):
            what = f"unit {unit} failed on rank {rank}"
            self._note(rank, what, "it is dealt again", reason, now)
            self.why = reason
        return self._deal(now)

    def _deal(self, now: Seconds, free: Sequence[Rank] = ()) -> list[Effect]:
        """Deal to the ranks in `free`, or to all: one report must not cost a look at thousands."""
        if self.phase != "dealing":
            return []
        if self.book.finished:
            return self._stage_done()
        unit = self.book.hopeless()
        if unit is not None:
            why = f"unit {unit} of {self.farm.stages[self.stage]!r} failed too often; {self.why}"
            return self._end("failed", ExitCode.MACHINE, why, now)
        dealt = self.book.deal(free or sorted(self.workers), len(self.workers), now)
        return [
            Send(Address(rank, RoleName.GENERATOR), WorkGrant(self.stage, unit))
            for rank, unit in dealt
        ]

    def _stage_done(self) -> list[Effect]:
        if self.stage + 1 < len(self.farm.stages):
            return self._open(self.stage + 1)
        self.phase, self.why = "finishing", "writing what stands for the whole"
        return [FinishWork()]

    def _lost(self, rank: Rank, reason: str, now: Seconds) -> list[Effect]:
        roles = self.roster.bury(rank)
        self.workers.discard(rank)
        self.ending.left.add(rank)
        if self.phase == "ending":
            return self._leave_if_last()
        if not roles:
            return []
        self.tally.ended(rank, None)
        units = self.book.lost(rank)
        action = f"{len(units)} units are dealt again" if units else "none needed"
        self.why = f"rank {rank} is gone: {reason}"
        self._note(rank, f"rank {rank} is gone", action, reason, now)
        return [*self._nobody_left(now), *self._deal(now), self._status("running", now)]

    def _note(self, rank: Rank, what: str, action: str, reason: str, now: Seconds) -> None:
        self.tally.failed(FailureReport(now, (int(rank),), what, action, reason))

    def _nobody_left(self, now: Seconds) -> list[Effect]:
        """Leave without an end marker when nobody can work: the job is started again whole."""
        entries = self.roster.entries
        if any(a.role == RoleName.GENERATOR and e.alive for a, e in entries.items()):
            return []
        why = "no rank is left to work"
        self._note(self.facts.rank, why, "leave, to be started again", self.why, now)
        status = self._status("running", now)
        self.phase = "ended"
        return [status, *self.ending.abandon(f"{why}; {self.why}")]

    def _end(
        self, state: EndState, code: ExitCode, why: str, now: Seconds, digest: str = ""
    ) -> list[Effect]:
        self.phase, self.why = "ending", why
        how = HowItEnded(state, int(code), Step(len(self.book.done)), Digest(digest), why)
        begun = [e for e in self.ending.begin(how, now) if not isinstance(e, AppendJournal)]
        return [self._status(how.shown, now), *begun, *self._leave_if_last()]

    def _leave_if_last(self) -> list[Effect]:
        if self.phase != "ending" or not self.ending.all_left():
            return []
        self.phase = "ended"
        return [self.ending.leave()]

    def _timer(self, name: str, now: Seconds) -> list[Effect]:
        if name == LEAVING:
            self.phase = "ended"
            return [self.ending.leave()]
        if name == STATUS:
            again = SetTimer(STATUS, Seconds(now + self.settings.monitor.status_seconds))
            return [again] if self.phase == "ending" else [self._status("running", now), again]
        again = SetTimer(WATCH, Seconds(now + self.settings.failure.heartbeat_seconds))
        return [again, *self._watch(now)]

    def _watch(self, now: Seconds) -> list[Effect]:
        if self.phase == "ending":
            return []
        limits, effects = self.settings.failure, list[Effect]()
        late = {address.rank for address in self.roster.missing()}
        seen = self.roster.last_seen(but=self.facts.rank)
        told = {rank: at for rank, at in seen.items() if rank not in late}
        for verdict in silent_ranks(told, now, Seconds(limits.dead_seconds)):
            effects += self.ending.crew.fence(verdict.rank, verdict.reason)
            effects += self._lost(verdict.rank, verdict.reason, now)
        if now >= self.gather_until:
            reason = f"it did not report within {limits.start_seconds:.0f} s"
            for rank in sorted(late - {self.facts.rank}):
                effects += self._lost(rank, reason, now)
        return [*effects, *self._deal(now)]

    def _status(self, state: RunState, now: Seconds) -> Effect:
        self.roster.beat(Address(self.facts.rank, self.name), self.activity, now)
        report = self.tally.status(self.book, self.stage, self.farm, state, now)
        return WriteStatus(replace(report, ranks=self.roster.reports(), reason=self.why))
