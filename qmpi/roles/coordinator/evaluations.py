"""Evaluations of a run: shares come in, results go to the journal. Part of the coordinator.

Theory of operation. Each team of a group tells its share before it takes part in the step that is
evaluated, so a step that is committed was measured by all. A group that breaks meanwhile measures
again: the next one begins at the same step, and what the older one told is dropped. What does not
come all the same, since a rank died with it unsent, is said to be missing: its weights are gone.

Invariants: evaluations are settled in the order of their steps, each once unless its step is
rewound; shares are kept of one generation a step.
"""

from collections.abc import Iterable

from qmpi.config.settings import Settings
from qmpi.policy.evaluation_schedule import evaluated_steps
from qmpi.policy.scoring import evaluation_of
from qmpi.protocol.evaluation import EvaluationPart
from qmpi.protocol.journal import EvaluationDone, EvaluationMissed
from qmpi.units import Seconds, Step

GRACE_STEPS = 8
"""Steps that may be committed while a share is on its way; others' messages may overtake it."""

LATE = "a rank died before its share was told"

Settled = EvaluationDone | EvaluationMissed


class Evaluations:
    """What is due, what has come.

    Attributes:
        settled: evaluations due before steps up to this one are in the journal, done or missing.
    """

    def __init__(self, settings: Settings, settled: int) -> None:
        """Nothing is asked yet.

        Args:
            settings: the job.
            settled: newest step whose evaluation stands in the journal.
        """
        self._every = settings.evaluation.every_steps
        self._end = settings.train.steps
        self._weights = {source.name: source.weight for source in settings.data.sources}
        self._parts: dict[Step, dict[int, EvaluationPart]] = {}
        self.settled = Step(settled)
        self._has_begun = False

    def begin(self, step: Step, settled: int) -> None:
        """Take note of the step that a group begins at.

        Args:
            step: of the group; later evaluations are made again.
            settled: newest step whose evaluation stands in the journal.
        """
        if not self._has_begun:
            # This start never had the weights before the steps that it does not begin with.
            self.settled = Step(max(self.settled, step - 1))
            self._has_begun = True
        self.settled = Step(min(self.settled, max(settled, step - 1)))
        self._parts = {s: parts for s, parts in self._parts.items() if s <= step}

    def take(self, part: EvaluationPart) -> None:
        """Take a share; one of an older group or of a settled step is passed over.

        Args:
            part: what a member tells.
        """
        if part.step <= self.settled:
            return
        known = self._parts.setdefault(part.step, {})
        newest = max((other.generation for other in known.values()), default=part.generation)
        if part.generation > newest:
            known.clear()
        if part.generation >= newest:
            known[part.part] = part

    def settle(self, committed: int, now: Seconds, grace: int = GRACE_STEPS) -> list[Settled]:
        """Return what has come to an end.

        Args:
            committed: steps in the weights.
            now: clock.
            grace: committed steps that a share may be late; 0: no more will come.

        Returns:
            Records, by step; those of steps that are not committed yet wait.
        """
        settled: list[Settled] = []
        if not self._has_begun:
            return settled
        for number in evaluated_steps(self.settled, committed, self._every, self._end):
            step = Step(number)
            record = self._whole(step, now)
            if record is None and committed - step >= grace:
                record = EvaluationMissed(now, step, LATE)
            if record is None:
                break
            self._parts.pop(step, None)
            self.settled = step
            settled.append(record)
        return settled

    def awaited(self, step: int) -> bool:
        """Return whether an evaluation that is due before a step is still to come.

        Args:
            step: the end of the run.
        """
        return any(evaluated_steps(max(self.settled, step - 1), step, self._every, self._end))

    def _whole(self, step: Step, now: Seconds) -> Settled | None:
        parts = self._parts.get(step, {})
        if not parts or len(parts) < next(iter(parts.values())).parts:
            return None
        told = [parts[number] for number in sorted(parts)]
        fault = next((part.fault for part in told if part.fault), "")
        if fault:
            return EvaluationMissed(now, step, fault)
        marks = [mark for part in told for mark in part.marks]
        left_out = sorted({name for part in told for name in part.left_out})
        result = evaluation_of(step, marks, self._weights, left_out)
        return EvaluationDone(now, step, max(part.seconds for part in told), result)


def newest(records: Iterable[Settled]) -> int:
    """Return the newest step of some records; 0 if there is none.

    Args:
        records: that stand.
    """
    return max((record.step for record in records), default=0)
