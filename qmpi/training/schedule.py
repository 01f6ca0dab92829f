"""The learning rate of a step: a pure function of the settings and the step."""

from math import cos, pi

from qmpi.config.settings import OptimizerSettings


def learning_rate(settings: OptimizerSettings, step: int, steps: int) -> float:
    """Compute the learning rate of a step.

    Args:
        settings: peak, warm-up, shape and end of the schedule.
        step: 0 <= step < steps; later steps keep the final rate.
        steps: length of the run.

    Returns:
        Learning rate, > 0 unless `min_ratio` is 0.
    """
    peak = settings.learning_rate
    if step < settings.warmup_steps:
        return peak * (step + 1) / settings.warmup_steps
    if settings.schedule == "cosine":
        start, falling = settings.warmup_steps, cosine_fall
    else:
        start = max(settings.warmup_steps, steps - round(settings.decay_share * steps))
        falling = linear_fall
    falls = 0 <= step - start < steps - start
    progress = (step - start) / (steps - start) if falls else float(step >= steps)
    return peak * (settings.min_ratio + (1.0 - settings.min_ratio) * falling(progress))


def cosine_fall(progress: float) -> float:
    """Return 1 to 0 over 0 <= progress <= 1 along half a cosine."""
    return 0.5 * (1.0 + cos(pi * progress))


def linear_fall(progress: float) -> float:
    """Return 1 to 0 over 0 <= progress <= 1 along a line."""
    return 1.0 - progress
