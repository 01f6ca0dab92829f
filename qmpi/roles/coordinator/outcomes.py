"""What came of the committed steps: updates left out, and what they tell of noise."""

from bisect import bisect_left
from collections.abc import Sequence

from qmpi.policy.noise import SMOOTHED_STEPS, Noise, noise_of, noise_scale
from qmpi.protocol.journal import StepCommitted
from qmpi.protocol.progress import SourceLoss, is_skipped
from qmpi.units import Step

KEPT_NOISES = 1024
"""Steps of which it is kept what they tell of noise; more than are ever done again."""

SOURCE_STEPS = 32
"""Steps whose losses by source the status adds up."""


class Outcomes:
    """Of the steps that stand.

    Attributes:
        skips: steps whose update was skipped since nothing was finite, ascending.
        spikes: steps whose update was left out as a spike, ascending.
        noises: what the newest of them tell of noise, ascending.
        sources: losses by source of the newest of them, with their steps, ascending.
        halted: the last of them, if it is one after which the run stops and has not stopped yet.
        stopped_at: the same, also once the run has stopped, unless it was over anyway.
    """

    def __init__(self) -> None:
        """Nothing is committed yet."""
        self.skips: list[Step] = []
        self.spikes: list[Step] = []
        self.noises: list[Noise] = []
        self.sources: list[tuple[Step, tuple[SourceLoss, ...]]] = []
        self.halted: StepCommitted | None = None
        self.stopped_at: StepCommitted | None = None

    @property
    def noise_lanes(self) -> float | None:
        """Noise scale over the last steps, in lanes; None if nothing was measured."""
        return noise_scale(self.noises[-SMOOTHED_STEPS:])

    @property
    def left_out(self) -> int:
        """Steps that have changed no weights."""
        return len(self.skips) + len(self.spikes)

    def note(self, record: StepCommitted) -> None:
        """Take in a step.

        Args:
            record: of the next one.
        """
        if is_skipped(record.gradient_norm):
            self.skips.append(record.step)
        if record.spike:
            self.spikes.append(record.step)
        self.halted = self.stopped_at = record if record.halts else None
        lanes = len(record.block_digests)
        noise = noise_of(record.step, record.lane_square, record.gradient_norm, lanes)
        if noise is not None:
            self.noises.append(noise)
            del self.noises[:-KEPT_NOISES]
        if record.sources:
            self.sources.append((record.step, record.sources))
            del self.sources[:-SOURCE_STEPS]

    def rewind(self, step: Step) -> None:
        """Forget the steps from one on.

        Args:
            step: first of them.
        """
        del self.skips[bisect_left(self.skips, step) :]
        del self.spikes[bisect_left(self.spikes, step) :]
        self.noises = [noise for noise in self.noises if noise.step < step]
        self.sources = [told for told in self.sources if told[0] < step]
        self.halted = self.stopped_at = None

    def end(self, state: str) -> None:
        """Note that a start has ended, and has said why.

        Args:
            state: as of the end marker.
        """
        self.halted = None
        if state == "finished":
            self.stopped_at = None


def in_a_row(steps: Sequence[Step], end: Step) -> int:
    """Return how many of some steps are the last before another, without a gap.

    Args:
        steps: ascending.
        end: the step after the last.
    """
    first = end
    for step in reversed(steps):
        if step != first - 1:
            break
        first = step
    return end - first
