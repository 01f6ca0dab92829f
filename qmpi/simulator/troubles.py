"""Work that is going to fail: what faults have announced and ports have not met yet."""

from collections import Counter

from qmpi.units import Rank

CONNECTION = "connection"
"""A rank's own machine refuses it one."""

RENDEZVOUS = "rendezvous"
"""A rank does not reach the others; whose fault it is, nobody can say."""

FOR_EVER = 1 << 62
"""More often than any run asks."""


class Troubles:
    """Failures that wait for their work.

    Invariants: no count is negative.
    """

    def __init__(self) -> None:
        """Everything works."""
        self._waiting: Counter[tuple[str, Rank]] = Counter()

    def expect(self, work: str, rank: Rank, times: int) -> None:
        """Let the next pieces of some work fail.

        Args:
            work: "block", "rows", "source", `CONNECTION` or `RENDEZVOUS`.
            rank: where.
            times: how many pieces.
        """
        self._waiting[work, rank] = times

    def meet(self, work: str, rank: Rank) -> bool:
        """Say whether this piece of work fails, and count it.

        Args:
            work: as in `expect`.
            rank: where.

        Returns:
            True if it fails.
        """
        if not self._waiting or not self._waiting[work, rank]:
            return False
        self._waiting[work, rank] -= 1
        return True
