"""A rank that takes most of the memory there is says so, once, before the kernel kills it."""

from collections.abc import Callable

from qmpi.storage.memory_here import memory_limit, resident_bytes

ALERT_SHARE = 0.85
"""Of what processes may have here; what a rank is told of above it."""


class MemoryWatch:
    """What one process takes of the memory that processes may have here."""

    def __init__(
        self,
        limit: Callable[[], int] = memory_limit,
        resident: Callable[[], int] = resident_bytes,
    ) -> None:
        """Look at nothing yet.

        Args:
            limit: tells the bytes that processes may have.
            resident: tells the bytes that this one takes.
        """
        self._ask_limit, self._resident = limit, resident
        self._limit: int | None = None
        self._has_told = False

    def look(self) -> str:
        """Look at what is taken now.

        Returns:
            A sentence the first time that it is `ALERT_SHARE` or more; "" before and after.
        """
        if self._has_told:
            return ""
        if self._limit is None:
            self._limit = self._ask_limit()
        taken = self._resident()
        if taken < ALERT_SHARE * self._limit:
            return ""
        self._has_told = True
        return (
            f"takes {_gib(taken)} of the {_gib(self._limit)} that all processes may have here: "
            "lower memory.budget"
        )


def _gib(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"
