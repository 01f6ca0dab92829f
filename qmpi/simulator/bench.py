"""What an engine has in hand: one piece of work, the state, the seat among its group.

Theory of operation. A piece of work goes on from moment to moment (`_then`), meets others on the
lines that its rank sits on (`_meet`), and ends in its event (`_finish`); nothing that was planned
for it happens after that.
"""

from collections.abc import Callable

from msgspec import Struct

from qmpi.config.compression_checks import sends_less
from qmpi.errors import ExitCode, InvariantError, UserError
from qmpi.ports.base import Event, Reply, WorkCrashed
from qmpi.ports.engine import (
    Condemned,
    EngineAborted,
    EngineWork,
    Evaluate,
    JoinGroup,
    RunStep,
    StepApplied,
)
from qmpi.protocol.hyperparameters import Hyperparameters, rate_of
from qmpi.protocol.portions import WHOLE, Spans, runs_of
from qmpi.protocol.progress import MAX_SKIPPED, UNDEFINED, StepTimes
from qmpi.protocol.spikes import halts
from qmpi.protocol.teams import whole_digest
from qmpi.simulator.agenda import Action
from qmpi.simulator.hardware import spread
from qmpi.simulator.life import Life
from qmpi.simulator.line import Contribution, Lines, Meeting, Wait
from qmpi.simulator.seating import Seating
from qmpi.simulator.stream_model import NORM, State, Sum, next_state
from qmpi.simulator.surroundings import Surroundings
from qmpi.units import Digest, Generation, Rank, Step


class Task(Struct, frozen=True):
    """A piece of work."""

    work: EngineWork
    condemned: Condemned
    reply: Reply


class Held(Struct, frozen=True):
    """A reduced gradient at hand.

    Attributes:
        computing: seconds that its lanes took.
        lanes: those that were computed here.
    """

    step: int
    sum: Sum
    digest_due: bool
    began: float
    computing: float
    hyperparameters: Hyperparameters
    lanes: tuple[int, ...] = ()


class Bench:
    """The piece of work in hand, and what the engine holds.

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
        self._size = around.settings.parallel.team_size
        self._task: Task | None = None
        self._seating: Seating | None = None
        self._wait: Wait | None = None
        self._finished: StepApplied | None = None
        # A step whose digest was due and could not be gathered yet.
        self._owed: StepApplied | None = None
        self._short_of_memory = 0
        self._is_shared = around.settings.parallel.shares_moments
        self._keeps = sends_less(around.settings.train)
        self.portions = WHOLE
        # Lanes whose kept part counts for the state.
        self.kept: frozenset[int] = frozenset()
        self._teams = 1
        self.state: State | None = None
        self.held: Held | None = None
        # The held step is applied to what this member moves by itself alone.
        self.has_moved = False

    def _ended(self) -> None:
        """The piece of work in hand has ended; the next one may begin."""

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
        self._ended()

    def _crashed(self, fault: WorkCrashed) -> None:
        if self._seating is not None:
            self._seating.leave()
        self._finish(fault)

    def _diverged(self, error: UserError) -> None:
        self._crashed(WorkCrashed("UserError", str(error), int(error.exit_code)))

    def _bug(self, text: str) -> None:
        self._crashed(WorkCrashed("InvariantError", text, int(ExitCode.BUG)))

    def _give_up(
        self, reason: str, *, out_of_memory: bool = False, own_fault: bool = False
    ) -> None:
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
                out_of_memory=out_of_memory,
                own_fault=own_fault,
                portions=self.portions,
                kept=self._told_lanes(),
            )
        )

    def _told_lanes(self) -> Spans:
        """Return the lanes whose part is kept here, whether a step at hand is applied or not."""
        if not self._keeps:
            return ()
        return runs_of(sorted(self.kept if self.held is None else self.held.lanes))

    @property
    def _copies_alone(self) -> bool:
        """Whether this member has all that a copy needs."""
        is_kept = self._keeps and self.state is not None and self.state.updates > 0
        return self.portions.is_whole and not (is_kept and self._teams > 1)

    def _every_lane(self) -> frozenset[int]:
        return frozenset(range(self._around.settings.train.lanes))

    def _generation(self) -> Generation:
        work = self._task.work if self._task is not None else None
        if not isinstance(work, JoinGroup | RunStep | Evaluate):
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
        given = held.hyperparameters
        rate = rate_of(given, held.step)
        after, spike = next_state(state, held.sum, given, self._size)
        kept = frozenset(held.lanes) if after.updates > state.updates else self.kept
        self._hold(generation, after)
        self.kept = kept
        if after.skipped >= MAX_SKIPPED and not spike:
            raise UserError(f"the run has diverged, up to step {held.step}")
        digest = after.weights.hex() if held.digest_due and self._size == 1 else ""
        lost = after.skipped > 0 and not spike
        seconds, computing = self._around.agenda.now - held.began, held.computing
        applied = StepApplied(
            generation=generation,
            step=Step(held.step),
            lane_losses=(UNDEFINED,) * len(held.sum.losses) if lost else held.sum.losses,
            block_digests=held.sum.digests,
            gradient_norm=UNDEFINED if lost else NORM,
            learning_rate=rate,
            weight_digest=Digest(digest),
            seconds=seconds,
            redone=0,
            times=StepTimes(
                forward=computing / 3,
                backward=computing * 2 / 3,
                communication=max(0.0, seconds - computing),
            ),
            updates=after.updates,
            spike=spike,
            halts=halts(given.guard, spike, after.skipped),
            lane_square=held.sum.lane_square if not lost else UNDEFINED,
            sources=held.sum.sources if not lost else (),
        )
        self._owed = applied if held.digest_due and self._size > 1 else None
        return applied

    def _hold(self, generation: Generation, state: State) -> None:
        self.held, self.has_moved = None, False
        # Before the first update lanes keep nothing, so nothing is missing.
        self.state, self.kept = state, frozenset() if state.updates else self._every_lane()
        self._around.onlooker.weights_changed(self._rank, generation, state)
