"""The learning rate of a step, and what becomes of it when a run is given another length.

Theory of operation. A schedule is a climb to a peak, perhaps a stretch at the peak, and a fall that
ends at `min_ratio` of the peak exactly in the last step. Rates are shares of the peak until the
last moment, so that a change of the peak changes no shape. A run begins with the climb from nothing
that its warm-up asks for. One that is given another length after part of its fall was trained
cannot keep its shape: `extension` says so, and `replan` gives the onset from which the new shape
goes on without a jump. Steps before an onset keep the rates that they were trained with, which the
older plan tells.

Sources: cosine, Loshchilov and Hutter (arXiv 1608.03983); warm-up, stable, decay, Hu et al.
(arXiv 2404.06395); climbing again to go on from a decayed rate, Ibrahim et al. (arXiv 2403.08763).
"""

from math import cos, pi
from typing import Literal

from msgspec import Struct

from qmpi.config.optimizer import OptimizerSettings


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
        settings: peak, shape and end of the schedule; the warm-up is resolved.
        step: >= 0 and not before the onset; from the last step on the rate stays.
        steps: length of the run, >= 1.
        onset: where the schedule sets in; None: at the beginning of a run.

    Returns:
        Learning rate, 0 to the peak.
    """
    return settings.learning_rate * share(settings, step, steps, onset or beginning(settings))


def share(settings: OptimizerSettings, step: int, steps: int, onset: Onset) -> float:
    """Compute the share of the peak that a step is trained with.

    Args:
        settings: shape and end of the schedule.
        step: >= the onset's; from the last step on the share stays.
        steps: length of the run, >= 1.
        onset: where the schedule sets in.

    Returns:
        0 to 1; exactly `min_ratio` at the last step of a schedule that falls and is longer than a
        step, unless it sets in below `min_ratio`, where it stays.
    """
    climbed = step - onset.step + 1
    if climbed < onset.climb_steps:
        return onset.ratio + (onset.top - onset.ratio) * climbed / onset.climb_steps
    begin, last = fall_begin(settings, steps, onset), steps - 1
    if settings.schedule == "constant" or begin > last or last == 0 or climbed == onset.climb_steps:
        return onset.top
    held = max(begin - 1, 0)
    progress = min(max((step - held) / (last - held), 0.0), 1.0)
    low, top = min(settings.min_ratio, onset.top), onset.top
    if progress == 1.0:
        return low
    if settings.schedule == "exponential":
        return top * (low / top) ** progress if low > 0.0 else 0.0
    return low + (top - low) * fall(settings, progress)


def fall(settings: OptimizerSettings, progress: float) -> float:
    """Return 1 to 0 over 0 <= progress <= 1, by the shape of the schedule."""
    if settings.schedule == "cosine":
        return 0.5 * (1.0 + cos(pi * progress))
    power = settings.power if settings.schedule == "polynomial" else 1.0
    return (1.0 - progress) ** power


def fall_begin(settings: OptimizerSettings, steps: int, onset: Onset) -> int:
    """Return the first step with a rate below the top; `steps` if there is none.

    Args:
        settings: shape of the schedule.
        steps: length of the run.
        onset: where the schedule sets in.
    """
    risen = onset.step + onset.climb_steps
    if settings.schedule == "constant" or (
        settings.schedule == "wsd" and settings.decay_share == 0.0
    ):
        return steps
    if settings.schedule != "wsd":
        # Without a climb the first step of a run is the one at the peak.
        return max(risen, 1)
    falling = max(1, round(settings.decay_share * steps))
    return max(risen, steps - falling, 1)


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
    if before == old_steps and after == new_steps:
        return Extension("same", "its rate never falls, whatever the number of steps")
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
    settings: OptimizerSettings,
    done: int,
    old_steps: int,
    onset: Onset | None = None,
    climb_steps: int = 0,
) -> Onset:
    """Return where the schedule sets in anew, so that the rate goes on from where it is.

    Args:
        settings: of the schedule that was trained with; the warm-up is resolved.
        done: steps trained so far, >= 0.
        old_steps: length that they were trained for.
        onset: where the schedule set in; None: at the beginning of the run.
        climb_steps: steps to climb to the peak again before the fall; 0: fall from where the rate
            is.

    Returns:
        The onset for steps from `done` on; with it, any length above `done` is a whole schedule.
    """
    onset = onset or beginning(settings)
    if done <= onset.step:
        return onset
    ratio = share(settings, done - 1, old_steps, onset)
    if climb_steps:
        return Onset(step=done, ratio=ratio, climb_steps=climb_steps)
    left = onset.step + onset.climb_steps - done
    if left > 0:
        return Onset(step=done, ratio=ratio, climb_steps=left, top=onset.top)
    return Onset(step=done, ratio=ratio, top=ratio)


def schedule_text(settings: OptimizerSettings, steps: int, onset: Onset | None = None) -> str:
    """Say in a line what a schedule will do.

    Args:
        settings: of the schedule; the warm-up is resolved.
        steps: length of the run.
        onset: where it sets in; None: at the beginning of the run.

    Returns:
        Peak, warm-up, where the fall begins and the last rate.
    """
    onset = onset or beginning(settings)
    begin = fall_begin(settings, steps, onset)
    top = settings.learning_rate * onset.top
    count = onset.climb_steps
    climb = f"climbs to {top:.3g} over {count:,} step{'' if count == 1 else 's'}" if count else ""
    parts = [climb or f"begins at {top:.3g}"]
    if begin >= steps:
        parts.append("stays there")
    else:
        last = learning_rate(settings, steps - 1, steps, onset)
        parts.append(f"falls from step {begin:,} on to {last:.3g} at step {steps - 1:,}")
    return f"{settings.schedule}: {', '.join(parts)}"
