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

import msgspec

from qmpi.errors import ExitCode, InvariantError, StorageError
from qmpi.ports.base import Event, Reply, WorkCrashed
from qmpi.ports.copies import SnapshotBroken, SnapshotTaken
from qmpi.ports.engine import (
    Condemned,
    CopyCutOff,
    EngineReady,
    EngineWork,
    Evaluate,
    GiveMoments,
    JoinGroup,
    MomentsGiven,
    PrepareEngine,
    ProfileSteps,
    ProfileWritten,
    RunStep,
    StepApplied,
    TakeSnapshot,
)
from qmpi.simulator.agenda import Action
from qmpi.simulator.bench import Task
from qmpi.simulator.evaluating import Evaluating
from qmpi.simulator.files import Writing
from qmpi.simulator.hardware import Hardware
from qmpi.simulator.joining import Joining
from qmpi.simulator.life import Life
from qmpi.simulator.line import Lines
from qmpi.simulator.stepping import Stepping
from qmpi.simulator.surroundings import Surroundings
from qmpi.units import Rank

STAGES = (
    "queued",
    "connecting",
    "syncing",
    "computing",
    "reducing",
    "voting",
    "applying",
    "exchanging",
    "gathering",
    "dealing",
    "copying",
    "evaluating",
)
"""Points of the work at which faults may strike."""


class SimulatedEngine(Joining, Stepping, Evaluating):
    """The engine of one process."""

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
        super().__init__(around, life, rank, host, lines)
        self._queue: deque[Task] = deque()
        self._warm = False
        self._fault: WorkCrashed | None = None
        self._profile: tuple[ProfileSteps, Reply] | None = None
        self._unrecorded = 0

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

    def exhaust(self, times: int) -> None:
        """Let the next steps find no memory.

        Args:
            times: how many attempts at one.
        """
        self._short_of_memory = times

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

    def _ended(self) -> None:
        self._next()

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
            case GiveMoments() as work:
                self._together(work, lambda: self._finish(MomentsGiven(work.step)))
            case JoinGroup() as work:
                self._then(self._spread(0.01), lambda: self._join(work))
            case RunStep() as work:
                self._begin(work)
            case Evaluate() as work:
                self._evaluate(work)
            case ProfileSteps() as work:
                self._record(work, task.reply)
            case _:
                raise InvariantError(f"rank {self._rank}: {task.work!r} is no engine work")

    def _finish(self, event: Event) -> None:
        super()._finish(event)
        if isinstance(event, StepApplied):
            self._unrecorded -= 1
            if self._unrecorded <= 0:
                self._end_profile("")

    def _record(self, work: ProfileSteps, reply: Reply) -> None:
        """Begin a profile; its event comes after the steps, other work before it."""
        self._end_profile("another profile was asked for")
        self._profile, self._unrecorded = (work, reply), work.steps
        self._task = None
        self._next()

    def _end_profile(self, fault: str) -> None:
        if self._profile is not None:
            (work, reply), self._profile = self._profile, None
            reply(ProfileWritten(work.name, "" if fault else f"simulated/{self._rank}", fault))

    def _fail(self) -> None:
        fault, self._fault = self._fault, None
        if fault is not None:
            self._crashed(fault)

    def _prepared(self) -> None:
        self._warm = True
        address = f"{self._host}:{20000 + self._rank}"
        self._finish(EngineReady("simulated", address, self._around.files.find(self._host)))

    def _copy(self, work: TakeSnapshot) -> None:
        hardware = self._around.hardware
        self._together(work, lambda: self._write(work, hardware))

    def _together(self, work: TakeSnapshot | GiveMoments, then: Action) -> None:
        """Wait for the line where nobody holds all, and go on."""
        self._stage("copying")
        if not work.generation or self._copies_alone:
            then()
            return

        def cut(reason: str) -> None:
            if self._seating is not None:
                self._seating.leave()
            self._finish(CopyCutOff(work.generation, work.step, reason))

        if self._seating is None or self.state is None or self.state.step != work.step:
            cut("the engine has moved on")
            return
        self._meet("data", f"copy {work.step}", (), lambda _: then(), cut)

    def _write(self, work: TakeSnapshot, hardware: Hardware) -> None:
        self._wait = None
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
        writing = Writing(
            self._host, self._rank, work.step, state.position, work.branch, state.skipped
        )
        size = self._around.hardware.compute.state_bytes
        faults: list[str] = []
        to_disk = work.to_disk or work.generation > 0
        for place in ("ram", "disk") if to_disk else ("ram",):
            try:
                fact = files.write(place, writing, payload)
            except StorageError as error:
                faults.append(str(error))
                continue
            return SnapshotTaken(fact, size, "; ".join(faults))
        only_ram = "" if to_disk else "ram"
        return SnapshotBroken(work.step, "; ".join(faults), state.position, only_ram)
