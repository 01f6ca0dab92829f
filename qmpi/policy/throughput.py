"""Rates, time to go, and curves thin enough to draw."""

from collections.abc import Sequence
from typing import TypeVar

from qmpi.units import Seconds

Point = TypeVar("Point")

KEPT_POINTS = 256


def rate(
    points: Sequence[tuple[Seconds, int]], window: Seconds, worked: Sequence[float] = ()
) -> float:
    """Return the mean growth per second over the last seconds.

    Whoever stood still finds what came meanwhile all at once, as if it had taken no time. So it is
    measured from before the window on, and takes no less than whoever did it says.

    Args:
        points: (time, running count), ascending by time.
        window: how far back from the last point to look at least, in seconds.
        worked: running count of the seconds that the growth took, one a point; empty: not known.

    Returns:
        Counts per second, >= 0; 0 while there are not two points.
    """
    if not points:
        return 0.0
    end, last = points[-1]
    older = [number for number, point in enumerate(points) if end - point[0] >= window]
    first = older[-1] if older else 0
    begin, before = points[first]
    seconds = max(end - begin, worked[-1] - worked[first] if worked else 0.0)
    return max(0.0, (last - before) / seconds) if seconds > 0 else 0.0


class Pace:
    """How fast work has been of late, by reports of what was done and how long that took."""

    def __init__(self, window: Seconds) -> None:
        """Know of nothing yet.

        Args:
            window: how far back to look.
        """
        self._window = window
        self.clear()

    def clear(self) -> None:
        """Forget what was reported so far."""
        self._points: list[tuple[Seconds, int]] = []
        self._worked: list[float] = []
        self._took = 0.0

    def add(self, time: Seconds, count: int, took: float) -> None:
        """Take a report.

        Args:
            time: at which it came.
            count: done in all.
            took: seconds that what is new took.
        """
        self._took = took
        self._worked.append((self._worked[-1] if self._worked else 0.0) + took)
        self._points.append((time, count))
        del self._points[:-KEPT_POINTS], self._worked[:-KEPT_POINTS]

    def speed(self, now: Seconds) -> float:
        """Return how fast it is.

        Args:
            now: clock.

        Returns:
            Counts per second; 0 before the second report, and if none came for long.
        """
        long = max(self._window, 2 * self._took)
        if not self._points or now - self._points[-1][0] > long:
            return 0.0
        return rate(self._points, self._window, self._worked)


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
