"""Where the time of steps goes: the mean over some steps, shares, and how near the peak that is."""

from collections.abc import Collection

from qmpi.protocol.progress import StepTimes

PARTS = tuple(name for name in StepTimes.__struct_fields__ if name != "hidden")
"""Names of the parts, in the order in which they are shown."""


def mean_times(steps: Collection[StepTimes]) -> StepTimes | None:
    """Return the mean seconds of a step by part.

    Args:
        steps: of the steps to average.

    Returns:
        The mean; None of no steps.
    """
    if not steps:
        return None
    names = StepTimes.__struct_fields__
    sums = {name: sum(getattr(times, name) for times in steps) for name in names}
    return StepTimes(**{name: total / len(steps) for name, total in sums.items()})


def seconds(times: StepTimes) -> float:
    """Return the seconds of a whole step: the sum of its parts."""
    return sum(by_part(times).values())


def by_part(times: StepTimes) -> dict[str, float]:
    """Return the seconds of each part, in the order in which they are shown."""
    return {part: getattr(times, part) for part in PARTS}


def hidden_share(times: StepTimes) -> float | None:
    """Return how much of the communication is hidden behind computing.

    Args:
        times: seconds by part, and what is hidden.

    Returns:
        0 to 1 of what is hidden and what is waited for together; None where nothing is hidden.
    """
    both = times.hidden + times.communication
    return times.hidden / both if times.hidden > 0 else None


def shares(times: StepTimes) -> dict[str, float]:
    """Return the share of each part in the step.

    Args:
        times: seconds by part.

    Returns:
        0 to 1 by part, all parts in order; nothing for a step that took no time.
    """
    whole = seconds(times)
    return {part: spent / whole for part, spent in by_part(times).items()} if whole > 0 else {}


def utilisation(flops_per_second: float, peak_flops: float) -> float | None:
    """Return the model-FLOPs utilisation.

    Args:
        flops_per_second: operations that the model's arithmetic needs for what was trained.
        peak_flops: what the hardware's matrix products reach at most, in the same unit.

    Returns:
        Their ratio, about 0 to 1; None where one of them is unknown.
    """
    return flops_per_second / peak_flops if flops_per_second > 0 and peak_flops > 0 else None
