"""Trainer: fetches the blocks of its lanes ahead, lets the engine compute, reports, keeps a copy.

Theory of operation. The coordinator names a group (`FormGroup`) and grants steps; within a grant
trainers need nobody but each other and the memory ranks. The engine (torch, beside the loop) runs
one piece of work at a time: `JoinGroup`, then a `RunStep` for each step. A peer's death ends the
engine's polled waits; the trainer then says what it holds and waits for the next group. Because
nobody votes before holding the reduced gradient, what it holds is either the state of step s, or
that state plus the gradient that finishes s.

States (`phase`):
    warming  -> idle      the engine is prepared
    idle     -> joining   `FormGroup`
    joining  -> ready     connected, state of `step` reached
    ready    -> stepping  granted, and all blocks of the step are here
    stepping -> ready     step applied and reported
    joining, stepping -> aborting -> idle   `Regroup`, or the engine gave up
"""

from typing import Literal

from qmpi.config.settings import Settings
from qmpi.errors import InvariantError
from qmpi.ports.base import Effect, Event, Frame
from qmpi.ports.copies import SnapshotBroken, SnapshotRead, SnapshotStored, SnapshotTaken
from qmpi.ports.engine import (
    AbortEngine,
    EngineAborted,
    EngineReady,
    GroupJoined,
    JoinGroup,
    PrepareEngine,
    RunStep,
    StepApplied,
)
from qmpi.ports.transport import RankLost, Received
from qmpi.protocol.blocks import BlockReply
from qmpi.protocol.envelope import Address, RoleName
from qmpi.protocol.membership import (
    FormGroup,
    GroupBroken,
    GroupReady,
    Hello,
    Holding,
    Regroup,
)
from qmpi.protocol.messages import Message
from qmpi.protocol.progress import Grant, StepReport
from qmpi.protocol.snapshots import SnapshotFailed, SnapshotHeld, SnapshotPull
from qmpi.roles.member import Member, RankFacts
from qmpi.roles.trainer_copies import Copies
from qmpi.roles.trainer_prefetch import Prefetch
from qmpi.units import Generation, Seconds, Step

Phase = Literal["warming", "idle", "joining", "ready", "stepping", "aborting"]


class Trainer(Member):
    """A rank that computes.

    Invariants: the engine works exactly in `joining`, `stepping` and `aborting`; `state_step` is -1
    or the step whose state the engine holds; `reduced` only outside a group.
    """

    role = RoleName.TRAINER

    def __init__(self, settings: Settings, facts: RankFacts) -> None:
        """Make a trainer without state.

        Args:
            settings: the job.
            facts: who this rank is.
        """
        super().__init__(settings, facts)
        self.phase: Phase = "warming"
        self.state_step = -1
        self.reduced = False
        self.group: FormGroup | None = None
        self.grant = Grant(Generation(0), Step(0))
        self.prefetch = Prefetch(settings)
        self.copies = Copies(settings)

    def on_start(self, now: Seconds) -> list[Effect]:
        """Prepare the engine; a promoted spare's is prepared already, and this returns at once."""
        del now
        self._activity = "warming up"
        return [PrepareEngine()]

    def on_beat(self, now: Seconds) -> list[Effect]:
        """Ask again for blocks that did not come."""
        return self.prefetch.retry(self.directory.memories, now)

    def on_directory(self, now: Seconds) -> list[Effect]:
        """Ask the memory ranks that live now; offer copies to the replicas that live now."""
        blocks = self.prefetch.retarget(self.directory.memories, now)
        return [*blocks, *self.copies.retarget(self.directory.replicas)]

    def on_event(self, event: Event, now: Seconds) -> list[Effect]:
        """Take what concerns a trainer."""
        match event:
            case Received(header, message, frames):
                return self._received(header.source, message, frames, now)
            case EngineReady():
                return self._warmed(event, now)
            case GroupJoined(generation, step, finished):
                return self._joined(generation, step, finished, now)
            case StepApplied():
                return self._applied(event, now)
            case EngineAborted():
                return self._engine_aborted(event)
            case RankLost(rank, reason):
                return self._peer_lost(rank, reason)
            case SnapshotTaken() | SnapshotStored() | SnapshotRead() | SnapshotBroken():
                return self.copies.on_event(event, self.directory.replicas, self.tell)
            case _:
                return []

    def _received(
        self, source: Address, message: Message, frames: tuple[Frame, ...], now: Seconds
    ) -> list[Effect]:
        match message:
            case Regroup(generation, reason):
                return self._regroup(generation, reason)
            case FormGroup():
                return self._form(message, now)
            case Grant():
                return self._granted(message, now)
            case BlockReply() if frames:
                lost = self.prefetch.arrived(message, frames[0], now)
                return [*lost, *self._try_step(now)]
            case SnapshotPull(step, part):
                return self.copies.pulled(source, step, part)
            case SnapshotHeld(facts):
                self.copies.held_elsewhere(facts)
            case SnapshotFailed(step):
                self.copies.forget(step)
            case _:
                pass
        return []

    def check(self) -> None:
        """Check the invariants of the class.

        Raises:
            InvariantError: one of them is broken.
        """
        if self.reduced and self.phase in ("ready", "stepping"):
            raise InvariantError(f"trainer {self.facts.rank}: holds a gradient inside a group")
        if self.phase in ("joining", "ready", "stepping") and self.group is None:
            raise InvariantError(f"trainer {self.facts.rank}: {self.phase} without a group")

    def _warmed(self, event: EngineReady, now: Seconds) -> list[Effect]:
        self._activity = "idle"
        self.copies.known = event.snapshots
        hello = Hello(
            host=self.facts.host,
            pid=self.facts.pid,
            roles=(self.role,),
            identity=event.identity,
            store_address=event.store_address,
            snapshots=event.snapshots,
        )
        self.phase = "idle"
        if self.group is not None:  # promoted: the group was named while the role object was new
            return [self.tell(hello), *self._join(self.group, now)]
        return [self.tell(hello)]

    def _regroup(self, generation: Generation, reason: str) -> list[Effect]:
        self._generation = generation
        self.group = None
        self._activity = f"regrouping: {reason}"
        if self.phase in ("joining", "stepping"):
            self.phase = "aborting"
            return [AbortEngine(f"generation {generation}: {reason}")]
        if self.phase == "aborting":
            return []
        if self.phase == "ready":
            self.phase = "idle"
        return [self._holding()]

    def _holding(self) -> Effect:
        return self.tell(
            Holding(self._generation, self.state_step, self.reduced, self.copies.known)
        )

    def _form(self, form: FormGroup, now: Seconds) -> list[Effect]:
        if self.facts.rank not in form.members:
            return []
        self._generation = form.generation
        self.group = form
        if self.phase == "warming":
            return []
        return self._join(form, now)

    def _join(self, form: FormGroup, now: Seconds) -> list[Effect]:
        index = form.members.index(self.facts.rank)
        self.phase = "joining"
        self._activity = f"joining generation {form.generation}"
        join = JoinGroup(
            generation=form.generation,
            index=index,
            size=len(form.members),
            is_lead=form.lead == self.facts.rank,
            store_address=form.store_address,
            step=form.step,
            finish=self.facts.rank in form.finish,
            state_root=form.members.index(form.state_root),
            needy=tuple(form.members.index(rank) for rank in form.needy),
            origin=form.origin,
            origin_digest=form.origin_digest,
        )
        steps = Step(self.settings.train.steps)
        want = self.prefetch.aim(form.step, steps, form.lanes[index], self.directory.memories, now)
        return [join, *want]

    def _joined(
        self,
        generation: Generation,
        step: Step,
        finished: StepApplied | None,
        now: Seconds,
    ) -> list[Effect]:
        self.state_step, self.reduced = step, False
        report = [self._report(finished)] if finished is not None else []
        if self.phase == "aborting" or generation != self._generation:
            self.phase = "idle"
            return [*report, self._holding()]
        self.phase = "ready"
        return [
            *report,
            self.tell(GroupReady(generation, step)),
            *self._copy(),
            *self._try_step(now),
        ]

    def _granted(self, grant: Grant, now: Seconds) -> list[Effect]:
        self.grant = grant
        due = self._copy() if self.phase == "ready" else []
        return [*due, *self._try_step(now)]

    def _try_step(self, now: Seconds) -> list[Effect]:
        granted = self.grant.generation == self._generation and self.state_step < self.grant.until
        if self.phase != "ready" or self.group is None or not granted:
            return []
        step = Step(self.state_step)
        if step >= self.settings.train.steps:
            return []
        blocks = self.prefetch.take(step)
        if blocks is None:
            self._activity = f"waiting for blocks of step {step}"
            return []
        lanes, digests, frames = blocks
        self.phase = "stepping"
        self._activity = f"step {step}"
        train = self.settings.train
        due = (step + 1) % train.digest_every == 0 or step + 1 == train.steps
        run = RunStep(self._generation, step, lanes, frames, digests, digest_due=due)
        ahead = self.prefetch.advance(step, self.directory.memories, now)
        return [run, *ahead]

    def _applied(self, event: StepApplied, now: Seconds) -> list[Effect]:
        self.state_step = event.step + 1
        report = self._report(event)
        self.prefetch.done(event.step)
        if self.phase == "aborting" or event.generation != self._generation:
            self.phase = "idle"
            return [report, self._holding()]
        self.phase = "ready"
        return [report, *self._copy(), *self._try_step(now)]

    def _report(self, event: StepApplied) -> Effect:
        return self.tell(
            StepReport(
                generation=event.generation,
                step=event.step,
                lane_losses=event.lane_losses,
                block_digests=event.block_digests,
                gradient_norm=event.gradient_norm,
                learning_rate=event.learning_rate,
                weight_digest=event.weight_digest,
                seconds=event.seconds,
                wait_seconds=self.prefetch.waited(event.step),
                redone=event.redone,
            )
        )

    def _copy(self) -> list[Effect]:
        if self.group is None or self.group.lead != self.facts.rank:
            return []
        return self.copies.due(Step(self.state_step), self.grant, self._generation)

    def _engine_aborted(self, event: EngineAborted) -> list[Effect]:
        self.state_step, self.reduced = event.state_step, event.reduced
        told = self.phase == "aborting"
        self.phase = "idle"
        self.group = None
        report = [self._report(event.finished)] if event.finished is not None else []
        if told or event.generation != self._generation:
            return [*report, self._holding()]
        self._activity = f"waiting for a new group: {event.reason}"
        return [*report, self.tell(GroupBroken(event.generation, event.reason))]

    def _peer_lost(self, rank: int, reason: str) -> list[Effect]:
        group = self.group
        if group is None or rank not in group.members or self.phase not in ("joining", "stepping"):
            return []
        # Own news of a peer's death is as good as the coordinator's order, and usually earlier.
        return [AbortEngine(f"rank {rank} is gone: {reason}")]
