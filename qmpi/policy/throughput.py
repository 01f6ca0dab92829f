"""Rates, time to go, and curves thin enough to draw."""

from collections.abc import Sequence
from typing import TypeVar

from qmpi.units import Seconds

Point = TypeVar("Point")


def rate(points: Sequence[tuple[Seconds, int]], window: Seconds) -> float:
    """Return the mean growth per second over the last seconds.

    Args:
        points: (time, running count), ascending by time.
        window: how far back from the last point to look, in seconds.

    Returns:
        Counts per second, >= 0; 0 while there are not two points in the window.
    """
    if not points:
        return 0.0
    end, last = points[-1]
    recent = [point for point in points if end - point[0] <= window]
    begin, first = recent[0]
    return max(0.0, (last - first) / (end - begin)) if end > begin else 0.0


def eta(left: int, per_second: float) -> Seconds | None:
    """Return the time to go.

    Args:
        left: what is left to do.
        per_second: how much is done per second.

    Returns:
        Seconds; None while nothing moves.
    """
    if left <= 0:
        return Seconds(0.0)
    return Seconds(left / per_second) if per_second > 0 else None


def thin(points: Sequence[Point], limit: int = 200) -> tuple[Point, ...]:
    """Drop points of a curve evenly, keeping its first and its last.

    Args:
        points: the curve.
        limit: most points to keep, >= 2.

    Returns:
        At most `limit` of the points, in order; all of them if they are few enough.
    """
    size = len(points)
    if size <= limit:
        return tuple(points)
    return tuple(points[index * (size - 1) // (limit - 1)] for index in range(limit))
