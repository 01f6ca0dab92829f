"""A series as one line of text: how the loss has gone, at a glance.

Each character stands for an equal share of the series and shows the mean of its share, scaled
between the smallest and the largest mean. A constant series is drawn at half height, so that it
does not look like zero.
"""

import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """Draw a series.

    Args:
        values: in order; those that are not finite are left out.
        width: most characters to use, >= 1.

    Returns:
        At most `width` characters; "" for an empty series.
    """
    finite = [value for value in values if math.isfinite(value)]
    means = _means(finite, max(1, width))
    if not means:
        return ""
    low, high = min(means), max(means)
    if low == high:
        return BLOCKS[len(BLOCKS) // 2] * len(means)
    top = len(BLOCKS) - 1
    return "".join(BLOCKS[round((value - low) / (high - low) * top)] for value in means)


def _means(values: Sequence[float], width: int) -> list[float]:
    count = min(width, len(values))
    means: list[float] = []
    for number in range(count):
        share = values[len(values) * number // count : len(values) * (number + 1) // count]
        means.append(math.fsum(share) / len(share))
    return means
