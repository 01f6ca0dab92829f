"""What the curriculum knows, and what it decides, as steps are committed.

Theory of operation. The losses of each committed step are kept until its window is whole; then the
window is taken in and the next but one is decided (`qmpi.policy.curriculum`). Steps that are void
come again: what was taken in behind them is forgotten, and as they come to the same losses, the
same is decided again. All of it follows from the journal, so a relaunched coordinator begins by
reading that.

Steps of a warm-up are of no window, and their losses are not taken in: what a source costs while
nothing else was trained on says nothing of the job's mixture.

Invariants: what is known covers the windows before `next_step`, and the steps since.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from qmpi.config.settings import Settings
from qmpi.errors import InvariantError
from qmpi.policy.curriculum.standing import Standing
from qmpi.policy.curriculum.windows import (
    Decision,
    Learned,
    arms_of,
    begin_of,
    decided,
    is_probe,
    taken_in,
)
from qmpi.protocol.journal import JournalRecord, StepCommitted
from qmpi.protocol.progress import SourceLoss

KEPT_WINDOWS = 256
"""Windows that can be gone back; the copies of the state are newer by far."""


class Knowledge:
    """What is known, and the losses of the window that is not whole.

    Attributes:
        next_step: first step that is not taken in.
        standing: knows the stages.
    """

    def __init__(self, settings: Settings, history: Iterable[JournalRecord]) -> None:
        """Read what the journal tells.

        Args:
            settings: the job, with its arms.
            history: the journal.
        """
        self._settings, self._arms = settings, arms_of(settings)
        self._every, self._tokens = (
            settings.curriculum.every_steps,
            settings.train.sequence_tokens,
        )
        self.standing = Standing(settings)
        self._begin = begin_of(settings, 0)
        self._known = [Learned(stage=self.standing.stage({}))]
        self._steps: dict[int, tuple[SourceLoss, ...]] = {}
        self.next_step = 0
        for record in history:
            if isinstance(record, StepCommitted):
                self.note(record)

    def note(self, record: StepCommitted) -> Decision | None:
        """Take in a step.

        Args:
            record: of the next one, or of one that is done again.

        Returns:
            What the next window but one draws, if the step ends its window.

        Raises:
            InvariantError: a step is missing before this one.
        """
        step = record.step
        self.rewind(step)
        if step != self.next_step:
            raise InvariantError(f"step {step} is taken in, but {self.next_step} is missing")
        self.next_step = step + 1
        if step < self._begin:
            return None
        self._steps[step] = record.sources
        if (self.next_step - self._begin) % self._every:
            return None
        last = self._known[-1]
        first = step + 1 - self._every
        behind = taken_in(
            last,
            self._arms,
            [self._steps[number] for number in range(first, step + 1)],
            self._tokens,
            self._settings.curriculum,
            is_static=bool(last.off) or is_probe(self._settings.job.seed, last.windows),
        )
        stage = self.standing.stage(behind.means, last.stage)
        self._known.append(replace(behind, stage=stage))
        del self._known[: -KEPT_WINDOWS - 1]
        for old in [s for s in self._steps if s < first - KEPT_WINDOWS * self._every]:
            del self._steps[old]
        return self.decision

    def rewind(self, step: int) -> None:
        """Forget the steps from one on.

        Args:
            step: first of them; one that is not taken in yet changes nothing.

        Raises:
            InvariantError: it lies too far back.
        """
        if step >= self.next_step:
            return
        while self._known and self._is_behind(self._known[-1], step):
            self._known.pop()
        if not self._known:
            raise InvariantError(f"the curriculum cannot go back to step {step}")
        self._steps = {s: told for s, told in self._steps.items() if s < step}
        self.next_step = step

    def _is_behind(self, known: Learned, step: int) -> bool:
        """Return whether something is known of a step that is not trained yet."""
        return known.windows > 0 and self._begin + known.windows * self._every > step

    @property
    def known(self) -> Learned:
        """What is known behind the last whole window."""
        return self._known[-1]

    @property
    def decision(self) -> Decision | None:
        """What follows from the last whole window; None: there is none yet."""
        return self._decided(self._known[-1])

    @property
    def open_decisions(self) -> tuple[Decision, ...]:
        """What follows for windows of which no step is taken in, ascending."""
        told = map(self._decided, self._known[-2:])
        begin = self._begin
        return tuple(d for d in told if d and begin + d.window * self._every >= self.next_step)

    def _decided(self, last: Learned) -> Decision | None:
        return decided(last, self._arms, self._settings) if last.windows else None
