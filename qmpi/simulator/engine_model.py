"""The trainer's engine, modelled: what it promises, not what it computes.

Theory of operation. Work runs one piece at a time, in order. The weights are a chain: each step
hashes the blocks of all lanes into it, so equal weights mean that every step used exactly its
blocks, once. A member votes when it holds the reduced gradient and applies when all have voted;
whatever ends a piece of work before, it says `state_step` and `reduced` as the real engine would.
An abort condemns what was issued before it.

States of a piece of work: queued -> running -> (computing | waiting) -> its event.
"""

from collections import deque
from collections.abc import Callable

import msgspec
from msgspec import Struct

from qmpi.config.settings import Settings
from qmpi.errors import ExitCode, InvariantError, StorageError
from qmpi.ports.base import Event, WorkCrashed
from qmpi.ports.copies import SnapshotBroken, SnapshotTaken
from qmpi.ports.engine import (
    EngineAborted,
    EngineReady,
    GroupJoined,
    JoinGroup,
    PrepareEngine,
    RunStep,
    StepApplied,
    TakeSnapshot,
)
from qmpi.protocol.envelope import RoleName
from qmpi.simulator.agenda import Agenda, Chance
from qmpi.simulator.files import Files
from qmpi.simulator.group_model import SimulatedGroup, Values, Wait
from qmpi.simulator.hardware import Hardware, spread
from qmpi.simulator.stream_model import first_weights, lane_loss, next_weights
from qmpi.simulator.surroundings import Surroundings
from qmpi.units import Digest, Generation, Step

Work = PrepareEngine | JoinGroup | RunStep | TakeSnapshot


class State(Struct, frozen=True):
    """What a snapshot holds."""

    step: int
    weights: bytes


class Held(Struct, frozen=True):
    """A reduced gradient: the blocks of all lanes, in lane order."""

    step: int
    digests: tuple[Digest, ...]
    digest_due: bool


class Job(Struct, frozen=True):
    """Work with its ticket and whom it is for."""

    ticket: int
    owner: RoleName
    cause: str
    work: Work


class SimulatedEngine:
    """The engine of one process.

    Invariants: at most one piece of work runs; `held` is of `state_step`; `weights` are None iff
    there is no state.
    """

    def __init__(
        self,
        process: Surroundings,
        settings: Settings,
        agenda: Agenda,
        chance: Chance,
        files: Files,
        hardware: Hardware,
    ) -> None:
        """Make an engine without state.

        Args:
            process: the process it runs in.
            settings: the job.
            agenda: the clock.
            chance: seeded.
            files: snapshots.
            hardware: durations.
        """
        self._process = process
        self._settings = settings
        self._agenda = agenda
        self._chance = chance
        self._files = files
        self._hardware = hardware
        self._queue: deque[Job] = deque()
        self._job: Job | None = None
        self._issued = 0
        self._condemned = 0
        self._reason = ""
        self._warm = False
        self._group: SimulatedGroup | None = None
        self._index = 0
        self._wait: Wait | None = None
        self._finished: StepApplied | None = None
        self.state_step = -1
        self.weights: bytes | None = None
        self.held: Held | None = None

    def submit(self, owner: RoleName, cause: str, work: Work) -> None:
        """Queue work.

        Args:
            owner: who gets the result.
            cause: of the work.
            work: what to do.
        """
        self._issued += isinstance(work, JoinGroup | RunStep)
        self._queue.append(Job(self._issued, owner, cause, work))
        self._next()

    def abort(self, reason: str) -> None:
        """Condemn the work issued so far; what waits ends within a poll.

        Args:
            reason: why, in words.
        """
        self._reason, self._condemned = reason, self._issued
        job = self._job
        if job is None or not isinstance(job.work, JoinGroup | RunStep):
            return
        poll = self._hardware.compute.poll_seconds * self._chance.random()
        self._process.later(poll, lambda: self._poll(job))

    def die(self) -> None:
        """The process is gone."""
        if self._group is not None:
            self._group.die(self._index)

    # --- one piece of work at a time --------------------------------------------------------------

    def _next(self) -> None:
        if self._job is not None or not self._queue:
            return
        self._job = job = self._queue.popleft()
        compute, disk = self._hardware.compute, self._hardware.disk
        match job.work:
            case PrepareEngine():
                seconds = 0.001 if self._warm else spread(compute.warm_seconds, self._chance)
                self._process.later(seconds, self._prepared)
            case TakeSnapshot(step):
                seconds = disk.open_seconds + compute.state_bytes / disk.ram_bytes_per_second
                self._process.later(spread(seconds, self._chance), lambda: self._copied(step))
            case JoinGroup() as work:
                self._process.later(spread(0.01, self._chance), lambda: self._join(work))
            case RunStep() as work:
                self._compute(work, 0)

    def _finish(self, event: Event) -> None:
        job, self._job, self._wait, self._finished = self._job, None, None, None
        if job is None:
            raise InvariantError(f"rank {self._process.rank}: {event!r} without work")
        self._process.finished(job.owner, event, job.cause)
        self._next()

    def _aborted(self) -> bool:
        return self._job is not None and self._job.ticket <= self._condemned

    def _give_up(self, generation: Generation, reason: str) -> None:
        if self._group is not None:
            self._group.leave(self._index)
        held, finished = self.held is not None, self._finished
        self._finish(EngineAborted(generation, self.state_step, held, reason, finished))

    def _poll(self, job: Job) -> None:
        if self._job is job and self._wait is not None and self._wait.open:
            work = job.work
            if isinstance(work, JoinGroup | RunStep):
                self._give_up(work.generation, self._reason)

    def _crash(self, error: Exception, code: ExitCode) -> None:
        self._finish(WorkCrashed(type(error).__name__, str(error), int(code)))

    def _meet(
        self,
        name: str,
        value: tuple[tuple[int, str], ...],
        generation: Generation,
        done: Callable[[Values], None],
    ) -> None:
        """Enter a collective; `done` runs when all have, `EngineAborted` follows otherwise.

        Raises:
            InvariantError: there is no group.
        """
        group = self._group
        if group is None:
            raise InvariantError(f"rank {self._process.rank} is in no group")
        if self._aborted():
            self._give_up(generation, self._reason)
            return
        self._wait = Wait(
            name, self._process.later, done, lambda reason: self._give_up(generation, reason)
        )
        group.enter(self._index, value, self._wait)

    # --- join -------------------------------------------------------------------------------------

    def _prepared(self) -> None:
        self._warm = True
        address = f"{self._process.host}:{20000 + self._process.rank}"
        self._finish(EngineReady("simulated", address, self._files.find(self._process.host)))

    def _join(self, work: JoinGroup) -> None:
        if self._group is not None:
            self._group.leave(self._index)
            self._group = None
        if work.finish:
            self._finished = self._apply_held(work.generation)
        try:
            self._reach(work)
        except StorageError as error:
            self._crash(error, ExitCode.MACHINE)
            return
        self._group, self._index = self._process.group(work.generation, work.size), work.index

        def connected(values: Values) -> None:
            del values
            if not work.needy:
                self._joined(work)
                return
            mine = State(self.state_step, self.weights or b"")
            self._sync(work, mine)

        self._meet("join", (), work.generation, connected)
        self._time_out(work.generation)

    def _time_out(self, generation: Generation) -> None:
        job = self._job

        def late() -> None:
            wait = self._wait
            if self._job is job and wait is not None and wait.open and wait.name == "join":
                self._give_up(generation, "the rendezvous took too long")

        self._process.later(self._hardware.compute.join_seconds, late)

    def _reach(self, work: JoinGroup) -> None:
        if work.origin == "initial":
            self._set(work.generation, 0, first_weights(self._settings.job.seed))
        elif work.origin != "live" and work.index == work.state_root:
            payload = self._files.read(work.origin, self._process.host)
            state = msgspec.msgpack.decode(payload, type=State)
            self._set(work.generation, state.step, state.weights)

    def _sync(self, work: JoinGroup, mine: State) -> None:
        # A broadcast wants everybody; the value travels beside the lanes as hexadecimal text.
        value = ((mine.step, mine.weights.hex()),) if work.index == work.state_root else ()

        def synced(values: Values) -> None:
            step, weights = values[work.state_root][0]
            seconds = self._hardware.compute.state_bytes / self._hardware.link.bytes_per_second
            if work.index in work.needy:
                self._set(work.generation, step, bytes.fromhex(weights))
            self._process.later(seconds, lambda: self._joined(work))

        self._meet("sync", value, work.generation, synced)

    def _joined(self, work: JoinGroup) -> None:
        if self.state_step != work.step:
            wrong = InvariantError(
                f"generation {work.generation} starts with step {work.step}, but rank "
                f"{self._process.rank} holds step {self.state_step}"
            )
            self._crash(wrong, ExitCode.BUG)
            return
        self._finish(GroupJoined(work.generation, work.step, self._finished))

    # --- steps ------------------------------------------------------------------------------------

    def _compute(self, work: RunStep, lane: int) -> None:
        if work.step != self.state_step:
            wrong = InvariantError(f"step {work.step} granted to weights before {self.state_step}")
            self._crash(wrong, ExitCode.BUG)
            return
        self.held = None
        if self._aborted():
            self._give_up(work.generation, self._reason)
            return
        if lane < len(work.lanes):
            seconds = spread(self._hardware.compute.lane_seconds, self._chance)
            self._process.later(seconds, lambda: self._compute(work, lane + 1))
            return
        pairs = tuple(zip(work.lanes, work.digests, strict=True))
        self._meet(f"reduce {work.step}", pairs, work.generation, lambda v: self._reduced(work, v))

    def _reduced(self, work: RunStep, values: Values) -> None:
        pairs = sorted(pair for value in values.values() for pair in value)
        if [lane for lane, _ in pairs] != list(range(self._settings.train.lanes)):
            wrong = InvariantError(f"step {work.step} was computed on the lanes {pairs}")
            self._crash(wrong, ExitCode.BUG)
            return
        digests = tuple(Digest(digest) for _, digest in pairs)
        self.held = Held(work.step, digests, work.digest_due)
        # Unpacking takes a moment: who dies in it holds back the vote of all.
        pause = 0.004 * self._chance.random()
        self._process.later(pause, lambda: self._vote(work))

    def _vote(self, work: RunStep) -> None:
        self._meet(f"vote {work.step}", (), work.generation, lambda _: self._voted(work))

    def _voted(self, work: RunStep) -> None:
        applied = self._apply_held(work.generation)
        self._wait = None
        seconds = spread(self._hardware.compute.apply_seconds, self._chance)
        self._process.later(seconds, lambda: self._finish(applied))

    def _apply_held(self, generation: Generation) -> StepApplied:
        held, weights = self.held, self.weights
        if held is None or weights is None or held.step != self.state_step:
            raise InvariantError(f"rank {self._process.rank} holds no gradient to apply")
        self._set(generation, held.step + 1, next_weights(weights, held.digests))
        losses = tuple(lane_loss(held.step, digest) for digest in held.digests)
        digest = (self.weights or b"").hex() if held.digest_due else ""
        return StepApplied(
            generation=generation,
            step=Step(held.step),
            lane_losses=losses,
            block_digests=held.digests,
            gradient_norm=1.0,
            learning_rate=0.001,
            weight_digest=Digest(digest),
            seconds=0.0,
            redone=0,
        )

    def _set(self, generation: Generation, step: int, weights: bytes) -> None:
        self.held = None
        self.state_step, self.weights = step, weights
        self._process.weights_changed(generation, step, weights)

    def _copied(self, step: Step) -> None:
        if self.state_step != step or self.weights is None:
            self._finish(SnapshotBroken(step, "the engine has moved on"))
            return
        payload = msgspec.msgpack.encode(State(self.state_step, self.weights))
        process = self._process
        fact = self._files.write("ram", process.host, process.rank, step, payload)
        self._finish(SnapshotTaken(fact, self._hardware.compute.state_bytes))
