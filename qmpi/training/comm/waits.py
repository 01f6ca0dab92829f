"""Waits that can be left: cut into slices, between which the wait looks at `aborted`."""

import errno
import os
from collections.abc import Callable

from qmpi.errors import PeerLost

REFUSALS = tuple(
    os.strerror(number) for number in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
)
"""What the machine says that gives a process no more threads, memory or descriptors. C++ hands
on the words alone."""

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


def refused(why: str) -> bool:
    """Return whether an error says that this machine gives the process no more of something."""
    return any(refusal in why for refusal in REFUSALS)
