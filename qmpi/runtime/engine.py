"""Engine port: torch work of a trainer or spare, on one thread, in the order asked.

Theory of operation. Each piece of work comes with a word on whether it is condemned. The engine and
its communication are made once and ask `_condemned`, which asks the word of the work in hand; both
run on this thread, so the word in hand is always the right one. Waits look at it every few
milliseconds, so `nudge` has nothing to do.

Work that is condemned before it is picked up changes nothing. Whatever ends a join or a step early
is answered by what is held then; any other error is a crash, and the next work still runs.
"""

import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.settings import Settings
from qmpi.errors import InvariantError, NoConnection, OutOfMemory, PeerLost
from qmpi.policy.stream import block_bytes
from qmpi.ports.base import Event, Frame, Reply
from qmpi.ports.data import Block
from qmpi.ports.engine import (
    Condemned,
    EngineAborted,
    EngineReady,
    EngineWork,
    Evaluate,
    Evaluated,
    GiveMoments,
    GroupJoined,
    JoinGroup,
    PrepareEngine,
    ProfileSteps,
    RunStep,
    StepApplied,
    TakeSnapshot,
)
from qmpi.protocol.portions import Portions
from qmpi.protocol.teams import Layout
from qmpi.protocol.token_kinds import NO_KINDS, TokenKinds
from qmpi.runtime.compile_cache import CompileCache
from qmpi.runtime.copy_files import CopyFiles
from qmpi.runtime.engine_copies import EngineCopies
from qmpi.runtime.engine_evaluations import EngineEvaluations, MakePaper
from qmpi.runtime.engine_lines import connect
from qmpi.runtime.engine_profiles import EngineProfiles
from qmpi.runtime.worker import Task, Worker
from qmpi.storage.trace_file import TraceFolder
from qmpi.training.out_of_memory import with_memory_told
from qmpi.units import Digest, Generation, Seconds, Step

if TYPE_CHECKING:
    from qmpi.training.comm.line import Comm
    from qmpi.training.comm.store import Store
    from qmpi.training.engine import Engine
    from qmpi.training.outcome import StepOutcome
    from qmpi.training.parallel.team import TeamLines

logger = logging.getLogger(__name__)


class Means(Struct, frozen=True):
    """What an engine computes with, besides torch.

    Attributes:
        cache: of compiled code.
        device_number: which of the host's GPUs this rank computes on.
        paper: makes what evaluations ask; None: nothing can be evaluated.
        kinds: finds ids that are more than text; asked when the engine is prepared.
            None is found where documents see one another.
    """

    cache: CompileCache
    device_number: int = 0
    paper: MakePaper | None = None
    kinds: Callable[[], TokenKinds] = lambda: NO_KINDS


class Probes(Struct, frozen=True):
    """What an engine is measured with.

    Attributes:
        thread_clock: seconds that the calling thread has run, for the peak of matrix products;
            None: it is not measured.
        traces: where profiles are written; None: nowhere.
    """

    thread_clock: Callable[[], float] | None = None
    traces: TraceFolder | None = None


NO_PROBES = Probes()


class TorchEngine:
    """The engine of one process; a promoted spare keeps it."""

    def __init__(
        self,
        settings: Settings,
        find_host: Callable[[], str],
        now: Callable[[], float],
        files: CopyFiles,
        means: Means,
        probes: Probes = NO_PROBES,
    ) -> None:
        """Load nothing yet.

        Args:
            settings: the job.
            find_host: returns the address under which other ranks reach this host; asked when the
                engine is prepared.
            now: seconds; used for step times only.
            files: snapshots within reach.
            means: what it computes with.
            probes: what it is measured with.
        """
        self._settings = settings
        self._means = means
        self._layout = Layout.of(settings.parallel)
        self._is_shared = settings.parallel.shares_moments
        self._find_host = find_host
        self._now = now
        self._files = files
        self._thread_clock = probes.thread_clock
        self._worker = Worker("engine")
        self._profiles = EngineProfiles(probes.traces)
        self._evaluations = EngineEvaluations(means.paper, now, self._leave_if_condemned)
        self._copies = EngineCopies(files, now, self._leave_if_condemned)
        self._in_hand: Condemned = _nobody
        self._position = 0
        self._engine: Engine | None = None
        self._store: Store | None = None
        self._address = ""
        self._identity = ""
        self._peak = 0.0
        self._owed: StepApplied | None = None

    def submit(self, work: EngineWork, condemned: Condemned, reply: Reply) -> None:
        """Queue a piece of work.

        Args:
            work: what to do.
            condemned: says why this very piece shall end early, or None.
            reply: takes its event.
        """
        self._worker.submit(Task(lambda: self._do(work, condemned, reply), reply))

    def nudge(self) -> None:
        """Do nothing: waits look at `condemned` by themselves."""

    def settle(self, patience: Seconds) -> bool:
        """Wait until the traces of profiles that have ended are written.

        Args:
            patience: seconds after which they are left unwritten.

        Returns:
            True if they are.
        """
        return self._profiles.settle(patience)

    def _do(self, work: EngineWork, condemned: Condemned, reply: Reply) -> Event | None:
        self._in_hand = condemned
        # Steps tell of it themselves; this is for all else, such as a state that is received.
        name = type(work).__name__
        return with_memory_told(self._settings.train, name, lambda: self._done(work, reply))

    def _done(self, work: EngineWork, reply: Reply) -> Event | None:
        match work:
            case PrepareEngine():
                return self._prepare()
            case JoinGroup():
                return self._join(work)
            case RunStep():
                return self._run(work)
            case TakeSnapshot():
                return self._copies.take(work, self._engine, self._position)
            case GiveMoments():
                return self._copies.give(work, self._ready())
            case Evaluate():
                return self._evaluate(work)
            case ProfileSteps():
                self._profiles.begin(work, self._ready().profiler(), reply)
                return None
            case _:
                raise InvariantError(f"no engine knows {work!r}")

    def _condemned(self) -> str | None:
        return self._in_hand()

    def _prepare(self) -> EngineReady:
        if self._engine is None:
            from qmpi.training.comm.store import open_store
            from qmpi.training.engine import Engine

            means = self._means
            engine = Engine(
                self._settings,
                self._now,
                self._condemned,
                means.device_number,
                means.cache.in_turn,
                means.kinds(),
            )
            self._store, self._address = open_store(self._find_host())
            # Before the identity: that says whether compiling has succeeded.
            engine.warm_up()
            self._identity = engine.identity()
            if self._thread_clock is not None:
                self._peak = engine.peak(self._thread_clock)
            self._engine = engine
        return EngineReady(self._identity, self._address, self._files.find(), self._peak)

    def _join(self, work: JoinGroup) -> GroupJoined | EngineAborted:
        engine = self._ready()
        finished = None
        if self._settings.evaluation.every_steps:
            self._evaluations.prepare()
        try:
            self._leave_if_condemned()
            engine.leave()
            if work.finish and (outcome := engine.apply_held()) is not None:
                finished = self._applied(work.generation, outcome)
            engine.seat(work.position)
            self._reach(engine, work)
            engine.join(*self._connect(work))
            if self._is_shared:
                for outcome in engine.dealt(
                    work.root, receives=work.receives, is_needed=work.transfer
                ):
                    finished = self._applied(work.generation, outcome)
            elif work.transfer:
                engine.sync_state(work.root, receives=work.receives)
            self._position = work.position if work.receives else self._position
            if engine.state_step == work.step:
                engine.deal_lanes(work.lanes)
            finished = self._told_again(engine, work) or finished
        except PeerLost as error:
            return self._aborted(engine, work.generation, str(error), finished)
        except NoConnection as error:
            told = self._aborted(engine, work.generation, str(error), finished)
            return replace(told, own_fault=True)
        if engine.state_step != work.step:
            raise InvariantError(
                f"generation {work.generation} starts with step {work.step}, "
                f"but this member holds step {engine.state_step}"
            )
        self._position = work.position
        return GroupJoined(
            work.generation,
            work.step,
            finished,
            work.position,
            engine.portions,
            engine.kept_lanes,
        )

    def _run(self, work: RunStep) -> StepApplied | EngineAborted:
        engine = self._ready()
        try:
            self._leave_if_condemned()
            with self._profiles.step(work.step):
                outcome = engine.run_step(
                    work.step,
                    work.lanes,
                    [self._ids_of(block) for block in work.blocks],
                    work.digests,
                    sources=[block.sources for block in work.blocks],
                    digest_due=work.digest_due,
                    hyperparameters=work.hyperparameters,
                )
        except PeerLost as error:
            return self._aborted(engine, work.generation, str(error))
        except OutOfMemory as error:
            if engine.state_step != work.step:
                raise  # in the middle of the update: nothing is left to go on with
            told = self._aborted(engine, work.generation, str(error))
            return replace(told, out_of_memory=True)
        return self._applied(work.generation, outcome)

    def _ids_of(self, block: Block) -> Frame:
        if not block.codec:
            return block.frame
        from qmpi.storage.sent_block import ids_of  # loads numpy

        return ids_of(block.frame, block.codec, block.digest, block_bytes(self._settings))

    def _evaluate(self, work: Evaluate) -> Evaluated | EngineAborted:
        engine = self._ready()
        try:
            self._leave_if_condemned()
            if engine.state_step != work.step:
                found = engine.state_step
                raise InvariantError(f"weights before step {work.step} are measured at {found}")
            return self._evaluations.evaluate(work, engine.evaluator())
        except PeerLost as error:
            return self._aborted(engine, work.generation, str(error))

    def _ready(self) -> "Engine":
        if self._engine is None:
            raise InvariantError("engine work before PrepareEngine")
        return self._engine

    def _leave_if_condemned(self) -> None:
        reason = self._condemned()
        if reason is not None:
            raise PeerLost(f"told to leave: {reason}")

    def _reach(self, engine: "Engine", work: JoinGroup) -> None:
        is_root = work.team == work.root
        if work.origin == "initial":
            if is_root or not work.receives:
                engine.initialise(Portions(work.team, work.teams))
                self._position = work.position
        elif work.origin != "live" and is_root:
            engine.load_snapshot(work.step, self._files.payload(work.origin, work.origin_digest))
            self._position = work.position

    def _connect(self, work: JoinGroup) -> "tuple[Comm, TeamLines | None]":
        gpu = self._ready().at.gpu()
        host = socket.gethostname()
        return connect(self._layout, work, self._store, self._condemned, gpu, host)

    def _told_again(self, engine: "Engine", work: JoinGroup) -> StepApplied | None:
        """Return the step before, with the digest that it lacks: a team's is told by all of it."""
        if self._layout.size == 1:
            return None
        owed, self._owed = self._owed, None
        digest = engine.whole_digest()
        if owed is None or owed.step + 1 != engine.state_step or engine.state_step != work.step:
            return None
        return replace(owed, weight_digest=digest)

    def _applied(self, generation: Generation, outcome: "StepOutcome") -> StepApplied:
        # Seconds spent on snapshots since the last step: they held up the one that comes.
        copying = self._copies.seconds()
        told = StepApplied(
            generation=generation,
            step=Step(outcome.step),
            lane_losses=tuple(outcome.lane_losses),
            block_digests=tuple(Digest(digest) for digest in outcome.block_digests),
            gradient_norm=outcome.gradient_norm,
            learning_rate=outcome.learning_rate,
            weight_digest=Digest(outcome.weight_digest),
            seconds=outcome.seconds,
            redone=outcome.redone,
            times=replace(outcome.times, snapshot=copying),
            updates=outcome.updates,
            loss_scale=outcome.loss_scale,
            spike=outcome.spike,
            halts=outcome.halts,
            lane_square=outcome.lane_square,
            experts=outcome.experts,
            ahead_losses=outcome.ahead_losses,
            sources=outcome.sources,
        )
        self._owed = told if outcome.owes_digest else None
        return told

    def _aborted(
        self,
        engine: "Engine",
        generation: Generation,
        reason: str,
        finished: StepApplied | None = None,
    ) -> EngineAborted:
        return EngineAborted(
            generation,
            engine.state_step,
            engine.holds_reduced,
            reason,
            finished,
            self._position,
            portions=engine.portions,
            kept=engine.kept_lanes,
        )


def _nobody() -> None:
    """Return None: no work is in hand."""
    return
