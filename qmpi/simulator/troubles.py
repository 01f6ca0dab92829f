"""Work that is going to fail: what faults have announced and ports have not met yet."""

from collections import Counter

from qmpi.units import Rank, Seconds

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
        self._away: dict[Rank | None, Seconds] = {}
        self._hanging: dict[Rank | None, Seconds] = {}

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

    def lose_files(self, rank: Rank | None, until: Seconds, *, hangs: bool) -> None:
        """Let no data file be read for a time.

        Args:
            rank: for whom; None: for all.
            until: virtual clock.
            hangs: reads end only then; else they fail.
        """
        (self._hanging if hangs else self._away)[rank] = until

    def is_away(self, rank: Rank, now: Seconds) -> bool:
        """Return whether a rank cannot read data files.

        Args:
            rank: who.
            now: virtual clock.
        """
        return any(now < self._away.get(who, 0.0) for who in (rank, None))

    def hangs_until(self, rank: Rank) -> float:
        """Return when the reads of a rank get on again.

        Args:
            rank: who reads.

        Returns:
            Virtual clock; perhaps long ago.
        """
        return max(self._hanging.get(who, 0.0) for who in (rank, None))
