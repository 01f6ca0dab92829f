"""Tickets: which engine work an abort condemns.

Theory of operation. Each join and step gets the next ticket when a role asks for it. An abort
condemns every ticket issued so far: one that comes before the engine picks the work up is not lost,
and one that comes too late does not strike the next group's work. Engine threads read tickets while
the driver writes them; each of the two fields is written by the driver alone, the reason first.
"""

from qmpi.ports.engine import Condemned
from qmpi.units import Rank


class Tickets:
    """Tickets of one process.

    Invariants: numbers grow; what is condemned stays condemned.
    """

    def __init__(self, rank: Rank) -> None:
        """Issue none yet.

        Args:
            rank: whose; for reasons in words.
        """
        self._rank = rank
        self._issued = 0
        self._condemned = 0
        self._reason = ""

    def issue(self) -> Condemned:
        """Issue the ticket of the next piece of work.

        Returns:
            Says why this piece shall end early, or None.
        """
        self._issued += 1
        number = self._issued
        return lambda: self._reason if number <= self._condemned else None

    def condemn(self, reason: str) -> None:
        """Condemn all work issued so far.

        Args:
            reason: why, in words.
        """
        self._reason = reason or f"rank {self._rank} was told to stop"
        self._condemned = self._issued


def never() -> None:
    """Return None: work that no abort condemns."""
    return
