"""Reads of files that are out of reach: when to try again, and when enough was waited.

Theory of operation. A network file system that goes away comes back, mostly. A read that fails for
want of it is tried again, later and later; one that hangs is waited for. Patience is over for a
read that fails for so long, as one bad place on a disk does, and for all of them once nothing at
all was read for so long. From then on a new read gets one try, so that others are asked soon, and
this rank notices when its files are back.

Invariants: each read is under way, or waits for its next try; `silent_since` is not later than any
moment at which a read was under way since something was last read.
"""

from collections.abc import Hashable
from math import inf
from typing import Generic, TypeVar

from msgspec import Struct

from qmpi.units import Seconds

K = TypeVar("K", bound=Hashable)

FIRST_PAUSE = Seconds(1.0)
LONGEST_PAUSE = Seconds(15.0)
"""Before a read is tried again; each is twice the one before."""

GRACE = Seconds(30.0)
"""What a read may take although nothing was read for longer than patience lasts."""


class Read(Struct):
    """A read that has not come.

    Attributes:
        since: when it was first asked for.
        begun_at: when the try under way began, or the last one.
        tries: that failed.
        due: when it is tried again; infinite while it is under way.
        reason: why the last try failed, in words.
    """

    since: Seconds
    begun_at: Seconds
    tries: int = 0
    due: float = inf
    reason: str = ""


class Outage(Generic[K]):
    """The reads of one rank that have not come.

    Attributes:
        patience: seconds for which reads are tried again.
        reads: by what they are for.
        silent_since: since when nothing was read although it was asked for; None: all is well.
        is_stuck: a read that hangs was given up, and nothing has come since: all wait behind it.
    """

    def __init__(self, patience: Seconds) -> None:
        """Nothing was asked for yet.

        Args:
            patience: seconds, > 0.
        """
        self.patience = patience
        self.reads: dict[K, Read] = {}
        self.silent_since: Seconds | None = None
        self.is_stuck = False

    @property
    def reason(self) -> str:
        """Why reads are tried again, in words; "" if none is."""
        return next((read.reason for read in self.reads.values() if read.tries), "")

    def is_silent_for(self, seconds: Seconds, now: Seconds) -> bool:
        """Return whether nothing was read for some time although it was asked for.

        Args:
            seconds: how long.
            now: clock.
        """
        return self.silent_since is not None and now - self.silent_since > seconds

    def begin(self, key: K, now: Seconds) -> None:
        """Note that a read is under way, for the first time or again.

        Args:
            key: what it is for.
            now: clock.
        """
        read = self.reads.setdefault(key, Read(now, now))
        read.begun_at, read.due = now, inf
        if self.silent_since is None:
            self.silent_since = now

    def answered(self, key: K, now: Seconds) -> None:
        """Note that a read came, or failed for what the file holds: it is within reach.

        Args:
            key: what it is for.
            now: clock.
        """
        self.reads.pop(key, None)
        self.is_stuck = False
        self.silent_since = now if self.reads else None

    def failed(self, key: K, reason: str, now: Seconds) -> bool:
        """Note that files are out of reach.

        Args:
            key: what the read is for.
            reason: in words.
            now: clock.

        Returns:
            Whether to try again later; else it is forgotten.
        """
        self.is_stuck = False
        read = self.reads.get(key)
        if read is None:
            return False
        read.reason = reason
        lasts = self._is_over(self.silent_since, now)
        if lasts or self._is_over(read.since, now):
            del self.reads[key]
            if not self.reads and not lasts:
                self.silent_since = None
            return False
        read.due = now + min(FIRST_PAUSE * 2**read.tries, LONGEST_PAUSE)
        read.tries += 1
        return True

    def forgive(self, seconds: Seconds) -> None:
        """Leave a time out of all that was waited: this process itself did not run.

        Args:
            seconds: how long.
        """
        if self.silent_since is not None:
            self.silent_since = Seconds(self.silent_since + seconds)
        for read in self.reads.values():
            read.since = Seconds(read.since + seconds)
            read.begun_at = Seconds(read.begun_at + seconds)

    def due(self, now: Seconds) -> list[K]:
        """Return the reads whose next try is due.

        Args:
            now: clock.
        """
        return [key for key, read in self.reads.items() if read.due <= now]

    def hung(self, now: Seconds) -> list[K]:
        """Return reads that are under way, and were waited for long enough; they are forgotten.

        Args:
            now: clock.
        """
        if not self._is_over(self.silent_since, now):
            return []
        grace = 0.0 if self.is_stuck else min(GRACE, self.patience)
        found = [k for k, r in self.reads.items() if r.due == inf and now - r.begun_at >= grace]
        for key in found:
            del self.reads[key]
        self.is_stuck = self.is_stuck or bool(found)
        return found

    def _is_over(self, since: Seconds | None, now: float) -> bool:
        return since is not None and now - since >= self.patience
