"""Where the time of steps goes: the mean over some steps, shares, and how near the peak that is."""

from collections.abc import Collection

from msgspec.structs import asdict

from qmpi.protocol.progress import StepTimes

PARTS = StepTimes.__struct_fields__
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
    sums = {part: sum(getattr(times, part) for times in steps) for part in PARTS}
    return StepTimes(**{part: total / len(steps) for part, total in sums.items()})


def seconds(times: StepTimes) -> float:
    """Return the seconds of a whole step: the sum of its parts."""
    return sum(asdict(times).values())


def shares(times: StepTimes) -> dict[str, float]:
    """Return the share of each part in the step.

    Args:
        times: seconds by part.

    Returns:
        0 to 1 by part, all parts in order; nothing for a step that took no time.
    """
    whole = seconds(times)
    return {part: spent / whole for part, spent in asdict(times).items()} if whole > 0 else {}


def utilisation(flops_per_second: float, peak_flops: float) -> float | None:
    """Return the model-FLOPs utilisation.

    Args:
        flops_per_second: operations that the model's arithmetic needs for what was trained.
        peak_flops: what the hardware's matrix products reach at most, in the same unit.

    Returns:
        Their ratio, about 0 to 1; None where one of them is unknown.
    """
    return flops_per_second / peak_flops if flops_per_second > 0 and peak_flops > 0 else None
