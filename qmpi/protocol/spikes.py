"""Which step is a spike: a pure function of what the state carries and of the step's exact facts.

Theory of operation. A running mean and a running variance of the loss and of the gradient's norm
are part of the state, so that spares, resumed runs and steps that are done again judge alike. Over
the first `window_steps` steps they are plain averages, later steps fade out. A spike does not enter
them: otherwise a few large ones would make all others look small. Whether a run has reached another
level for good is said by a row of spikes, which stops it.

All is float64 with additions, products and square roots alone, which round alike everywhere. A
running median was rejected: it needs the window's values in the state, whose counters have room for
five numbers.
"""

from collections.abc import Sequence
from math import isfinite, sqrt

from msgspec import Struct

from qmpi.config.guard import GuardSettings

LOSS, NORM = "loss", "norm"
"""What of a step stood out."""

LEAST_SHARE = 0.01
"""A deviation counts as at least this share of the mean: of equal steps none stands out by a
rounding."""


class Levels(Struct, frozen=True):
    """Where loss and norm have been: what a state carries to judge the next step by.

    Attributes:
        steps: that were followed; a whole number.
        loss, norm: running means.
        loss_variance, norm_variance: running variances about them.
    """

    steps: float = 0.0
    loss: float = 0.0
    loss_variance: float = 0.0
    norm: float = 0.0
    norm_variance: float = 0.0


NO_LEVELS = Levels()


def spike_of(guard: GuardSettings, levels: Levels, loss: float | None, norm: float) -> str:
    """Judge a step.

    Args:
        guard: the limits.
        levels: before the step.
        loss: mean over its lanes, nats per token; None: there is none.
        norm: of its gradient before clipping, finite.

    Returns:
        `LOSS` or `NORM` if that stands out; "" if neither does.
    """
    if levels.steps < guard.warmup_steps:
        return ""
    if loss is not None and _stands_out(loss, levels.loss, levels.loss_variance, guard.loss_spike):
        return LOSS
    if _stands_out(norm, levels.norm, levels.norm_variance, guard.norm_spike):
        return NORM
    return ""


def _stands_out(value: float, mean: float, variance: float, limit: float) -> bool:
    deviation = max(sqrt(variance), LEAST_SHARE * abs(mean))
    return limit > 0.0 and value - mean > limit * deviation


def followed(guard: GuardSettings, levels: Levels, loss: float | None, norm: float) -> Levels:
    """Return the levels after a step that is no spike.

    Args:
        guard: how far they reach back.
        levels: before the step.
        loss: as in `spike_of`.
        norm: as in `spike_of`.
    """
    steps = levels.steps + 1.0
    count = min(steps, float(guard.window_steps))
    was = levels.loss if loss is None else loss
    mean, variance = _moved(levels.loss, levels.loss_variance, was, count)
    norms = _moved(levels.norm, levels.norm_variance, norm, count)
    return Levels(steps, mean, variance, *norms)


def _moved(mean: float, variance: float, value: float, count: float) -> tuple[float, float]:
    apart = value - mean
    moved = mean + apart / count
    return moved, max(0.0, variance + (apart * (value - moved) - variance) / count)


def judged(
    guard: GuardSettings, levels: Levels, lane_losses: Sequence[float], norm: float
) -> tuple[str, Levels]:
    """Judge a step by what is told of it, and follow it.

    Args:
        guard: the limits.
        levels: before the step.
        lane_losses: of all lanes, in lane order; those that are negative or not finite do not
            count.
        norm: of the gradient before clipping; negative or not finite: the step is left out anyway.

    Returns:
        As `spike_of`, and the levels after the step.
    """
    if not guard.is_on or not (isfinite(norm) and norm >= 0.0):
        return "", levels
    found = [loss for loss in lane_losses if isfinite(loss) and loss >= 0.0]
    total = 0.0
    for loss in found:
        total += loss
    mean = total / len(found) if found else None
    spike = spike_of(guard, levels, mean, norm)
    return spike, levels if spike else followed(guard, levels, mean, norm)


def halts(guard: GuardSettings, spike: str, in_a_row: int) -> bool:
    """Return whether the run stops before the next step, perhaps to go back by itself.

    Args:
        guard: what is done about spikes.
        spike: as `spike_of` judged the step.
        in_a_row: updates left out in a row, up to and with the step's.
    """
    return bool(spike) and (guard.action != "skip" or in_a_row >= guard.most_in_a_row)
