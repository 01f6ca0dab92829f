"""The record of a run: commits, losses, digests, failures. Part of the coordinator.

Theory of operation. The record turns reports into journal records and status fields. It can be
rebuilt from the journal alone (`Record.replay`), which is how a relaunched coordinator knows the
story so far.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any

from qmpi.errors import InvariantError
from qmpi.policy.hyperparameters import hyperparameters_at
from qmpi.policy.step_split import mean_times
from qmpi.policy.throughput import Pace, eta, thin
from qmpi.protocol.batch import first_block
from qmpi.protocol.evaluation import EvaluationReport
from qmpi.protocol.hyperparameters import Hyperparameters
from qmpi.protocol.journal import (
    EvaluationDone,
    EvaluationMissed,
    FailureSeen,
    GenerationOpened,
    HyperparametersChanged,
    JournalRecord,
    RunEnded,
    RunOpened,
    RunReshaped,
    SnapshotKept,
    StepCommitted,
)
from qmpi.protocol.progress import (
    StepReport,
    StepTimes,
    mean_loss,
    undefined_lanes,
)
from qmpi.protocol.roll_back import RollBack
from qmpi.protocol.status import FailureReport, RunState, StatusReport
from qmpi.roles.coordinator.outcomes import Outcomes, in_a_row
from qmpi.roles.coordinator.written import Written
from qmpi.units import Digest, Generation, Rank, Seconds, Step

RATE_WINDOW_SECONDS = Seconds(15.0)
KEPT_FAILURES = 50
KEPT_DIGESTS = 64
KEPT_NAMES = 1024
"""Digests of the weights that a record names again after it has been rewound."""
SPLIT_STEPS = 32
"""Steps whose waiting and whose times the status averages."""


class Record:
    """Commits and failures of a run.

    Attributes:
        checkpointed: newest step of a checkpoint that was kept on disk and is not void; 0: none.
        log: the hyperparameter log; empty: each step has all lanes.
        furthest: most steps that were committed on this branch.
        outcomes: what came of the committed steps.
        branches: the steps that the run went back to, in order.
        roll_backs: of these, those that it went back to by itself.
        checkpoints: steps of the checkpoints of this branch, those that are gone since among them.
        evaluations: those that stand, done or missing, by step.

    Invariants: `committed` is the number of steps in the weights; it grows by one a commit and
    falls only by `rewind`; no step is committed twice without a rewind between.
    """

    def __init__(self, tokens_per_step: int, most_lanes: int = 1) -> None:
        """Start an empty record.

        Args:
            tokens_per_step: tokens trained on in a step that has all lanes.
            most_lanes: lanes of such a step.
        """
        self.tokens_per_step, self.most_lanes = tokens_per_step, most_lanes
        self.log: tuple[Hyperparameters, ...] = ()
        self.furthest = Step(0)
        self.committed = Step(0)
        self.generation = Generation(0)
        self.incarnation = 0
        self.run_id = ""
        self.started = Seconds(0.0)
        self.loss: float | None = None
        self.digest = Digest("")
        self.digest_step = Step(0)
        self.losses: list[tuple[int, float]] = []
        self.failures: list[FailureReport] = []
        self.checkpointed = Step(0)
        self._digests: dict[Step, Digest] = {}
        self._named: deque[tuple[Step, Digest]] = deque(maxlen=KEPT_NAMES)
        self._pace = Pace(RATE_WINDOW_SECONDS)
        self._last: StepCommitted | None = None
        self._waits: deque[tuple[float, float]] = deque(maxlen=SPLIT_STEPS)
        self._times: deque[StepTimes] = deque(maxlen=SPLIT_STEPS)
        self.redone_passes = 0
        self.outcomes = Outcomes()
        self.branches: list[Step] = []
        self.roll_backs: list[RollBack] = []
        self.checkpoints: list[Step] = []
        self._written = Written()
        self.evaluations: list[EvaluationDone | EvaluationMissed] = []

    def tokens_before(self, step: int) -> int:
        """Return the tokens that the steps before a step train on, as the log stands.

        Args:
            step: >= 0.
        """
        batch = hyperparameters_at(self.log, step).batch if self.log else None
        if batch is None:
            return step * self.tokens_per_step
        return first_block(batch, step, batch.most) * self.tokens_per_step // self.most_lanes

    @property
    def skipped_in_a_row(self) -> int:
        """Steps skipped in a row, up to the last committed one."""
        return in_a_row(self.skips, self.committed)

    @property
    def skips(self) -> list[Step]:
        """Committed steps whose update was skipped since nothing was finite, ascending."""
        return self.outcomes.skips

    def replay(self, records: Iterable[JournalRecord]) -> None:
        """Take in the records of earlier incarnations.

        Args:
            records: the journal, from its start.
        """
        for record in records:
            self.take(record)
        self._pace.clear()  # how fast earlier incarnations were says nothing of this one

    def take(self, record: JournalRecord) -> None:
        """Take in a record.

        Args:
            record: the next one of the journal.
        """
        match record:
            case RunOpened() | HyperparametersChanged() | RunReshaped():
                self._tell_anew(record)
            case GenerationOpened():
                self.generation, self._written.team_size = record.generation, record.team_size
                self.rewind(record.step)
            case StepCommitted():
                self._note(record)
            case FailureSeen():
                self._fail(record)
            case SnapshotKept() if record.place == "disk":
                if self._written.add(record.step, record.position):
                    self.checkpoints.append(record.step)
                    self.checkpointed = Step(max(self.checkpointed, record.step))
            case EvaluationDone() | EvaluationMissed():
                self.evaluations.append(record)
            case RunEnded():
                self.outcomes.end(record.state)  # whoever goes on has read why
            case _:
                pass

    def rewind(self, step: Step) -> int:
        """Declare steps from `step` on void: the weights that held them are lost.

        Args:
            step: first step to be done again; a step not yet committed changes nothing.

        Returns:
            Number of committed steps that are done again.
        """
        lost = max(0, self.committed - step)
        if lost:
            self.committed = step
            self.checkpointed = min(self.checkpointed, step)
            self._written.forget(step)
            self.losses = [(s, x) for s, x in self.losses if s < step]
            self.outcomes.rewind(step)
            self.evaluations = [e for e in self.evaluations if e.step <= step]
            self._pace.clear()
            self._forget(step)
        return lost

    def _forget(self, step: Step) -> None:
        """Tell of no step from `step` on any more."""
        self.loss = self.losses[-1][1] if self.losses else None
        self._last = None
        while self._named and self._named[-1][0] > step:
            self._named.pop()
        self.digest_step, self.digest = self._named[-1] if self._named else (Step(0), Digest(""))

    def _tell_anew(self, record: RunOpened | HyperparametersChanged | RunReshaped) -> None:
        self.log = record.hyperparameters
        if isinstance(record, RunOpened):
            self.run_id, self.incarnation = record.run_id, record.incarnation
            self.started = self.started or Seconds(record.time)
        if record.back_to >= 0:
            self._go_back(Step(record.back_to))
        if isinstance(record, RunReshaped):
            # Digests so far are of parts that were cut otherwise.
            self._digests, self.run_id = {}, record.run_id
            self.checkpoints, self.checkpointed = [record.step], record.step
        if isinstance(record, RunOpened) and record.roll_back is not None:
            self.roll_backs.append(record.roll_back)
            # Before the first checkpoint the initial weights are meant, and no loss.
            self.checkpointed = max(self.checkpoints, default=Step(0))

    def _go_back(self, step: Step) -> None:
        self.branches.append(step)
        self.rewind(step)
        self.outcomes.rewind(step)
        self.furthest = min(self.furthest, step)
        self.checkpoints = [kept for kept in self.checkpoints if kept <= step]
        # What comes now may give other weights.
        self._written.forget(step)
        self._digests = {s: digest for s, digest in self._digests.items() if s <= step}

    def commit(self, report: StepReport, recipe: int, now: Seconds) -> StepCommitted | None:
        """Take a trainer's report.

        Args:
            report: what the trainer says.
            recipe: number of the recipe that covers the step.
            now: clock, seconds since the epoch.

        Returns:
            The record to append, or None if the step is committed already.

        Raises:
            InvariantError: two trainers hold different weights, or a step is missing before this
                one.
        """
        self.agree(Step(report.step + 1), report.weight_digest)
        if report.step < self.committed:
            return None
        if report.step > self.committed:
            raise InvariantError(f"step {report.step} reported, but {self.committed} is missing")
        record = StepCommitted(
            time=now,
            step=report.step,
            generation=report.generation,
            recipe=recipe,
            block_digests=report.block_digests,
            lane_losses=report.lane_losses,
            loss=mean_loss(report.lane_losses),
            weight_digest=report.weight_digest,
            gradient_norm=report.gradient_norm,
            learning_rate=report.learning_rate,
            seconds=report.seconds,
            wait_seconds=report.wait_seconds,
            redone=report.redone,
            updates=report.updates,
            loss_scale=report.loss_scale,
            spike=report.spike,
            halts=report.halts,
            lane_square=report.lane_square,
            experts=report.experts,
            ahead_losses=report.ahead_losses,
            sources=report.sources,
        )
        self._note(record)
        self._times.append(report.times)
        return record

    def fail(
        self, now: Seconds, ranks: tuple[Rank, ...], what: str, action: str, reason: str
    ) -> FailureSeen:
        """Note a failure.

        Args:
            now: clock.
            ranks: who failed; empty if nobody in particular.
            what: what failed, in words.
            action: what is done about it.
            reason: how it is known.

        Returns:
            The record to append.
        """
        record = FailureSeen(now, self.committed, ranks, what, action, reason)
        self._fail(record)
        return record

    def status(self, state: RunState, now: Seconds, steps: int) -> StatusReport:
        """Return the status as far as the record knows it; the coordinator adds ranks and words.

        Args:
            state: state of the run.
            now: clock.
            steps: length of the run.

        Returns:
            A report without ranks.
        """
        speed = self._pace.speed(now)
        return StatusReport(
            state=state,
            step=self.committed,
            steps=steps,
            tokens=self.tokens_before(self.committed),
            tokens_per_second=speed,
            loss=self.loss,
            digest=self.digest,
            generation=self.generation,
            failures=tuple(self.failures),
            ranks=(),
            digest_step=self.digest_step,
            incarnation=self.incarnation,
            started=self.started,
            updated=now,
            eta_seconds=eta(self.tokens_before(steps) - self.tokens_before(self.committed), speed),
            losses=tuple(thin(self.losses)),
            gradient_norm=self._last.gradient_norm if self._last else None,
            learning_rate=self._last.learning_rate if self._last else None,
            wait_share=self._wait_share(),
            redone_passes=self.redone_passes,
            times=mean_times(self._times),
            updates=self.committed - self.outcomes.left_out,
            skipped=len(self.skips),
            loss_scale=self._last.loss_scale if self._last else 1.0,
            spikes=len(self.outcomes.spikes),
            roll_backs=tuple(self.roll_backs),
            noise_lanes=self.outcomes.noise_lanes,
            undefined_lanes=undefined_lanes(self._last.lane_losses) if self._last else 0,
            **self._evaluated(),
        )

    def _evaluated(self) -> dict[str, Any]:
        done = [e for e in self.evaluations if isinstance(e, EvaluationDone)]
        points = thin([(e.step, e) for e in done])
        return {
            "evaluation": EvaluationReport(done[-1].time, done[-1].seconds, done[-1].result)
            if done
            else None,
            "evaluations": tuple(
                (step, e.result.loss.overall, e.result.accuracy.overall) for step, e in points
            ),
            "evaluations_missed": len(self.evaluations) - len(done),
        }

    def _wait_share(self) -> float | None:
        seconds = sum(whole for _, whole in self._waits)
        waited = sum(wait for wait, _ in self._waits)
        return waited / (waited + seconds) if waited + seconds else None

    def agree(self, step: Step, digest: Digest) -> None:
        """Hold a digest of whole weights against what others said of the same step.

        Args:
            step: weights are those before this step.
            digest: of the weights; "" says nothing.

        Raises:
            InvariantError: two ranks hold different weights.
        """
        if not digest:
            return
        known = self._digests.setdefault(step, digest)
        if known != digest:
            raise InvariantError(
                f"weights before step {step} differ: {known[:16]} was reported before, now "
                f"{digest[:16]}; a rank computes wrong bits"
            )
        if len(self._digests) > KEPT_DIGESTS:
            del self._digests[min(self._digests)]

    def _note(self, record: StepCommitted) -> None:
        self.committed = Step(record.step + 1)
        self.furthest = max(self.furthest, self.committed)
        self._last = record
        self._waits.append((record.wait_seconds, record.seconds))
        self.redone_passes += record.redone
        self.outcomes.note(record)
        self.loss = mean_loss(record.lane_losses)
        if self.loss is not None:
            self.losses.append((record.step, self.loss))
        if len(self.losses) > 4096:
            self.losses = list(thin(self.losses, 2048))
        took = record.wait_seconds + record.seconds
        self._pace.add(Seconds(record.time), self.tokens_before(self.committed), took)
        if record.weight_digest:
            self.digest, self.digest_step = record.weight_digest, self.committed
            self._named.append((self.committed, record.weight_digest))
            self._digests.setdefault(self.committed, record.weight_digest)

    def _fail(self, record: FailureSeen) -> None:
        report = FailureReport(
            record.time,
            tuple(map(int, record.ranks)),
            record.what,
            record.action,
            record.reason,
            int(record.step),
        )
        self.failures = [*self.failures, report][-KEPT_FAILURES:]
