"""Notice a job that lives but gets nowhere: its processes are there, its coordinator says nothing.

The coordinator fences every silent rank, but nobody inside the job can fence the coordinator, and a
rank that dies inside MPI's own start leaves the others waiting there for ever. Both show in
RUN/status.json, which a healthy coordinator keeps writing. Silence is counted by looks, none for
more than a second, so that a machine that slept does not count as a job that hangs. A job whose
status says how it ended writes no other: it brings its journal and its end marker to the disk.
"""

from pathlib import Path

from qmpi.config.settings import FailureSettings
from qmpi.errors import StorageError
from qmpi.storage.status_file import read_status
from qmpi.units import Seconds

ENDED = ("finished", "stopped", "failed")

ENDING_SECONDS = 120.0
"""How long that may take on a disk that is busy with the last checkpoint."""

LONGEST_LOOK = 1.0
"""Seconds of silence that one look may add."""


class StallWatch:
    """Watches the status of one start of the job."""

    def __init__(
        self, status: Path, limits: FailureSettings, status_seconds: float, now: Seconds
    ) -> None:
        """Begin at the start of the job.

        Args:
            status: RUN/status.json.
            limits: start_seconds counts until the first status, then twice dead_seconds: whatever
                the coordinator can heal itself, it has healed by then.
            status_seconds: time between two writes.
            now: time of the start.
        """
        self._status = status
        self._limit = limits.start_seconds
        self._later = 2 * limits.dead_seconds + 3 * status_seconds
        self._looked = now
        self._silent = 0.0
        self._has_written = False
        self._stamp = self._read()

    def look(self, now: Seconds) -> str:
        """Look once.

        Args:
            now: time of this look.

        Returns:
            Why the job must be ended, in words; "" while it is well.
        """
        self._silent += min(max(0.0, now - self._looked), LONGEST_LOOK)
        self._looked = now
        stamp = self._read()
        if stamp != self._stamp:
            self._stamp, self._limit, self._silent = stamp, self._later, 0.0
            self._has_written = True
        if self._silent <= self._limit:
            return ""
        if self._silent <= ENDING_SECONDS and self._is_ending():
            return ""
        return f"the job hangs: no new status for {self._silent:.0f} s; ending it"

    def _is_ending(self) -> bool:
        try:
            # What an earlier start has left says nothing of this one.
            return self._has_written and read_status(self._status.parent).state in ENDED
        except StorageError:
            return False

    def _read(self) -> int:
        try:
            return self._status.stat().st_mtime_ns
        except OSError:
            return 0
