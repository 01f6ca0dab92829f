"""Trainer: fetches the blocks of its lanes ahead, lets the engine compute, reports, keeps a copy.

Theory of operation. The coordinator gives each member of a group its seat (`FormGroup`) and grants
steps; within a grant trainers need nobody but each other and the memory ranks. The engine (torch,
beside the driver) runs one piece of work at a time: `JoinGroup`, then a `RunStep` for each step. A
peer's death ends the engine's polled waits; the trainer then says what it holds and waits for the
next group. Because nobody votes before holding the reduced gradient, what it holds is either the
state of step s, or that state plus the gradient that finishes s.

One member of a group reports steps. All keep the newest outcomes, so that the next group's reporter
can tell what a dead one did not.

`RULES` is the machine; docs/design.md shows it as a picture.

Before a step that is evaluated each team measures its share of the held-out text, and tells it
before its part in that step: so nobody can apply the step while somebody still measures.

Invariants: the engine works exactly in `joining`, `evaluating`, `stepping` and `aborting`;
`state_step` is -1 or the step whose state the engine holds; `reduced` only outside a group;
`outcomes` end with the step before `state_step` and have no gap.
"""

from collections import deque
from typing import Literal

from msgspec.structs import replace

from qmpi.config.compression_checks import sends_less
from qmpi.config.settings import Settings
from qmpi.errors import ExitCode, InvariantError
from qmpi.policy.hyperparameters import Log, first_hyperparameters, hyperparameters_at
from qmpi.policy.shares import Share
from qmpi.ports.base import Effect, Event, Started, WorkCrashed
from qmpi.ports.copies import SnapshotBroken, SnapshotRead, SnapshotStored, SnapshotTaken
from qmpi.ports.engine import (
    AbortEngine,
    CopyCutOff,
    EngineAborted,
    EngineReady,
    Evaluated,
    GroupJoined,
    JoinGroup,
    PrepareEngine,
    ProfileSteps,
    ProfileWritten,
    RunStep,
    StepApplied,
)
from qmpi.ports.transport import Received
from qmpi.protocol.blocks import BlockFailed, BlockReply, DataFault
from qmpi.protocol.envelope import RoleName
from qmpi.protocol.hyperparameters import Hyperparameters, can_halve
from qmpi.protocol.membership import (
    FormGroup,
    GroupBroken,
    GroupReady,
    Hello,
    Holding,
    Regroup,
)
from qmpi.protocol.portions import WHOLE, Spans, runs_of
from qmpi.protocol.profiles import ProfileDone, ProfileOrder
from qmpi.protocol.progress import Grant, StepReport
from qmpi.protocol.snapshots import SnapshotFailed, SnapshotHeld, SnapshotPull
from qmpi.roles.facts import RankFacts
from qmpi.roles.follower import Follower
from qmpi.roles.interface import RoleState
from qmpi.roles.table import Rule, Table
from qmpi.roles.trainer.copies import Copies
from qmpi.roles.trainer.measuring import Measuring
from qmpi.roles.trainer.prefetch import Prefetch
from qmpi.roles.trainer.timing import Timing
from qmpi.units import Digest, Generation, Seconds, Step

Phase = Literal["warming", "idle", "joining", "ready", "evaluating", "stepping", "aborting"]

KEPT_OUTCOMES = 32
"""Steps whose outcome is kept: more than are ever granted beyond the last commit."""


class Trainer(Follower):
    """A rank that computes."""

    role = RoleName.TRAINER
    retries = True

    def __init__(self, settings: Settings, facts: RankFacts) -> None:
        """Make a trainer without state.

        Args:
            settings: the job.
            facts: who this rank is.
        """
        super().__init__(settings, facts)
        self.phase: str = "warming"
        self.raised: deque[Event] = deque()
        self.state_step = -1
        self.reduced = False
        self.position, self.portions = -1, WHOLE
        self.kept: Spans = ()
        self._dealt: Spans = ()
        self.group: FormGroup | None = None
        self.grant = Grant(Generation(0), Step(0))
        self.outcomes: deque[StepReport] = deque(maxlen=KEPT_OUTCOMES)
        self.prefetch = Prefetch(settings)
        self.copies = Copies(settings)
        self._digest, self._digest_step = Digest(""), -1
        self.timing = Timing()
        self.measuring = Measuring(settings)

    @property
    def state(self) -> RoleState:
        """What it is doing right now, and which weights it holds."""
        return RoleState(
            self.role, self._activity, self.state_step, self._digest, self._digest_step
        )

    def on_start(self, now: Seconds) -> list[Effect]:
        """Take `Started` as any event."""
        return TABLE.take(self, Started(), now)

    def on_event(self, event: Event, now: Seconds) -> list[Effect]:
        """Take what concerns a trainer."""
        return TABLE.take(self, event, now)

    def on_retry(self, now: Seconds) -> list[Effect]:
        """Ask again for blocks that did not come."""
        return self.prefetch.retry(self.directory.memories, now)

    def on_directory(self, now: Seconds) -> list[Effect]:
        """Ask the memory ranks that live now; offer copies to the replicas that live now."""
        blocks = self.prefetch.retarget(self.directory.memories, now)
        return [*blocks, *self.copies.retarget(self.directory.replicas)]

    def check(self) -> None:
        """Check the invariants of the class.

        Raises:
            InvariantError: one of them is broken.
        """
        if self.reduced and self.phase in ("ready", "evaluating", "stepping"):
            raise InvariantError(f"trainer {self.facts.rank}: holds a gradient inside a group")
        if self.phase in GROUPED and self.group is None:
            raise InvariantError(f"trainer {self.facts.rank}: {self.phase} without a group")
        if self.outcomes and self.outcomes[-1].step + 1 != self.state_step:
            raise InvariantError(f"trainer {self.facts.rank}: its outcomes are of other steps")

    # --- guards -----------------------------------------------------------------------------------

    def has_seat(self, _: object) -> bool:
        """A group was named before the engine was warm."""
        return self.group is not None

    def current(self, event: GroupJoined | StepApplied | Evaluated | EngineAborted) -> bool:
        """It is of the generation in force."""
        return event.generation == self._generation

    def may_step(self, _: object) -> bool:
        """The next step is granted, is one of the run, and all its blocks are here."""
        granted = self.grant.generation == self._generation and self.state_step < self.grant.until
        step = Step(self.state_step)
        goes_on = step < self.settings.train.steps and not self._halted
        return granted and goes_on and self.prefetch.complete(step)

    def must_evaluate(self, _: object) -> bool:
        """An evaluation is due before the next step, and this member has not done its share."""
        return self.measuring.is_due(self.group, self.state_step)

    # --- the beginning ----------------------------------------------------------------------------

    def prepare(self, _: Started, now: Seconds) -> list[Effect]:
        """Prepare the engine; a promoted spare's is prepared already, and this ends at once."""
        del now
        self._activity = "warming up"
        return [PrepareEngine()]

    def greet(self, event: EngineReady, now: Seconds) -> list[Effect]:
        """Say hello."""
        del now
        self._activity = "idle"
        self.copies.known = event.snapshots
        hello = Hello(
            host=self.facts.host,
            pid=self.facts.pid,
            identity=event.identity,
            store_address=event.store_address,
            snapshots=event.snapshots,
            peak_flops=event.peak_flops,
        )
        return [self.tell(hello)]

    def greet_and_join(self, event: EngineReady, now: Seconds) -> list[Effect]:
        """Say hello, and take the seat that was named meanwhile."""
        return [*self.greet(event, now), *self._join(now)]

    # --- groups -----------------------------------------------------------------------------------

    def say_holding(self, event: Received, now: Seconds) -> list[Effect]:
        """Leave the group, and say what is held."""
        del now
        self._leave_for(event)
        # A copy that the group takes together may be under way, which changes no state.
        ends = [AbortEngine(f"generation {self._generation}")] if self._is_shared else []
        return [*ends, self._holding()]

    def abort(self, event: Received, now: Seconds) -> list[Effect]:
        """Leave the group: end the work in hand first."""
        del now
        self._leave_for(event)
        return [AbortEngine(f"generation {self._generation}: {self._activity}")]

    def still_aborting(self, event: Received, now: Seconds) -> list[Effect]:
        """Answer the newest question, once the work in hand has ended."""
        del now
        self._leave_for(event)
        return []

    def _leave_for(self, event: Received) -> None:
        if isinstance(event.message, Regroup):
            self._generation = event.message.generation
            self._activity = f"regrouping: {event.message.reason}"
        self.group = None

    def _holding(self) -> Effect:
        first = self.outcomes[0].step if self.outcomes else self.state_step
        return self.tell(
            Holding(
                self._generation,
                self.state_step,
                self.reduced,
                self.position,
                first,
                self.copies.known,
                self.portions,
                self.kept,
            )
        )

    def note_seat(self, event: Received, now: Seconds) -> list[Effect]:
        """Keep the seat until the engine is warm."""
        del now
        if isinstance(event.message, FormGroup):
            self._generation, self.group = event.message.generation, event.message
        return []

    def take_seat(self, event: Received, now: Seconds) -> list[Effect]:
        """Join the group, and ask for the first blocks."""
        return [*self.note_seat(event, now), *self._join(now)]

    def _join(self, now: Seconds) -> list[Effect]:
        form = self.group
        if form is None:
            raise InvariantError(f"trainer {self.facts.rank} joins without a seat")
        self._activity = f"joining generation {form.generation}"
        self._dealt = runs_of(form.lanes)
        join = JoinGroup(
            generation=form.generation,
            team=form.team,
            teams=form.teams,
            position=form.position,
            is_lead=form.lead == self.facts.rank,
            store_address=form.store_address,
            step=form.step,
            finish=form.finish,
            root=form.root,
            transfer=form.transfer,
            receives=form.receives,
            origin=form.origin,
            origin_digest=form.origin_digest,
            lanes=form.lanes,
        )
        steps = Step(self.settings.train.steps)
        most = self.settings.train.lanes
        share = Share(form.lanes, form.team, form.teams, most, self._log())
        self.prefetch.revision = form.revision
        want = self.prefetch.aim(form.step, steps, share, self.directory.memories, now)
        return [join, *want]

    def joined(self, event: GroupJoined, now: Seconds) -> list[Effect]:
        """Report what the journal lacks, say that this member is ready."""
        self.timing.begin(now)
        self._reach(event.step, event.finished)
        form = self.group
        self._sit(event)
        first = -1 if form is None else form.reports_from
        missing = [r for r in self.outcomes if 0 <= first <= r.step]
        ready = self.tell(GroupReady(event.generation, event.step))
        return [*map(self.tell, missing), ready, *self._copy()]

    def joined_too_late(self, event: GroupJoined, now: Seconds) -> list[Effect]:
        """Say what is held: the group is of the past already."""
        del now
        self._reach(event.step, event.finished)
        self._sit(event)
        return [self._holding()]

    def _sit(self, event: GroupJoined) -> None:
        self.position, self.portions, self.kept = event.position, event.portions, event.kept

    def broken(self, event: EngineAborted, now: Seconds) -> list[Effect]:
        """Ask for a new group."""
        del now
        gives_up = event.out_of_memory and not self._may_halve(event.state_step)
        self._fall(event)
        if gives_up:
            return self._crashed(WorkCrashed("OutOfMemory", event.reason, ExitCode.MACHINE))
        self._activity = f"waiting for a new group: {event.reason}"
        told = (event.generation, event.reason, event.out_of_memory, event.own_fault)
        return [self.tell(GroupBroken(*told))]

    def _may_halve(self, step: int) -> bool:
        halvings = hyperparameters_at(self._log(), max(0, step)).halvings
        settings = self.settings
        allowed = settings.batch.halve_microbatches and not self._replays
        return allowed and can_halve(settings.train, halvings)

    def aborted(self, event: EngineAborted, now: Seconds) -> list[Effect]:
        """Say what is held."""
        del now
        self._fall(event)
        return [self._holding()]

    def _fall(self, event: EngineAborted) -> None:
        self._reach(event.state_step, event.finished)
        self.reduced, self.group = event.reduced, None
        self.position = event.position if event.state_step >= 0 else -1
        self.portions, self.kept = event.portions, event.kept

    def _reach(self, step: int, finished: StepApplied | None) -> None:
        """Note the state that the engine holds, and the outcome that led to it."""
        self.state_step, self.reduced = step, False
        if finished is not None:
            self._note(finished)
        if self.outcomes and self.outcomes[-1].step + 1 != step:
            # The state came from elsewhere: what led to it is not known here.
            self.outcomes.clear()

    # --- evaluations ------------------------------------------------------------------------------

    def evaluate(self, _: None, now: Seconds) -> list[Effect]:
        """Let the engine measure this team's share."""
        del now
        step = Step(self.state_step)
        self._activity = f"evaluating step {step}"
        return [] if self.group is None else [self.measuring.work(self.group, step)]

    def evaluated(self, event: Evaluated, now: Seconds) -> list[Effect]:
        """Tell what was measured, before anything else is done with the weights."""
        self._activity = f"waiting for step {self.state_step}"
        self.timing.begin(now)
        part, form = self.measuring.done(event), self.group
        # A team measures one share together; its first rank tells it.
        tells = form is not None and form.position == 0
        return [*([self.tell(part)] if tells else []), *self._copy()]

    def evaluated_too_late(self, event: Evaluated, now: Seconds) -> list[Effect]:
        """Say what is held: the group is of the past already."""
        del event, now
        return [self._holding()]

    # --- steps ------------------------------------------------------------------------------------

    def note_grant(self, event: Received, now: Seconds) -> list[Effect]:
        """Take a grant; a snapshot may be due at once."""
        grant, reached = event.message, list[Effect]()
        if isinstance(grant, Grant):
            self.grant = grant
            if grant.generation == self._generation and self.group is not None:
                first, memories = Step(self.state_step), self.directory.memories
                log = grant.hyperparameters
                self.prefetch.revision = grant.revision
                reached = self.prefetch.reach(log, grant.until, first, memories, now)
        return [*reached, *(self._copy() if self.phase == "ready" else [])]

    def step(self, _: None, now: Seconds) -> list[Effect]:
        """Let the engine compute the next step, and ask for blocks ahead."""
        step = Step(self.state_step)
        lanes, blocks = self.prefetch.take(step)
        self._activity = f"step {step}"
        self.timing.stepping(self.prefetch.arrived_at(step))
        train = self.settings.train
        due = (step + 1) % train.digest_every == 0 or step + 1 == train.steps
        run = RunStep(
            self._generation,
            step,
            lanes,
            blocks,
            digest_due=due,
            hyperparameters=self._held_for(step),
        )
        return [run, *self.prefetch.advance(step, self.directory.memories, now)]

    def _held_for(self, step: Step) -> Hyperparameters:
        return hyperparameters_at(self._log(), step)

    def _log(self) -> Log:
        log = self.group.hyperparameters if self.group is not None else ()
        if self.grant.generation == self._generation and self.grant.hyperparameters:
            log = self.grant.hyperparameters
        return log or (first_hyperparameters(self.settings),)

    def applied(self, event: StepApplied, now: Seconds) -> list[Effect]:
        """Note the step, report it if that is this member's part, copy if due."""
        self._apply(replace(event, times=self.timing.whole(event.times, now)))
        self._activity = f"waiting for step {self.state_step}"
        reports = self.group is not None and self.group.reports_from >= 0
        return [*([self.tell(self.outcomes[-1])] if reports else []), *self._copy()]

    def applied_too_late(self, event: StepApplied, now: Seconds) -> list[Effect]:
        """Note the step, and say what is held."""
        del now
        self._apply(event)
        return [self._holding()]

    def _apply(self, event: StepApplied) -> None:
        if self.kept:
            # What others compute was kept until all had it.
            self.kept = self._dealt
        self.prefetch.done(event.step)
        self._reach(event.step + 1, event)

    def _note(self, event: StepApplied) -> None:
        if event.weight_digest:
            self._digest, self._digest_step = event.weight_digest, event.step + 1
        # One that is told again, with a digest that was missing, takes the place of the first.
        while self.outcomes and self.outcomes[-1].step >= event.step:
            self.outcomes.pop()
        if self.outcomes and self.outcomes[-1].step + 1 != event.step:
            self.outcomes.clear()
        self.outcomes.append(
            StepReport(
                generation=event.generation,
                step=event.step,
                lane_losses=event.lane_losses,
                block_digests=event.block_digests,
                gradient_norm=event.gradient_norm,
                learning_rate=event.learning_rate,
                weight_digest=event.weight_digest,
                seconds=event.seconds,
                wait_seconds=event.times.data,
                redone=event.redone,
                times=event.times,
                updates=event.updates,
                loss_scale=event.loss_scale,
                spike=event.spike,
                halts=event.halts,
                lane_square=event.lane_square,
                experts=event.experts,
                ahead_losses=event.ahead_losses,
                sources=event.sources,
            )
        )

    # --- profiles ---------------------------------------------------------------------------------

    def profile(self, event: Received, now: Seconds) -> list[Effect]:
        """Let the engine record its next steps."""
        del now
        order = event.message
        return [ProfileSteps(order.name, order.steps)] if isinstance(order, ProfileOrder) else []

    def profiled(self, event: ProfileWritten, now: Seconds) -> list[Effect]:
        """Say what came of a profile."""
        del now
        return [self.tell(ProfileDone(event.name, event.path, event.fault))]

    # --- blocks and copies ------------------------------------------------------------------------

    def take_block(self, event: Received, now: Seconds) -> list[Effect]:
        """Hold a block."""
        if not isinstance(event.message, BlockReply) or not event.frames:
            return []
        source, (frame, *_) = event.header.source.rank, event.frames
        asked = self.prefetch.arrived(event.message, frame, source, self.directory.memories, now)
        if asked is None:
            return [self.tell(DataFault(f"blocks of rank {source} arrive damaged"))]
        return asked

    def block_failed(self, event: Received, now: Seconds) -> list[Effect]:
        """Ask another memory rank; if none can make the block, the run cannot go on."""
        message, source = event.message, event.header.source.rank
        if not isinstance(message, BlockFailed):
            return []
        asked = self.prefetch.refused(message, source, self.directory.memories, now)
        if asked is None:
            return [self.tell(DataFault(message.reason, message.is_away))]
        return asked

    def serve_part(self, event: Received, now: Seconds) -> list[Effect]:
        """Serve a part of a copy."""
        del now
        pull = event.message
        return (
            self.copies.pulled(event.header.source, pull) if isinstance(pull, SnapshotPull) else []
        )

    def copied_elsewhere(self, event: Received, now: Seconds) -> list[Effect]:
        """Note what a replica keeps, or cannot keep."""
        del now
        match event.message:
            case SnapshotHeld(facts):
                self.copies.held_elsewhere(facts)
            case SnapshotFailed(step, _, _, place) if not place:
                self.copies.forget(step)
            case _:
                pass
        return []

    def copied(self, event: Event, now: Seconds) -> list[Effect]:
        """Follow up on copying work."""
        del now
        return self.copies.on_event(event, self.directory.replicas, self.tell)

    def copy_cut_off(self, event: CopyCutOff, now: Seconds) -> list[Effect]:
        """Ask for a new group if a copy that this one takes together was cut off."""
        del now
        self.copies.forget(event.step)
        if event.generation != self._generation or self.group is None:
            return []
        return [self.tell(GroupBroken(event.generation, event.reason))]

    @property
    def _is_shared(self) -> bool:
        """Each team holds a part of its own, so that all of them take part in a copy."""
        settings = self.settings
        return settings.parallel.shares_moments or sends_less(settings.train)

    @property
    def _halted(self) -> bool:
        """The last step was one after which nothing is trained."""
        return bool(self.outcomes) and self.outcomes[-1].halts and not self._replays

    @property
    def _replays(self) -> bool:
        """The run goes by the records of another one."""
        return self.group is not None and self.group.replays

    def _copy(self) -> list[Effect]:
        if self.group is None or not (self.group.keeps_copy or self._is_shared):
            return []
        step, branch = Step(self.state_step), self.group.branch
        if self._halted and step not in self.grant.checkpoint_steps:
            return []  # the copy of this step is the last, and goes to disk
        replicas = self.directory.replicas
        if self._is_shared:
            return self.copies.due_together(step, self.grant, self.group, replicas)
        return self.copies.due(step, self.grant, self._generation, branch, replicas)


GROUPED = ("joining", "ready", "evaluating", "stepping")
WORKING = ("joining", "evaluating", "stepping")
WARM = ("idle", "joining", "ready", "evaluating", "stepping", "aborting")
ANY = ("warming", *WARM)

T = Trainer
RULES: tuple[Rule[Trainer], ...] = (
    Rule(phases=("warming",), on=Started, action=T.prepare),
    Rule(
        phases=("warming",),
        on=EngineReady,
        guard=T.has_seat,
        action=T.greet_and_join,
        to="joining",
    ),
    Rule(phases=("warming",), on=EngineReady, action=T.greet, to="idle"),
    # groups
    Rule(phases=("warming",), on=Regroup, action=T.say_holding),
    Rule(phases=("idle", "ready"), on=Regroup, action=T.say_holding, to="idle"),
    Rule(phases=WORKING, on=Regroup, action=T.abort, to="aborting"),
    Rule(phases=("aborting",), on=Regroup, action=T.still_aborting),
    Rule(phases=("warming",), on=FormGroup, action=T.note_seat),
    Rule(phases=("idle", "ready"), on=FormGroup, action=T.take_seat, to="joining"),
    Rule(phases=("joining",), on=GroupJoined, guard=T.current, action=T.joined, to="ready"),
    Rule(phases=(*WORKING, "aborting"), on=GroupJoined, action=T.joined_too_late, to="idle"),
    Rule(phases=WORKING, on=EngineAborted, guard=T.current, action=T.broken, to="idle"),
    Rule(phases=(*WORKING, "aborting"), on=EngineAborted, action=T.aborted, to="idle"),
    # evaluations
    Rule(phases=("ready",), on=None, guard=T.must_evaluate, action=T.evaluate, to="evaluating"),
    Rule(phases=("evaluating",), on=Evaluated, guard=T.current, action=T.evaluated, to="ready"),
    Rule(phases=("evaluating", "aborting"), on=Evaluated, action=T.evaluated_too_late, to="idle"),
    # steps
    Rule(phases=ANY, on=Grant, action=T.note_grant),
    Rule(phases=("ready",), on=None, guard=T.may_step, action=T.step, to="stepping"),
    Rule(phases=("stepping",), on=StepApplied, guard=T.current, action=T.applied, to="ready"),
    Rule(phases=("stepping", "aborting"), on=StepApplied, action=T.applied_too_late, to="idle"),
    # profiles
    Rule(phases=WARM, on=ProfileOrder, action=T.profile),
    Rule(phases=ANY, on=ProfileWritten, action=T.profiled),
    # blocks and copies
    Rule(phases=ANY, on=BlockReply, action=T.take_block),
    Rule(phases=ANY, on=BlockFailed, action=T.block_failed),
    Rule(phases=ANY, on=SnapshotPull, action=T.serve_part),
    Rule(phases=ANY, on=SnapshotHeld, action=T.copied_elsewhere),
    Rule(phases=ANY, on=SnapshotFailed, action=T.copied_elsewhere),
    Rule(phases=ANY, on=SnapshotTaken, action=T.copied),
    Rule(phases=ANY, on=SnapshotStored, action=T.copied),
    Rule(phases=ANY, on=SnapshotRead, action=T.copied),
    Rule(phases=ANY, on=SnapshotBroken, action=T.copied),
    Rule(phases=ANY, on=CopyCutOff, action=T.copy_cut_off),
)
"""The transition table, in order of precedence."""

TABLE = Table(RULES)
