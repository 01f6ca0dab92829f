"""Dealer of a work farm: the chief of a job whose work is units that end in files.

Theory of operation. Stage by stage: have the stage opened (count its units, verify those done),
deal the others to the ranks that have said hello, note what they report, deal again what a dead,
silent or failing rank held. After the last stage what stands for the whole is written, and the end
marker. The dealer keeps no journal: the files are the state, and a job that was killed is resumed
by looking at them. `policy.work_book` decides who does what.

`RULES` is the machine; docs/design.md shows it as a picture.

Invariants: those of `WorkBook`; units are dealt only in `dealing`, and only to `workers`: ranks
that have said hello and live.
"""

from collections.abc import Sequence
from typing import Literal

from qmpi.config.settings import Settings
from qmpi.errors import ExitCode, InvariantError
from qmpi.policy.work_book import WorkBook
from qmpi.ports.base import Effect, Event, Started, WorkCrashed
from qmpi.ports.books import BooksBroken, WriteStatus
from qmpi.ports.clock import SetTimer, Slept, TimerFired
from qmpi.ports.processes import StopRequested
from qmpi.ports.transport import RankLost, Received, Send
from qmpi.ports.units import FinishWork, OpenStage, StageOpened, WorkFinished
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import Crashed, Hello, Left
from qmpi.protocol.pulse import Beat, BeatHeard, Pulse
from qmpi.protocol.status import FailureReport, RunState
from qmpi.protocol.work import WorkFailed, WorkGrant, WorkProgress, WorkReport
from qmpi.roles.chief import STATUS, WATCH, Chief, EndJob
from qmpi.roles.ending import LEAVING, HowItEnded
from qmpi.roles.facts import RankFacts
from qmpi.roles.farm.tally import FarmFacts, Tally
from qmpi.roles.table import Rule, Table, named
from qmpi.units import Digest, Generation, Rank, Seconds, Step

Phase = Literal["opening", "dealing", "finishing", "ending", "ended"]


class Dealer(Chief):
    """The one role of a farm that decides."""

    name = RoleName.DEALER
    generation = Generation(0)

    def __init__(self, settings: Settings, facts: RankFacts, farm: FarmFacts) -> None:
        """Make the dealer of one incarnation.

        Args:
            settings: limits of failures, and how often the status is written.
            facts: who this rank is.
            farm: the work.
        """
        expected = [Address(rank, RoleName.WORKER) for rank in farm.expected]
        super().__init__(settings, facts, expected, farm.hosts, "opening")
        self.farm = farm
        self.stage = 0
        self.book = WorkBook(0, ())
        self.workers: set[Rank] = set()
        self.tally = Tally()
        self.why = "starting"

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
        return TABLE.take(self, event, now)

    def check(self) -> None:
        """Check the invariants of the class.

        Raises:
            InvariantError: one of them is broken.
        """
        self.book.check()
        if self.phase == "finishing" and not self.book.finished:
            raise InvariantError("the work is being finished, but units are missing")

    # --- guards -----------------------------------------------------------------------------------

    def this_stage(self, event: StageOpened) -> bool:
        """It is the stage that was asked for."""
        return event.stage == self.stage

    def of_this_stage(self, event: Received) -> bool:
        """It is of the stage under way."""
        return getattr(event.message, "stage", -1) == self.stage

    def more_stages(self, _: object) -> bool:
        """All units of the stage are done, and another stage follows."""
        return self.book.finished and self.stage + 1 < len(self.farm.stages)

    def all_done(self, _: object) -> bool:
        """All units of the last stage are done."""
        return self.book.finished

    def hopeless(self, _: object) -> bool:
        """A unit has failed on too many ranks."""
        return self.book.hopeless() is not None

    def nobody(self, _: object) -> bool:
        """No worker is alive, nor awaited."""
        return not self.roster.living(RoleName.WORKER)

    # --- stages -----------------------------------------------------------------------------------

    def start(self, _: Started, now: Seconds) -> list[Effect]:
        """Expect every worker, set the timers, open the first stage."""
        return [*self.begin(now), self._status("starting", now), *self._open(0)]

    def _open(self, stage: int) -> list[Effect]:
        self.stage, self.book = stage, WorkBook(0, ())
        self.why = f"looking at what is done of {self.farm.stages[stage]!r}"
        self.tally.next_stage()
        return [OpenStage(stage)]

    def open_next(self, _: None, now: Seconds) -> list[Effect]:
        """Open the next stage."""
        del now
        return self._open(self.stage + 1)

    def deal_stage(self, event: StageOpened, now: Seconds) -> list[Effect]:
        """Deal the units of a stage that are not done yet."""
        self.book = WorkBook(event.units, event.done)
        done = len(self.book.done)
        self.tally.opened(done, event.before)
        self.why = f"{done} of {event.units} units were done already"
        return [*self._deal(now), self._status("running", now)]

    def finish_work(self, _: None, now: Seconds) -> list[Effect]:
        """Have written what stands for the whole."""
        del now
        self.why = "writing what stands for the whole"
        return [FinishWork()]

    # --- units ------------------------------------------------------------------------------------

    def greet(self, event: Received, now: Seconds) -> list[Effect]:
        """Take in a hello, and deal to who says it."""
        source = event.header.source
        if not isinstance(event.message, Hello):
            return []
        self.roster.greet(source, event.message, now)
        self.workers.add(source.rank)
        return self._deal(now, (source.rank,)) if self.phase == "dealing" else []

    def note_progress(self, event: Received, now: Seconds) -> list[Effect]:
        """Note how far a unit is."""
        del now
        if isinstance(event.message, WorkProgress):
            self.tally.advanced(event.header.source.rank, event.message.progress)
        return []

    def note_report(self, event: Received, now: Seconds) -> list[Effect]:
        """Note a unit that is done, and deal another to who did it."""
        rank, message = event.header.source.rank, event.message
        if not isinstance(message, WorkReport):
            return []
        new = self.book.reported(rank, message.unit, now)
        self.tally.ended(rank, message.report if new else None)
        return self._deal(now, (rank,))

    def note_failed(self, event: Received, now: Seconds) -> list[Effect]:
        """Deal a failed unit again; the user's mistake or ours would strike every rank alike."""
        rank, message = event.header.source.rank, event.message
        if not isinstance(message, WorkFailed):
            return []
        self.tally.ended(rank, None)
        code = ExitCode(message.exit_code)
        if code != ExitCode.MACHINE:
            self.raised.append(EndJob("failed", code, message.reason))
            return []
        if self.book.failed(rank, message.unit, now):
            what = f"unit {message.unit} failed on rank {rank}"
            self._note(rank, what, "it is dealt again", message.reason, now)
            self.why = message.reason
        return self._deal(now)

    def _deal(self, now: Seconds, free: Sequence[Rank] = ()) -> list[Effect]:
        """Deal to the ranks in `free`, or to all: one report must not cost a look at thousands."""
        if self.book.finished or self.book.hopeless() is not None:
            return []
        dealt = self.book.deal(free or sorted(self.workers), len(self.workers), now)
        return [
            Send(Address(rank, RoleName.WORKER), WorkGrant(self.stage, unit))
            for rank, unit in dealt
        ]

    # --- losses -----------------------------------------------------------------------------------

    def own_crash(self, event: WorkCrashed, now: Seconds) -> list[Effect]:
        """End work whose stage cannot be opened, or whose whole cannot be written."""
        code = ExitCode(event.exit_code)
        why = event.reason if code != ExitCode.BUG else f"{event.what}: {event.reason}"
        return self.end(EndJob("failed", code, why), now)

    def books_broken(self, event: BooksBroken, now: Seconds) -> list[Effect]:
        """End work that cannot be written down."""
        return self.end(EndJob("failed", ExitCode(event.exit_code), event.reason), now)

    def lose(self, event: RankLost, now: Seconds) -> list[Effect]:
        """Deal again what a dead rank held."""
        rank = event.rank
        self.roster.bury(rank)
        self.workers.discard(rank)
        self.tally.ended(rank, None)
        units = self.book.lost(rank)
        action = f"{len(units)} units are dealt again" if units else "none needed"
        self.why = f"rank {rank} is gone: {event.reason}"
        self._note(rank, f"rank {rank} is gone", action, event.reason, now)
        dealt = self._deal(now) if self.phase == "dealing" else []
        return [*dealt, self._status("running", now)]

    def nobody_left(self, _: None, now: Seconds) -> list[Effect]:
        """Leave without an end marker: the job is started again whole."""
        why = "no rank is left to work"
        self._note(self.facts.rank, why, "leave, to be started again", self.why, now)
        return [self._status("running", now), *self.ending.abandon(f"{why}; {self.why}")]

    def give_up_unit(self, _: None, now: Seconds) -> list[Effect]:
        """End work that one unit keeps from its end."""
        stage, unit = self.farm.stages[self.stage], self.book.hopeless()
        why = f"unit {unit} of {stage!r} failed too often; {self.why}"
        return self.end(EndJob("failed", ExitCode.MACHINE, why), now)

    def beat(self, event: Received, now: Seconds) -> list[Effect]:
        """Take in what the ranks of a host say."""
        if not isinstance(event.message, Beat):
            return []
        self.roster.beat(event.message.pulses, now)
        return [Send(event.header.source, BeatHeard(0))]

    def watch(self, _: TimerFired, now: Seconds) -> list[Effect]:
        """Look for ranks that live and say nothing, and for those that never came."""
        late = {address.rank for address in self.roster.missing()} - {self.facts.rank}
        effects = [self.watch_again(now), *self.judge_silence(now, late)]
        if late and now >= self.gather_until:
            patience = self.settings.failure.start_seconds
            reason = f"it did not report within {patience:.0f} s"
            self.raised.extend(RankLost(rank, reason) for rank in sorted(late))
        return [*effects, *(self._deal(now) if self.phase == "dealing" else [])]

    def _note(self, rank: Rank, what: str, action: str, reason: str, now: Seconds) -> None:
        self.tally.failed(FailureReport(now, (int(rank),), what, action, reason))

    # --- the end ----------------------------------------------------------------------------------

    def stop(self, event: StopRequested, now: Seconds) -> list[Effect]:
        """Stop at once: units that are done stay done."""
        return self.end(EndJob("stopped", ExitCode.REQUEUE, event.reason), now)

    def finish(self, event: WorkFinished, now: Seconds) -> list[Effect]:
        """End work that is all done."""
        done = EndJob("finished", ExitCode.DONE, "all units are done", event.digest)
        return self.end(done, now)

    def end(self, event: EndJob, now: Seconds) -> list[Effect]:
        """End the work."""
        self.why = event.why
        step = Step(len(self.book.done))
        how = HowItEnded(event.state, int(event.exit_code), step, Digest(event.digest), event.why)
        return [self._status(event.state, now), *self.ending.begin(how, now, copies=False)]

    def write_status(self, _: TimerFired, now: Seconds) -> list[Effect]:
        """Write the status, again and again."""
        again = SetTimer(STATUS, Seconds(now + self.settings.monitor.status_seconds))
        return [self._status("running", now), again]

    def _status(self, state: RunState, now: Seconds) -> Effect:
        self.roster.beat((Pulse(self.name, (self.facts.rank,), self.phase),), now)
        report = self.tally.status(self.book, self.stage, self.farm, state, now)
        return WriteStatus(
            self.reporter.complete(
                report,
                name=self.farm.name,
                run_id=self.farm.run_id,
                reason=self.why,
                seats={},
                teams=0,
            )
        )


WORKING = ("opening", "dealing", "finishing")
ANY = (*WORKING, "ending")

D = Dealer
RULES: tuple[Rule[Dealer], ...] = (
    Rule(phases=("opening",), on=Started, action=D.start),
    Rule(phases=WORKING, on=Hello, action=D.greet),
    Rule(
        phases=("opening",),
        on=StageOpened,
        guard=D.this_stage,
        action=D.deal_stage,
        to="dealing",
    ),
    Rule(phases=("dealing",), on=WorkProgress, guard=D.of_this_stage, action=D.note_progress),
    Rule(phases=("dealing",), on=WorkReport, guard=D.of_this_stage, action=D.note_report),
    Rule(phases=("dealing",), on=WorkFailed, guard=D.of_this_stage, action=D.note_failed),
    Rule(phases=("dealing",), on=None, guard=D.more_stages, action=D.open_next, to="opening"),
    Rule(phases=("dealing",), on=None, guard=D.all_done, action=D.finish_work, to="finishing"),
    Rule(phases=("dealing",), on=None, guard=D.hopeless, action=D.give_up_unit, to="ending"),
    Rule(phases=("finishing",), on=WorkFinished, action=D.finish, to="ending"),
    # losses
    Rule(phases=WORKING, on=RankLost, guard=D.known, action=D.lose),
    Rule(phases=("ending",), on=RankLost, action=D.lose_leaving),
    Rule(phases=WORKING, on=None, guard=D.nobody, action=D.nobody_left, to="ended"),
    Rule(phases=WORKING, on=Crashed, action=D.crash),
    Rule(phases=WORKING, on=WorkCrashed, action=D.own_crash, to="ending"),
    Rule(phases=WORKING, on=BooksBroken, action=D.books_broken, to="ending"),
    Rule(phases=ANY, on=Beat, action=D.beat),
    Rule(phases=ANY, on=Slept, action=D.forgive),
    # the end
    Rule(phases=WORKING, on=StopRequested, action=D.stop, to="ending"),
    Rule(phases=WORKING, on=EndJob, action=D.end, to="ending"),
    Rule(phases=("ending",), on=Left, action=D.note_left),
    Rule(phases=("ending",), on=None, guard=D.alone, action=D.leave, to="ended"),
    # timers
    Rule(phases=WORKING, on=TimerFired, guard=named(STATUS), action=D.write_status),
    Rule(phases=WORKING, on=TimerFired, guard=named(WATCH), action=D.watch),
    Rule(phases=("ending",), on=TimerFired, guard=named(LEAVING), action=D.leave, to="ended"),
)
"""The transition table, in order of precedence."""

TABLE = Table(RULES)
