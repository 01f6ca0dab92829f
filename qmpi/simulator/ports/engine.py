"""The engine, modelled: what it promises, not what it computes.

Theory of operation. Work runs one piece at a time, in order. The weights are a chain for each
position: a step hashes the blocks of all lanes into it, so equal weights mean that every step used
exactly its blocks, once. A lane needs all ranks of its team, with the same block. A member votes
when it holds the reduced gradient and applies when all ranks of the generation have voted; whatever
ends a piece of work before, it says `state_step` and `reduced` as the real engine would.

The digest of the whole weights is gathered within the team after the step. A mate that is lost then
costs the digest, not the step; the next join gathers it, and tells the step again with it.

States of a piece of work: queued -> in hand, at one of `STAGES` -> its event.
"""

from collections import deque
from collections.abc import Callable
from hashlib import sha256

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from qmpi.errors import CorruptData, ExitCode, InvariantError, StorageError
from qmpi.policy.teams import whole_digest
from qmpi.ports.base import Event, Reply, WorkCrashed
from qmpi.ports.copies import SnapshotBroken, SnapshotTaken
from qmpi.ports.engine import (
    Condemned,
    EngineAborted,
    EngineReady,
    EngineWork,
    GroupJoined,
    JoinGroup,
    PrepareEngine,
    RunStep,
    StepApplied,
    TakeSnapshot,
)
from qmpi.simulator.agenda import Action
from qmpi.simulator.files import Writing
from qmpi.simulator.hardware import spread
from qmpi.simulator.life import Life
from qmpi.simulator.line import Contribution, Lines, Meeting, Values, Wait
from qmpi.simulator.seating import Seating
from qmpi.simulator.stream_model import State, Sum, first_weights, next_weights, sum_of
from qmpi.simulator.surroundings import Surroundings
from qmpi.units import Digest, Generation, Rank, Step

STAGES = (
    "queued",
    "connecting",
    "syncing",
    "computing",
    "reducing",
    "voting",
    "applying",
    "gathering",
    "copying",
)
"""Points of the work at which faults may strike."""


class Task(Struct, frozen=True):
    """A piece of work."""

    work: EngineWork
    condemned: Condemned
    reply: Reply


class Held(Struct, frozen=True):
    """A reduced gradient at hand."""

    step: int
    sum: Sum
    digest_due: bool
    began: float


class SimulatedEngine:
    """The engine of one process.

    Invariants: at most one piece of work is in hand; `held` is of `state.step`; nothing that was
    planned for a piece of work happens after its event.
    """

    def __init__(
        self, around: Surroundings, life: Life, rank: Rank, host: str, lines: Lines
    ) -> None:
        """Make an engine without state.

        Args:
            around: machine, files, chance.
            life: of its process.
            rank: of its process.
            host: its machine.
            lines: of the job.
        """
        self._around = around
        self._life = life
        self._rank = rank
        self._host = host
        self._lines = lines
        self._size = around.settings.team.size
        self._queue: deque[Task] = deque()
        self._task: Task | None = None
        self._warm = False
        self._seating: Seating | None = None
        self._wait: Wait | None = None
        self._finished: StepApplied | None = None
        # A step whose digest was due and could not be gathered yet.
        self._owed: StepApplied | None = None
        self._fault: WorkCrashed | None = None
        self.state: State | None = None
        self.held: Held | None = None

    # --- the port ---------------------------------------------------------------------------------

    def submit(self, work: EngineWork, condemned: Condemned, reply: Reply) -> None:
        """Queue a piece of work.

        Args:
            work: what to do.
            condemned: says why this very piece shall end early, or None.
            reply: takes its event.
        """
        self._queue.append(Task(work, condemned, reply))
        if self._task is not None:
            self._stage("queued")
        self._next()

    def nudge(self) -> None:
        """Let work that only waits look at `condemned` soon."""
        task = self._task
        if task is not None and self._wait is not None:
            poll = self._around.hardware.compute.poll_seconds * self._around.chance.random()
            self._then(poll, self._look)

    # --- what happens to it -----------------------------------------------------------------------

    def die(self) -> None:
        """The process is gone."""
        if self._seating is not None:
            self._seating.die()

    def cut(self) -> None:
        """Break the lines that this rank sits on, though all live."""
        if self._seating is not None:
            self._seating.cut()

    def crash(self, reason: str, code: ExitCode) -> None:
        """Let the work in hand raise an error, or else the next.

        Args:
            reason: of the error.
            code: whose fault it is.
        """
        self._fault = WorkCrashed("RuntimeError", reason, int(code))
        if self._task is not None:
            self._fail()

    # --- one piece of work at a time --------------------------------------------------------------

    def _next(self) -> None:
        if self._task is not None or not self._queue:
            return
        self._task = task = self._queue.popleft()
        if self._fault is not None:
            self._fail()
            return
        match task.work:
            case PrepareEngine():
                warm = self._around.hardware.compute.warm_seconds
                self._then(0.001 if self._warm else self._spread(warm), self._prepared)
            case TakeSnapshot() as work:
                self._copy(work)
            case JoinGroup() as work:
                self._then(self._spread(0.01), lambda: self._join(work))
            case RunStep() as work:
                self._begin(work)
            case _:
                raise InvariantError(f"rank {self._rank}: {task.work!r} is no engine work")

    def _spread(self, seconds: float) -> float:
        return spread(seconds, self._around.chance)

    def _then(self, delay: float, action: Action) -> None:
        """Go on with the piece of work in hand; nothing happens if it has ended by then."""
        task = self._task
        self._life.later(delay, lambda: action() if self._task is task else None)

    def _stage(self, stage: str) -> None:
        self._around.onlooker.staged(self._rank, stage)

    def _finish(self, event: Event) -> None:
        task, self._task, self._wait, self._finished = self._task, None, None, None
        if task is None:
            raise InvariantError(f"rank {self._rank}: {event!r} without work")
        task.reply(event)
        self._next()

    def _fail(self) -> None:
        fault, self._fault = self._fault, None
        if fault is not None:
            self._crashed(fault)

    def _crashed(self, fault: WorkCrashed) -> None:
        if self._seating is not None:
            self._seating.leave()
        self._finish(fault)

    def _bug(self, text: str) -> None:
        self._crashed(WorkCrashed("InvariantError", text, int(ExitCode.BUG)))

    def _give_up(self, reason: str) -> None:
        if self._seating is not None:
            self._seating.leave()
        state = self.state
        self._finish(
            EngineAborted(
                generation=self._generation(),
                state_step=state.step if state is not None else -1,
                reduced=self.held is not None,
                reason=reason,
                finished=self._finished,
                position=state.position if state is not None else 0,
            )
        )

    def _generation(self) -> Generation:
        work = self._task.work if self._task is not None else None
        if not isinstance(work, JoinGroup | RunStep):
            raise InvariantError(f"rank {self._rank}: {work!r} belongs to no generation")
        return work.generation

    def _reason(self) -> str | None:
        return self._task.condemned() if self._task is not None else None

    def _look(self) -> None:
        reason, wait = self._reason(), self._wait
        if reason is not None and wait is not None and wait.open:
            wait.open = False
            wait.broken(reason)

    def _meet(
        self,
        axis: str,
        name: str,
        value: Contribution,
        done: Callable[[Meeting], None],
        otherwise: Callable[[str], None],
    ) -> None:
        """Enter a collective of a line; `otherwise` runs if it breaks or an abort ends it."""
        reason = self._reason()
        if reason is not None:
            otherwise(reason)
            return
        self._wait = wait = Wait(name, self._then, done, otherwise)
        self._seat().enter(axis, value, wait)

    def _seat(self) -> Seating:
        if self._seating is None:
            raise InvariantError(f"rank {self._rank} is in no group")
        return self._seating

    # --- join -------------------------------------------------------------------------------------

    def _prepared(self) -> None:
        self._warm = True
        address = f"{self._host}:{20000 + self._rank}"
        self._finish(EngineReady("simulated", address, self._around.files.find(self._host)))

    def _join(self, work: JoinGroup) -> None:
        reason = self._reason()
        if reason is not None:
            self._give_up(reason)
            return
        if self._seating is not None:
            self._seating.leave()
            self._seating = None
        if work.finish and self.held is None:
            self._bug(f"rank {self._rank} holds no gradient to apply")
            return
        if work.finish:
            self._finished = self._apply(work.generation)
        try:
            self._reach(work)
        except StorageError as error:
            self._finish(WorkCrashed(type(error).__name__, str(error), int(ExitCode.MACHINE)))
            return
        self._seating = Seating(self._lines, work, self._size)
        self._stage("connecting")
        self._time_out()
        self._meet("data", "join", (), lambda _: self._connected(work), self._give_up)

    def _connected(self, work: JoinGroup) -> None:
        if self._size == 1:
            self._linked(work)
            return
        self._meet("team", "join", (), lambda _: self._linked(work), self._give_up)

    def _time_out(self) -> None:
        def late() -> None:
            wait = self._wait
            if wait is not None and wait.open and wait.name == "join":
                wait.open = False
                self._give_up("the rendezvous took too long")

        self._then(self._around.hardware.compute.join_seconds, late)

    def _reach(self, work: JoinGroup) -> None:
        if work.origin == "live" or (work.origin != "initial" and work.team != work.root):
            return
        if work.origin == "initial":
            seed = self._around.settings.job.seed
            weights = first_weights(seed, work.position, self._size)
            self._hold(work.generation, State(0, work.position, weights))
            return
        payload = self._around.files.read(work.origin, self._host)
        if sha256(payload).hexdigest() != work.origin_digest:
            raise CorruptData(f"{work.origin} is not the snapshot {work.origin_digest}")
        self._hold(work.generation, msgspec.msgpack.decode(payload, type=State))

    def _linked(self, work: JoinGroup) -> None:
        if not work.transfer:
            self._gather_joined(work)
            return
        self._stage("syncing")
        # A broadcast wants everybody; the value travels as hexadecimal text.
        mine = self.state
        value = ((mine.step, mine.weights.hex()),) if mine and work.team == work.root else ()
        self._meet("data", "sync", value, lambda m: self._synced(work, m.values), self._give_up)

    def _synced(self, work: JoinGroup, values: Values) -> None:
        brought = values[work.root]
        if work.receives and brought:
            step, weights = brought[0]
            self._hold(work.generation, State(step, work.position, bytes.fromhex(weights)))
        hardware = self._around.hardware
        seconds = hardware.compute.state_bytes / hardware.link.bytes_per_second
        self._then(seconds, lambda: self._gather_joined(work))

    def _gather_joined(self, work: JoinGroup) -> None:
        state = self.state
        if state is None or state.step != work.step or state.position != work.position:
            self._bug(
                f"generation {work.generation} seats rank {self._rank} at position "
                f"{work.position} before step {work.step}, but it holds {state}"
            )
            return
        if self._size == 1:
            self._joined(work, "")
            return
        self._gather(f"digest {state.step}", lambda d: self._joined(work, d), self._give_up)

    def _joined(self, work: JoinGroup, digest: str) -> None:
        finished, owed = self._finished, self._owed
        self._owed = None
        if owed is not None and owed.step + 1 == work.step:
            finished = replace(owed, weight_digest=Digest(digest))
        self._finish(GroupJoined(work.generation, work.step, finished, work.position))

    # --- steps ------------------------------------------------------------------------------------

    def _begin(self, work: RunStep) -> None:
        reason = self._reason()
        if reason is not None:
            self._give_up(reason)
            return
        self.held = None
        if self.state is None or work.step != self.state.step:
            self._bug(f"step {work.step} was granted to rank {self._rank}, which has {self.state}")
            return
        self._stage("computing")
        self._compute(work, 0, self._around.agenda.now)

    def _compute(self, work: RunStep, number: int, began: float) -> None:
        reason = self._reason()
        if reason is not None:
            self._give_up(reason)
        elif number < len(work.lanes):
            seconds = self._spread(self._around.hardware.compute.lane_seconds)
            self._then(seconds, lambda: self._lane(work, number, began))
        else:
            pairs = tuple(zip(work.lanes, work.digests, strict=True))
            self._stage("reducing")
            self._meet(
                "data",
                f"reduce {work.step}",
                pairs,
                lambda meeting: self._reduced(work, meeting, began),
                self._give_up,
            )

    def _lane(self, work: RunStep, number: int, began: float) -> None:
        if self._size == 1:
            self._compute(work, number + 1, began)
            return
        mine = ((work.lanes[number], work.digests[number]),)

        def computed(meeting: Meeting) -> None:
            if any(theirs != mine for theirs in meeting.values.values()):
                self._bug(f"a team computed step {work.step} on the blocks {meeting.values}")
                return
            self._compute(work, number + 1, began)

        name = f"lane {work.step}.{work.lanes[number]}"
        self._meet("team", name, mine, computed, self._give_up)

    def _reduced(self, work: RunStep, meeting: Meeting, began: float) -> None:
        def add(values: Values) -> Sum:
            pairs = sorted(pair for value in values.values() for pair in value)
            if [lane for lane, _ in pairs] != list(range(self._around.settings.train.lanes)):
                raise InvariantError(f"step {work.step} was computed on the lanes {pairs}")
            return sum_of(work.step, [Digest(digest) for _, digest in pairs])

        self.held = Held(work.step, meeting.sum(add), work.digest_due, began)
        # Unpacking takes a moment: who dies in it holds back the vote of all.
        self._then(0.004 * self._around.chance.random(), lambda: self._vote(work))

    def _vote(self, work: RunStep) -> None:
        self._stage("voting")
        self._meet("all", f"vote {work.step}", (), lambda _: self._voted(work), self._give_up)

    def _voted(self, work: RunStep) -> None:
        applied = self._apply(work.generation)
        self._wait = None
        self._stage("applying")
        seconds = self._spread(self._around.hardware.compute.apply_seconds)
        self._then(seconds, lambda: self._applied(work, applied))

    def _applied(self, work: RunStep, applied: StepApplied) -> None:
        if not work.digest_due or self._size == 1:
            self._finish(applied)
            return
        self._stage("gathering")

        def alone(reason: str) -> None:
            del reason
            self._seat().leave()
            self._finish(applied)

        def whole(digest: str) -> None:
            self._owed = None
            self._finish(replace(applied, weight_digest=Digest(digest)))

        self._gather(f"digest {work.step + 1}", whole, alone)

    def _gather(
        self, name: str, done: Callable[[str], None], otherwise: Callable[[str], None]
    ) -> None:
        state = self.state
        mine = ((state.position, state.weights.hex()),) if state is not None else ()

        def gathered(meeting: Meeting) -> None:
            parts = [meeting.values[position][0][1] for position in range(self._size)]
            done(whole_digest([Digest(part) for part in parts]))

        self._meet("team", name, mine, gathered, otherwise)

    def _apply(self, generation: Generation) -> StepApplied:
        held, state = self.held, self.state
        if held is None or state is None or held.step != state.step:
            raise InvariantError(f"rank {self._rank} holds no gradient to apply")
        weights = next_weights(state.weights, held.sum.link, state.position, self._size)
        self._hold(generation, State(held.step + 1, state.position, weights))
        digest = weights.hex() if held.digest_due and self._size == 1 else ""
        applied = StepApplied(
            generation=generation,
            step=Step(held.step),
            lane_losses=held.sum.losses,
            block_digests=held.sum.digests,
            gradient_norm=1.0,
            learning_rate=0.001,
            weight_digest=Digest(digest),
            seconds=self._around.agenda.now - held.began,
            redone=0,
        )
        self._owed = applied if held.digest_due and self._size > 1 else None
        return applied

    def _hold(self, generation: Generation, state: State) -> None:
        self.held = None
        self.state = state
        self._around.onlooker.weights_changed(self._rank, generation, state)

    # --- copies -----------------------------------------------------------------------------------

    def _copy(self, work: TakeSnapshot) -> None:
        hardware = self._around.hardware
        self._stage("copying")
        seconds = (
            hardware.disk.open_seconds
            + hardware.compute.state_bytes / hardware.disk.ram_bytes_per_second
        )
        self._then(self._spread(seconds), lambda: self._finish(self._copied(work)))

    def _copied(self, work: TakeSnapshot) -> Event:
        state, files = self.state, self._around.files
        if state is None or state.step != work.step:
            position = state.position if state is not None else 0
            return SnapshotBroken(work.step, "the engine has moved on", position)
        payload = msgspec.msgpack.encode(state)
        writing = Writing(self._host, self._rank, work.step, state.position)
        size = self._around.hardware.compute.state_bytes
        faults: list[str] = []
        for place in ("ram", "disk") if work.to_disk else ("ram",):
            try:
                fact = files.write(place, writing, payload)
            except StorageError as error:
                faults.append(str(error))
                continue
            return SnapshotTaken(fact, size, "; ".join(faults))
        only_ram = "" if work.to_disk else "ram"
        return SnapshotBroken(work.step, "; ".join(faults), state.position, only_ram)
