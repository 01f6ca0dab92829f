"""What must hold after every event, whatever fails.

- Each role's own invariants (`Role.check`).
- Weights are those of the undisturbed run at every step, on every rank, for every position, always:
  each step used exactly its blocks, exactly once. So no two members can disagree either.
- Once a group is connected, nobody that the coordinator counts as alive applies a step for an older
  one.
- The journal commits every step once, in order (net of what a generation declares void), with its
  blocks.
- Recipes change behind what is committed only, and no row comes again or is left out by that.
- A run that goes back by itself does so from its last step, a spike; no block of a step that is
  given up so is ever trained on again.
- An evaluation is that of the weights of an undisturbed run, whole; each that is due is told once,
  as made or as missing, before a run ends well.
- A run that ends well, or is stopped after it worked, has the checkpoint of its last step on disk.
- Something happens: a run that only sends signs of life has a deadlock.
"""

from collections.abc import Iterable

from qmpi.errors import InvariantError
from qmpi.policy.added_sources import sources_of, with_added
from qmpi.policy.curriculum.proof import curriculum_fault
from qmpi.policy.evaluation_schedule import evaluated_steps
from qmpi.policy.recipe_proof import recipes_fault
from qmpi.policy.recipes import changed_log, course_of
from qmpi.policy.scoring import evaluation_of
from qmpi.protocol.added import AddedSource
from qmpi.protocol.hyperparameters import Hyperparameters
from qmpi.protocol.journal import (
    EvaluationDone,
    EvaluationMissed,
    GenerationOpened,
    HyperparametersChanged,
    JournalRecord,
    RecipesChanged,
    RunEnded,
    RunOpened,
    SnapshotKept,
    StepCommitted,
)
from qmpi.protocol.progress import is_skipped
from qmpi.protocol.roll_back import RollBack
from qmpi.simulator.evaluating import row_marks, rows_of
from qmpi.simulator.stream_model import Expected, State
from qmpi.units import Digest, Generation, Rank, Seconds


class Invariants:
    """The judge of one run.

    Invariants: `committed` is the number of steps that stand in the journal.
    """

    def __init__(self, expected: Expected, patience: Seconds) -> None:
        """Nothing has happened yet.

        Args:
            expected: the undisturbed run.
            patience: longest time without progress.
        """
        self._expected = expected
        self._patience = patience
        self._progress_at = Seconds(0.0)
        self._generation = Generation(0)
        self.committed = 0
        self.redone = 0
        self.generations = 0
        self.incarnations = 0
        self._opened_at = 0
        self.evaluated: dict[int, EvaluationDone | EvaluationMissed] = {}
        self._on_disk: dict[int, set[int]] = {}
        self._log: tuple[Hyperparameters, ...] = ()
        self._last: StepCommitted | None = None
        self._passed: set[Digest] = set()
        self._standing: dict[int, StepCommitted] = {}
        self._added: tuple[AddedSource, ...] = ()

    def progress(self, now: Seconds) -> None:
        """Note that something happened.

        Args:
            now: virtual clock.
        """
        self._progress_at = now

    def check_progress(self, now: Seconds) -> None:
        """Check that something happened lately.

        Args:
            now: virtual clock.

        Raises:
            InvariantError: nothing did.
        """
        if now - self._progress_at > self._patience:
            raise InvariantError(
                f"no progress since {self._progress_at:.1f} s, at step {self.committed}"
            )

    def weights_changed(
        self, rank: Rank, generation: Generation, state: State, *, alive: bool
    ) -> None:
        """Check new weights.

        Args:
            rank: whose.
            generation: group that the work was for.
            state: what it holds.
            alive: the coordinator counts the rank as alive.

        Raises:
            InvariantError: other weights than in the undisturbed run, or applied for an older
            group.
        """
        step = state.step
        if state != self._expected.state(step, state.position):
            raise InvariantError(
                f"rank {rank} holds other weights before step {step}, position {state.position}, "
                "than an undisturbed run"
            )
        if alive and generation < self._generation:
            raise InvariantError(
                f"rank {rank} reached step {step} for generation {generation}, but the group of "
                f"generation {self._generation} is connected already"
            )

    def joined(self, generation: Generation) -> None:
        """Note that a member saw its group connected.

        Args:
            generation: of the group.
        """
        self._generation = max(self._generation, generation)

    def appended(self, records: Iterable[JournalRecord], now: Seconds) -> None:
        """Check new records of the journal.

        Args:
            records: in order.
            now: virtual clock.

        Raises:
            InvariantError: a step is committed twice, too early, or with other blocks; or the run
                ends without its checkpoint.
        """
        for record in records:
            self.progress(now)
            match record:
                case RunOpened():
                    self._open(record)
                case HyperparametersChanged():
                    self._change(record)
                case RecipesChanged():
                    self._draw_from(record, record.reason)
                case GenerationOpened():
                    self.generations += 1
                    self.redone += max(0, self.committed - record.step)
                    self._rewind(record.step)
                case EvaluationDone() | EvaluationMissed():
                    self._evaluate(record)
                case StepCommitted():
                    self._commit(record)
                case SnapshotKept() if record.place == "disk":
                    self._on_disk.setdefault(record.step, set()).add(record.position)
                case RunEnded():
                    self._end(record)
                case _:
                    pass

    def _open(self, record: RunOpened) -> None:
        self.incarnations += 1
        back = record.back_to if record.back_to >= 0 else self.committed
        if record.roll_back is not None:
            self._roll_back(record.roll_back)
        self._rewind(back)
        self._opened_at = self.committed
        self._on_disk = {step: kept for step, kept in self._on_disk.items() if step <= back}
        self._log = record.hyperparameters
        self._expected.follow(record.hyperparameters, self.committed)
        self._draw_from(record, f"start {record.incarnation}")

    def _draw_from(self, record: RunOpened | RecipesChanged, why: str) -> None:
        settings = with_added(self._expected.settings, record.added)
        if record.added[: len(self._added)] != self._added:
            raise InvariantError(f"{why}: sources that were added are others now")
        self._added = record.added
        if self._expected.add(sources_of(record.added)) != tuple(a.fact for a in record.added):
            raise InvariantError(f"{why}: added sources hold something else than is told")
        before, course = self._expected.recipes, course_of(settings, self._log)
        after = changed_log(before, record)
        fault = recipes_fault(before, after, settings, course, self.committed)
        if fault:
            raise InvariantError(f"{why}: {fault}")
        self._expected.follow(self._log, self.committed, after)

    def _roll_back(self, roll_back: RollBack) -> None:
        last = self._last
        if last is None or not last.spike or roll_back.spike != last.step:
            raise InvariantError(f"{roll_back} does not follow from the last step")
        if last.step != self.committed - 1 or roll_back.back_to > last.step:
            raise InvariantError(f"{roll_back} is no way back from step {self.committed}")
        for step in range(roll_back.back_to, self.committed):
            self._passed.update(self._expected.blocks(step))

    def _change(self, record: HyperparametersChanged) -> None:
        new = [r for r in record.hyperparameters if r not in self._log]
        first = min(r.first_step for r in new)
        if record.back_to >= 0:
            self._rewind(record.back_to)
            kept = self._on_disk.items()
            self._on_disk = {step: parts for step, parts in kept if step <= record.back_to}
        if first < self.committed:
            raise InvariantError(f"step {first} is committed, and what it was done with changes")
        self._log = record.hyperparameters
        self._expected.follow(record.hyperparameters, first)

    def _rewind(self, step: int) -> None:
        if step < self.committed:
            self.committed = step
            self._standing = {s: told for s, told in self._standing.items() if s < step}
            self.evaluated = {s: told for s, told in self.evaluated.items() if s <= step}

    def _evaluate(self, record: EvaluationDone | EvaluationMissed) -> None:
        step = record.step
        if step in self.evaluated:
            raise InvariantError(f"the evaluation of step {step} is told twice")
        if step > self.committed:
            raise InvariantError(f"step {step} is evaluated where {self.committed} is due")
        self.evaluated[step] = record
        if isinstance(record, EvaluationMissed):
            return
        settings, state = self._expected.settings, self._expected.state(step, 0)
        marks = [row_marks(settings, state, number) for number in range(rows_of(settings))]
        weights = {source.name: source.weight for source in settings.data.sources}
        if record.result != evaluation_of(step, marks, weights):
            raise InvariantError(f"step {step} was evaluated to other numbers than its weights'")

    def _check_evaluated(self, record: RunEnded) -> None:
        every = self._expected.settings.evaluation.every_steps
        first = min(self.evaluated, default=record.step)
        # A finished run ends at its length, which may have changed since it was begun.
        due = evaluated_steps(first - 1, record.step, every, record.step)
        untold = [step for step in due if step not in self.evaluated]
        if record.state == "finished" and untold:
            raise InvariantError(f"nothing is told of the evaluations of the steps {untold}")

    def _end(self, record: RunEnded) -> None:
        self._check_evaluated(record)
        expected = self._expected
        fault = curriculum_fault(self._standing, expected.recipes, self._log, expected.settings)
        if fault:
            raise InvariantError(fault)
        worked = record.step > self._opened_at
        whole = len(self._on_disk.get(record.step, ())) == self._expected.team_size
        if record.state in ("finished", "stopped") and worked and not whole:
            raise InvariantError(
                f"the run is {record.state} at step {record.step} without its checkpoint on disk"
            )

    def _commit(self, record: StepCommitted) -> None:
        step = record.step
        if step != self.committed:
            raise InvariantError(f"step {step} is committed where {self.committed} was due")
        if record.block_digests != self._expected.blocks(step):
            raise InvariantError(f"step {step} is committed with other blocks than its own")
        told = () if is_skipped(record.gradient_norm) else self._expected.sources(step)
        if record.sources != told:
            raise InvariantError(f"step {step} is committed with other losses by source")
        if record.weight_digest and record.weight_digest != self._expected.digest(step + 1):
            raise InvariantError(f"step {step} is committed with other weights")
        if not self._passed.isdisjoint(record.block_digests):
            raise InvariantError(f"step {step} is trained on data that was passed over")
        self.committed, self._last = step + 1, record
        if self._expected.settings.curriculum.kind != "static":
            self._standing[step] = record
