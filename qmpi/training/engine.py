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

import torch

from qmpi.config.loss_scale import LossScale
from qmpi.config.settings import Settings
from qmpi.errors import InvariantError
from qmpi.protocol.batch import lanes_at
from qmpi.protocol.hyperparameters import Hyperparameters, first_hyperparameters
from qmpi.protocol.spikes import Levels, judged
from qmpi.protocol.token_kinds import NO_KINDS, TokenKinds
from qmpi.training.comm.line import Comm
from qmpi.training.comm.waits import Aborted
from qmpi.training.compiler import InTurn, at_once
from qmpi.training.determinism import refuse_chance
from qmpi.training.evaluation import EVALUATED_LOGITS, Evaluator, model_over
from qmpi.training.holder import Holder
from qmpi.training.lanes import Block, LaneWork, Work
from qmpi.training.optimizer import clip
from qmpi.training.outcome import Held, StepOutcome
from qmpi.training.parallel.evaluation import TeamEvaluator
from qmpi.training.parallel.team import TeamLines
from qmpi.training.precision import choose_device, choose_precision, refuse_short_sums
from qmpi.training.profiler import Profiler
from qmpi.training.speed import peak
from qmpi.training.station import Means, Station, build_station


class Engine(Holder):
    """Model, state and arithmetic of one trainer; `at` is what it computes with."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float],
        aborted: Aborted,
        device_number: int = 0,
        in_turn: InTurn = at_once,
        kinds: TokenKinds = NO_KINDS,
    ) -> None:
        """Lay the state out; there is none yet.

        Args:
            settings: the job.
            clock: seconds; used for step times only.
            aborted: says why the work in hand shall end, or None.
            device_number: which of the host's GPUs, as `choose_device` takes it.
            in_turn: lets one process of a host compile at a time.
            kinds: ids that are more than text.
        """
        self._settings, self._clock, self._divider = settings, clock, kinds.divider
        torch.set_num_threads(settings.train.threads)
        self._device = choose_device(settings.train, device_number)
        self._precision = choose_precision(settings.train, self._device)
        refuse_chance(only_warn=self._device.type != "cpu")
        refuse_short_sums(self._precision)
        self._means = Means(self._device, self._precision, clock, aborted, in_turn, *kinds)
        self._own = first_hyperparameters(settings)
        self._evaluator: Evaluator | TeamEvaluator | None = None
        self._graveyard: list[Comm] = []
        self._position = 0
        super().__init__(settings, build_station(settings, 0, self._means))

    def seat(self, position: int) -> None:
        """Compute at a position of a team from now on; at another than before there is no state.

        Args:
            position: 0 <= position < team size.
        """
        if position != self._position:
            self._position, self._evaluator = position, None
            self._sit(build_station(self._settings, position, self._means))

    def _sit(self, at: Station) -> None:
        super()._sit(at)
        self._balance, self._sum, self._watch = at.balance, at.total, at.watch
        self._runner, self._passes, self._microbatches = at.runner, at.passes, at.microbatches
        self._weights, self._optimizer = at.weights, at.optimizer

    def identity(self) -> str:
        """Return what the bits of a lane depend on; members of a group must agree."""
        return self.at.identity()

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

    def evaluator(self) -> Evaluator | TeamEvaluator:
        """Return what measures the weights as they are whenever it is asked; it changes none."""
        if self._evaluator is None and not self._team.is_alone:
            self._evaluator = TeamEvaluator(self.at)
        elif self._evaluator is None:
            settings = self._settings
            model = model_over(settings.model, self._state, self._divider)
            length, answers = settings.train.sequence_tokens, self._means.answers
            self._evaluator = Evaluator(model, length, EVALUATED_LOGITS, answers)
        elif isinstance(self._evaluator, Evaluator) and self._state.layout.narrow:
            self._evaluator.take(self._state.wide_views())
        return self._evaluator

    def warm_up(self) -> None:
        """Compile, or else load lazily loaded parts of torch; changes no state."""
        self._microbatches.warm_up()
        self._optimizer.warm_up()

    def join(self, comm: Comm, within: TeamLines | None = None) -> None:
        """Compute with a group from now on.

        Args:
            comm: the ranks of this position in all teams, connected; the engine owns it.
            within: the lines within the team, likewise; None: a team is one rank.
        """
        self.leave()
        self._comm = comm
        self._team.meet(within)

    def leave(self) -> None:
        """Leave the group; what a dead peer left stuck in it is kept until it has ended."""
        if self._comm is not None:
            self._graveyard += [self._comm, *self._team.leave()]
            self._comm = None
        # Dropping a stuck group joins its threads, which blocks until its time-out.
        self._graveyard = [comm for comm in self._graveyard if comm.stuck]

    def run_step(  # noqa: PLR0913 - facts of the step, given by name
        self,
        step: int,
        lanes: Sequence[int],
        blocks: Sequence[Block],
        digests: Sequence[str],
        *,
        digest_due: bool,
        hyperparameters: Hyperparameters | None = None,
        sources: Sequence[Sequence[int]] = (),
    ) -> StepOutcome:
        """Compute the lanes, reduce, vote, apply.

        Args:
            step: must be `state_step`.
            lanes: lanes of this member.
            blocks: a block for each.
            digests: their BLAKE2b-128, 32 hex digits.
            digest_due: compute the weight digest.
            hyperparameters: what the step is trained with; None: what the job says.
            sources: of each block, the number of the source of each row; empty: not told.

        Returns:
            The outcome.

        Raises:
            InvariantError: the state is of another step.
            OutOfMemory: memory was refused; before the vote the state is what it was.
        """
        if step != self._state.step:
            raise InvariantError(f"step {step} was granted to weights before {self._state.step}")
        started = self._clock()
        if self._lacks_weights:
            raise InvariantError(f"step {step} is applied here, and others have its weights")
        self._watch.begin()
        self._take_held()
        given = hyperparameters or self._own
        told = sources or ((),) * len(lanes)
        work = [LaneWork(*of) for of in zip(lanes, blocks, digests, told, strict=True)]
        (redone, scale), (norm, spike, levels) = self._told(
            step, lambda: (self._reduced(work, given), self._prepare(given))
        )
        self._held = Held(step, norm, redone, scale, digest_due, started, given, spike, levels)
        self._team.vote(self._group(), digests)
        self._watch.lap("communication")
        self._move()
        if self._lacks_weights:
            self.at.dealing.gather(self._group())
            self._watch.lap("communication")
        return self._end(self._told_digest)

    def _reduced(self, work: Work, given: Hyperparameters) -> tuple[int, LossScale]:
        self._microbatches.cut(given.halvings)
        self.at.tokens.cut(given.staged.tokens if given.staged is not None else 0)
        prepared = self._microbatches.ready()
        if prepared.sweeps is not None:
            self._sum.use(prepared.sweeps)
        self.at.refresh()
        many, layers = self._many(given), prepared.layers
        return self._passes.run(self._group(), self._team, layers, self._state, work, many)

    def _many(self, given: Hyperparameters) -> int:
        return lanes_at(given.batch, self._state.step, self._settings.train.lanes)

    def _prepare(self, given: Hyperparameters) -> tuple[float, str, Levels]:
        """Make the update of the reduced gradient, with the others.

        Returns:
            The gradient's norm before clipping; not finite: there is no update. What stands out:
            nor is there one. The levels after the step.
        """
        spike, levels = "", self._state.levels
        self._balance.hold(None)
        if self._sum.broken():
            return math.inf, spike, levels
        gradient = self._sum.place
        self._sum.unpack(gradient)
        self._watch.lap("sweep")
        norm = self._team.norm(gradient)
        clip(gradient, given.optimizer.clip_norm, norm)
        if given.guard.is_on:
            spike, levels = judged(given.guard, levels, self._sum.facts().losses, norm)
        if math.isfinite(norm) and not spike:
            self._balance.hold(self._sum.counts, self._many(given))
            # Where lanes send less, what is shared would travel as far; moments that others hold
            # have to travel all the same.
            alone = self._sum.sends_less and self._state.portions.is_whole
            helpers = None if alone else self._group()
            self._optimizer.prepare(self._state, gradient, given.optimizer, helpers)
        self._watch.lap("optimizer")
        return norm, spike, levels
