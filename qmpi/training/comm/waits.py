"""Waits that can be left: cut into slices, between which the wait looks at `aborted`."""

from collections.abc import Callable

from qmpi.errors import PeerLost

Aborted = Callable[[], str | None]
"""Says why the work in hand shall end, or None."""

FIRST_SLICE = 0.002
LAST_SLICE = 0.02
"""Seconds; slices grow, since a short operation should not be cut often nor a long one late."""


def next_slice(seconds: float) -> float:
    """Return the slice that follows one of this length, in seconds."""
    return min(LAST_SLICE, 2 * seconds)


def leave_if_told(aborted: Aborted) -> None:
    """Go on if nothing says otherwise.

    Args:
        aborted: says why to leave, or None.

    Raises:
        PeerLost: it says so.
    """
    reason = aborted()
    if reason is not None:
        raise PeerLost(f"told to leave: {reason}")


def first_line(error: Exception) -> str:
    """Return the first line of an error's text; torch appends C++ frames."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
