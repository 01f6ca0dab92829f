"""The step engine: lanes, reduction, vote, update; consistent whatever ends it.

Theory of operation. Between calls the engine is in one of two conditions, and says in which: the
weights are those before `state_step`; and, if `holds_reduced`, the reduced gradient of that step is
at hand. A member votes only when it holds the reduced gradient, and applies only when all have
voted. So after a failure either every survivor can finish the step (`apply_held`), or none has
applied it and all do it again to the same bits.

A step whose gradient is not finite changes nothing but the counters, on all members alike, and
reports the norm `UNDEFINED`; after `MAX_SKIPPED` of them in a row the run has diverged and stops.

The engine belongs to the thread that made it: torch keeps its number of threads by thread.
"""

import math
from collections.abc import Callable, Sequence
from hashlib import sha256

import torch

from qmpi.config.schedule import learning_rate
from qmpi.config.settings import Settings
from qmpi.errors import InvariantError, PeerLost, UserError
from qmpi.model.initial import initial_value
from qmpi.model.layer import choose_kernels, make_layers
from qmpi.model.transformer import Transformer
from qmpi.protocol.hyperparameters import Hyperparameters
from qmpi.protocol.progress import MAX_SKIPPED
from qmpi.training.balance import Balance
from qmpi.training.comm import Aborted, Comm, pieces
from qmpi.training.compiler import InTurn, Prepared, Preparer, at_once
from qmpi.training.evaluation import Evaluator
from qmpi.training.flat_state import FlatState, state_layout
from qmpi.training.lanes import Block, LaneRunner
from qmpi.training.optimizer import Optimizer, clip
from qmpi.training.outcome import Held, StepOutcome, finite
from qmpi.training.precision import choose_device, choose_precision, machine_identity
from qmpi.training.pretrained import load_weights
from qmpi.training.profiler import Profiler
from qmpi.training.reduction.kinds import make_sum
from qmpi.training.speed import peak
from qmpi.training.stopwatch import make_stopwatch
from qmpi.training.tallies import Tallies
from qmpi.training.weights import Weights
from qmpi.units import Digest, Step

MAX_PASSES = 4
"""Equal data overflow once; more passes mean that a lane does not compute the same bits twice."""

EVALUATED_LOGITS = 1 << 22
"""Logits that an evaluation computes at a time, beside all that training keeps: 16 MiB of them."""


class Engine:
    """Model, state and arithmetic of one trainer."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float],
        aborted: Aborted,
        device_number: int = 0,
        in_turn: InTurn = at_once,
    ) -> None:
        """Lay the state out; there is none yet.

        Args:
            settings: the job.
            clock: seconds; used for step times only.
            aborted: says why the work in hand shall end, or None.
            device_number: which of the host's GPUs, as `choose_device` takes it.
            in_turn: lets one process of a host compile at a time.
        """
        self._settings, self._clock, self._aborted = settings, clock, aborted
        torch.set_num_threads(settings.train.threads)
        self._device = choose_device(settings.train, device_number)
        self._precision = choose_precision(settings.train, self._device)
        # Filling fresh memory costs time and only hides kernels that read what nobody wrote.
        deterministic = torch.utils.deterministic
        deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
        # What `torch.use_deterministic_algorithms` does, less its import of torch's compiler: that
        # takes seconds of each rank's start. The compiler is told by its own options.
        refuse = torch._C._set_deterministic_algorithms  # noqa: SLF001
        refuse(True, warn_only=self._device.type != "cpu")  # noqa: FBT003
        layout = state_layout(settings)
        self._state = FlatState(layout, self._device)
        self._gradient = torch.zeros(layout.total, device=self._device)
        train = settings.train
        self._tallies = Tallies(settings.model, self._device)
        self._balance = Balance(settings, self._state, self._tallies)
        size = self._tallies.size
        self._sum = make_sum(train.reduction, layout, train.lanes, self._device, size)
        self._watch = make_stopwatch(self._device, clock)
        self._weights = Weights(settings.model, self._state, self._precision, self._tallies)
        self._fused = choose_kernels(self._device, train.sequence_tokens, compiled=False)
        self._runner = LaneRunner(settings, self._weights, self._fused, self._watch)
        self._optimizer = Optimizer(layout, self._device, self._precision)
        self._preparer = Preparer(settings, self._device, in_turn)
        self._prepared: Prepared | None = None
        self._own = Hyperparameters(Step(0), train.steps, settings.optimizer)
        self._held: Held | None = None
        self._evaluator: Evaluator | None = None
        self._comm: Comm | None = None
        self._graveyard: list[Comm] = []

    @property
    def state_step(self) -> int:
        """Weights are those before this step; -1: no state."""
        return self._state.step

    @property
    def holds_reduced(self) -> bool:
        """Whether the reduced gradient of `state_step` is at hand."""
        return self._held is not None

    @property
    def skipped(self) -> int:
        """Steps skipped in a row, up to now."""
        return self._state.skipped

    def identity(self) -> str:
        """Return what the bits of a lane depend on; members of a group must agree."""
        train = self._settings.train
        name = str(self._precision).removeprefix("torch.")
        return (
            f"torch {torch.__version__}; {machine_identity(self._device)}; "
            f"{train.threads} threads; {name}; {self._ready().mode}; "
            f"{train.reduction} sum of {train.lanes} lanes; {self._optimizer.identity()}"
        )

    def peak(self, clock: Callable[[], float]) -> float:
        """Measure the FLOP/s that matrix products reach here at most; takes a tenth of a second.

        Args:
            clock: seconds of the calling thread's own time.

        Returns:
            FLOP/s, in the type that matrices are multiplied in.
        """
        on_device = self._device.type == "cuda"
        return peak(self._precision, self._device, self._clock if on_device else clock)

    def profiler(self) -> Profiler:
        """Return what records the work of this engine, not begun."""
        return Profiler(self._device)

    def evaluator(self) -> Evaluator:
        """Return what measures the weights as they are whenever it is asked; it changes none."""
        if self._evaluator is None:
            # Views of the state: the model takes no memory, and is never out of date.
            with torch.device("meta"):
                model = Transformer(self._settings.model)
            views = {slot.name: self._state.view(slot) for slot in self._state.layout.slots}
            model.load_state_dict(views, assign=True)
            model = model.requires_grad_(requires_grad=False).eval()
            tokens = self._settings.train.sequence_tokens
            self._evaluator = Evaluator(model, tokens, EVALUATED_LOGITS)
        return self._evaluator

    def warm_up(self) -> None:
        """Compile, or else load lazily loaded parts of torch; changes no state."""
        self._ready()
        self._optimizer.warm_up()

    def initialise(self) -> None:
        """Take the initial weights, the job's or those of its seed: the state before step 0.

        Raises:
            InputError: the job's are not there, or are others than it names.
            StorageError: they cannot be read.
        """
        self._held = None
        self._state.reset()
        settings = self._settings
        if settings.initial.weights:
            load_weights(self._state, settings.initial, settings.model)
            return
        for slot in self._state.layout.slots:
            view = self._state.view(slot)
            initial_value(slot.name, view, settings.model, settings.job.seed)

    def join(self, comm: Comm) -> None:
        """Compute with a group from now on.

        Args:
            comm: connected; the engine owns it.
        """
        self.leave()
        self._comm = comm

    def leave(self) -> None:
        """Leave the group; what a dead peer left stuck in it is kept until it has ended."""
        if self._comm is not None:
            self._graveyard.append(self._comm)
            self._comm = None
        # Dropping a stuck group joins its threads, which blocks until its time-out.
        self._graveyard = [comm for comm in self._graveyard if comm.stuck]

    def sync_state(self, root: int, *, receives: bool) -> None:
        """Give the root's state to those that need it; every member of the line calls this.

        A member that is cut off keeps what it had.

        Args:
            root: index of the member whose state counts.
            receives: this member takes it.
        """
        comm = self._group()
        if comm.index == root:
            comm.broadcast(self._state.buffer, root)
        elif receives:
            staging = torch.empty_like(self._state.buffer)
            comm.broadcast(staging, root)
            self._held = None
            self._state.take(staging)
        else:
            # A broadcast wants everybody; those who need nothing throw it away piece by piece.
            for piece in pieces(self._state.buffer):
                comm.broadcast(torch.empty_like(piece), root)

    def snapshot(self) -> tuple[Digest, list[memoryview]]:
        """Return the state, without a copy.

        Returns:
            SHA-256 of the payload, and its parts; valid until the engine's next call.
        """
        parts = self._state.to_parts()
        digest = sha256()
        for part in parts:
            digest.update(part)
        return Digest(digest.hexdigest()), parts

    def load_snapshot(self, step: int, payload: Block) -> None:
        """Take over a snapshot.

        Args:
            step: that its state must be before.
            payload: joined parts of `snapshot`.

        Raises:
            InvariantError: it is of another step.
        """
        self._held = None
        self._state.load(payload)
        if self._state.step != step:
            found = self._state.step
            self._state.forget()
            raise InvariantError(f"a snapshot named step {step} holds the state of step {found}")

    def run_step(
        self,
        step: int,
        lanes: Sequence[int],
        blocks: Sequence[Block],
        digests: Sequence[str],
        *,
        digest_due: bool,
        hyperparameters: Hyperparameters | None = None,
    ) -> StepOutcome:
        """Compute the lanes, reduce, vote, apply.

        Args:
            step: must be `state_step`.
            lanes: lanes of this member.
            blocks: a block for each.
            digests: their BLAKE2b-128, 32 hex digits.
            digest_due: compute the weight digest.
            hyperparameters: what the step is trained with; None: what the job says.

        Returns:
            The outcome.

        Raises:
            InvariantError: the state is of another step.
        """
        if step != self._state.step:
            raise InvariantError(f"step {step} was granted to weights before {self._state.step}")
        started = self._clock()
        self._watch.begin()
        self._held = None
        given = hyperparameters or self._own
        redone = self._reduced(list(zip(lanes, blocks, digests, strict=True)))
        norm = self._prepare(given)
        self._held = Held(step, norm, redone, digest_due, started, given)
        self._group().vote()
        self._watch.lap("communication")
        return self.apply_held()

    def apply_held(self) -> StepOutcome:
        """Apply the reduced gradient at hand.

        Returns:
            The outcome.

        Raises:
            InvariantError: there is none.
            UserError: the run has diverged.
        """
        # After a failure, what lies between is its time, not the step's.
        self._watch.resume()
        held = self._held
        if held is None:
            raise InvariantError(f"no reduced gradient of step {self._state.step} is held")
        self._held = None
        given, state, watch = held.hyperparameters, self._state, self._watch
        rate = learning_rate(given.optimizer, held.step, given.steps, given.onset)
        if math.isfinite(held.norm):
            self._optimizer.apply(state, self._gradient, given.optimizer, rate)
            self._balance.move(held.step, given, rate)
            watch.lap("optimizer")
            self._sum.settle(state)
            state.set_counters(held.step + 1, state.updates + 1, 0)
        else:
            self._skip(held.step)
        facts = self._sum.tail.facts()
        watch.lap("sweep")
        digest = state.digest() if held.digest_due else ""
        watch.lap("digest")
        return StepOutcome(
            step=held.step,
            lane_losses=tuple(map(finite, facts.losses)),
            block_digests=facts.digests,
            gradient_norm=finite(held.norm),
            learning_rate=rate,
            weight_digest=digest,
            seconds=self._clock() - held.started,
            redone=held.redone,
            times=watch.times(),
            updates=state.updates,
            experts=self._balance.told(),
        )

    def _reduced(self, work: list[tuple[int, Block, str]]) -> int:
        comm, layers, watch = self._group(), self._ready().layers, self._watch
        self._weights.refresh()
        self._sum.begin_step(self._state)
        for redone in range(MAX_PASSES):
            self._runner.clear()
            self._sum.begin_pass()
            watch.lap("sweep")
            for lane, block, digest in work:
                loss = self._runner.run(layers, block, self._sum, self._aborted)
                self._sum.end_lane(lane, loss, digest)
                watch.lap("sweep")
            try:
                self._sum.reduce(comm)
            except PeerLost:
                self._sum.renew()
                raise
            watch.lap("communication")
            if not self._sum.overflowed():
                return redone
        raise InvariantError(
            f"step {self._state.step} overflowed {MAX_PASSES} times; "
            "a lane gives other bits each time"
        )

    def _prepare(self, given: Hyperparameters) -> float:
        """Make the update of the reduced gradient, with the others.

        Returns:
            The gradient's norm before clipping; not finite: there is no update.
        """
        self._balance.hold(None)
        if self._sum.broken():
            return math.inf
        self._sum.unpack(self._gradient)
        self._watch.lap("sweep")
        norm = clip(self._gradient, given.optimizer.clip_norm)
        if math.isfinite(norm):
            self._balance.hold(self._sum.counts)
            self._optimizer.prepare(self._state, self._gradient, given.optimizer, self._group())
        self._watch.lap("optimizer")
        return norm

    def _ready(self) -> Prepared:
        if self._prepared is None:
            model, train = self._settings.model, self._settings.train
            plain = choose_kernels(self._device, train.sequence_tokens, compiled=True)
            self._prepared = self._preparer.prepare(
                eager=make_layers(model, train.sequences, self._fused, train.microbatches),
                plain=make_layers(model, train.sequences, plain, train.microbatches),
                rehearse=self._runner.rehearse,
            )
        return self._prepared

    def _skip(self, step: int) -> None:
        state = self._state
        state.set_counters(step + 1, state.updates, state.skipped + 1)
        if state.skipped >= MAX_SKIPPED:
            raise UserError(
                f"the gradient was not finite in {MAX_SKIPPED} steps in a row, up to step {step}: "
                "the run has diverged at this learning rate"
            )

    def _group(self) -> Comm:
        if self._comm is None:
            raise InvariantError("the engine works without having joined a group")
        return self._comm
