"""The learning rate of a step, and what becomes of it when a run is given another length.

Theory of operation. A schedule is a climb to a peak, perhaps a stretch at the peak, and a fall.
Rates are shares of the peak until the last moment, so that a change of the peak changes no shape. A
run that is given another length after part of its fall was trained cannot keep its shape:
`extension` says so, and `replan` gives the onset from which the new shape goes on without a jump.
"""

from math import cos, pi
from typing import Literal

from msgspec import Struct

from qmpi.config.settings import OptimizerSettings


class Onset(Struct, frozen=True):
    """Where a schedule sets in.

    Attributes:
        step: first step of the schedule.
        ratio: share of the peak before that step, 0 to 1.
        climb_steps: steps of the climb from there to `top`; 0: the schedule sets in at `top`.
        top: share of the peak that the fall begins at, 0 to 1.
    """

    step: int = 0
    ratio: float = 0.0
    climb_steps: int = 0
    top: float = 1.0


class Extension(Struct, frozen=True):
    """What another number of steps means to a run.

    Attributes:
        verdict: "same": no step that was trained would have had another rate; "replan": some would.
        reason: why, as a sentence.
    """

    verdict: Literal["same", "replan"]
    reason: str


def beginning(settings: OptimizerSettings) -> Onset:
    """Return where the schedule of a new run sets in.

    Args:
        settings: with a resolved warm-up, >= 0 steps.
    """
    return Onset(climb_steps=settings.warmup_steps)


def learning_rate(
    settings: OptimizerSettings, step: int, steps: int, onset: Onset | None = None
) -> float:
    """Compute the learning rate of a step.

    Args:
        settings: peak, warm-up, shape and end of the schedule.
        step: >= 0 and not before the onset; later steps keep the final rate.
        steps: length of the run.
        onset: where the schedule sets in; None: at the beginning of a run.

    Returns:
        Learning rate, > 0 unless `min_ratio` is 0.
    """
    onset = onset or beginning(settings)
    return settings.learning_rate * _share(settings, step, steps, onset)


def _share(settings: OptimizerSettings, step: int, steps: int, onset: Onset) -> float:
    climbed = step - onset.step + 1
    if climbed <= onset.climb_steps:
        return onset.ratio + (onset.top - onset.ratio) * climbed / onset.climb_steps
    start = fall_begin(settings, steps, onset)
    falling = cosine_fall if settings.schedule == "cosine" else linear_fall
    falls = 0 <= step - start < steps - start
    progress = (step - start) / (steps - start) if falls else float(step >= steps)
    low = min(settings.min_ratio, onset.top)
    return low + (onset.top - low) * falling(progress)


def fall_begin(settings: OptimizerSettings, steps: int, onset: Onset) -> int:
    """Return the step at which the fall begins.

    Args:
        settings: shape of the schedule.
        steps: length of the run.
        onset: where the schedule sets in.
    """
    risen = onset.step + onset.climb_steps
    if settings.schedule == "cosine":
        return risen
    return max(risen, steps - round(settings.decay_share * steps))


def cosine_fall(progress: float) -> float:
    """Return 1 to 0 over 0 <= progress <= 1 along half a cosine."""
    return 0.5 * (1.0 + cos(pi * progress))


def linear_fall(progress: float) -> float:
    """Return 1 to 0 over 0 <= progress <= 1 along a line."""
    return 1.0 - progress


def extension(
    settings: OptimizerSettings,
    done: int,
    old_steps: int,
    new_steps: int,
    onset: Onset | None = None,
) -> Extension:
    """Say whether a run can be given another length without bending what was trained.

    Args:
        settings: of the schedule; the warm-up is resolved.
        done: steps trained so far, >= 0.
        old_steps: length that they were trained for.
        new_steps: length wanted.
        onset: where the schedule set in; None: at the beginning of the run.

    Returns:
        The verdict, with its reason.
    """
    onset = onset or beginning(settings)
    before, after = (fall_begin(settings, steps, onset) for steps in (old_steps, new_steps))
    if old_steps == new_steps:
        return Extension("same", f"the run keeps its {old_steps} steps")
    if done <= min(before, after):
        return Extension(
            "same", f"after {done} steps the fall has not begun: it will, at step {after}"
        )
    if done > before:
        return Extension(
            "replan",
            f"{done - before} steps of the {settings.schedule} fall, which began at step {before}, "
            f"were trained with rates for {old_steps} steps",
        )
    return Extension(
        "replan",
        f"for {new_steps} steps the fall would have begun at step {after}, and {done} steps are "
        "done",
    )


def replan(
    settings: OptimizerSettings, done: int, old_steps: int, onset: Onset | None = None
) -> Onset:
    """Return where the schedule sets in anew, so that the rate goes on from where it is.

    Args:
        settings: of the schedule that was trained with; the warm-up is resolved.
        done: steps trained so far, >= 0.
        old_steps: length that they were trained for.
        onset: where the schedule set in; None: at the beginning of the run.

    Returns:
        The onset for steps from `done` on; with it, any length above `done` is a whole schedule.
    """
    onset = onset or beginning(settings)
    if done <= onset.step:
        return onset
    ratio = _share(settings, done - 1, old_steps, onset)
    left = onset.step + onset.climb_steps - done
    if left > 0:
        return Onset(step=done, ratio=ratio, climb_steps=left, top=onset.top)
    return Onset(step=done, ratio=ratio, top=ratio)
