"""Whether, and when, the whole MPI job may be started again.

A lost node is worth an immediate relaunch; a job that dies at once whenever it is started is not
worth a thousand. So relaunches are bounded within a window, and wait longer and longer while each
try ends soon after it began. A try that lasted resets the waiting, so that a failure a day later
costs no time.
"""

from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from qmpi.units import Seconds

QUICK_SECONDS = 30.0
"""A try that ends within this time after its start counts as a failed start."""

LONGEST_WAIT_SECONDS = 60.0


class RelaunchDecision(Struct, frozen=True):
    """What the supervisor does next.

    Attributes:
        allowed: start again, after `wait_seconds`.
        wait_seconds: 0 if not allowed.
        reason: why, in words.
    """

    allowed: bool
    wait_seconds: Seconds
    reason: str


def may_relaunch(
    times: Sequence[Seconds], now: Seconds, max_relaunches: int, window_seconds: Seconds
) -> RelaunchDecision:
    """Decide whether a job that just ended is started again.

    Args:
        times: when earlier relaunches of this run began, ascending.
        now: when the job ended; same clock.
        max_relaunches: relaunches allowed within the window; 0: none ever.
        window_seconds: length of the window.

    Returns:
        The decision.
    """
    recent = sum(now - time < window_seconds for time in times)
    if recent >= max_relaunches:
        reason = (
            f"{recent} relaunches within {window_seconds:g} s, and {max_relaunches} are allowed: "
            "find out why the job keeps dying, or raise failure.max_relaunches"
        )
        return RelaunchDecision(allowed=False, wait_seconds=Seconds(0.0), reason=reason)
    number = f"relaunch {recent + 1} of {max_relaunches} within {window_seconds:g} s"
    streak = _failed_starts(times, now)
    wait = _wait(streak)
    if wait == 0:
        return RelaunchDecision(allowed=True, wait_seconds=wait, reason=f"{number}, at once")
    tries = "last" if streak == 1 else f"last {streak}"
    reason = f"{number}, in {wait:g} s: the {tries} ended within {QUICK_SECONDS:g} s of starting"
    return RelaunchDecision(allowed=True, wait_seconds=wait, reason=reason)


def _wait(streak: int) -> Seconds:
    if streak == 0:
        return Seconds(0.0)
    # The cap on the exponent keeps a very long streak from overflowing.
    return Seconds(min(LONGEST_WAIT_SECONDS, 2.0 ** min(streak - 1, 16)))


def _failed_starts(times: Sequence[Seconds], now: Seconds) -> int:
    """Return how many relaunches in a row, up to now, ended soon after they began."""
    streak = 0
    for begin, following in pairwise(times):
        # The time until the next start holds the wait before it, which is no sign of life. A try
        # that lasted little longer counts as failed: in doubt one wait more, never a rush.
        lived = following - begin - _wait(streak + 1)
        streak = streak + 1 if lived < QUICK_SECONDS else 0
    if times:
        streak = streak + 1 if now - times[-1] < QUICK_SECONDS else 0
    return streak
