"""The one clock of a process: seconds since the epoch that never jump."""

import time

from qmpi.units import Seconds


class Clock:
    """Wall time read once, then carried on by the monotonic clock.

    A wall clock that is set back would fire timers late and make records run backwards; a monotonic
    clock alone says nothing to people.

    Attributes:
        began: when it was made, seconds since the epoch.
    """

    def __init__(self) -> None:
        """Read both clocks."""
        self._offset = time.time() - time.monotonic()
        self.began = self.now()

    def now(self) -> Seconds:
        """Return seconds since the epoch."""
        return Seconds(self._offset + time.monotonic())

    @staticmethod
    def thread_seconds() -> float:
        """Return the seconds of processor time that the calling thread has used."""
        return time.thread_time()

    @staticmethod
    def sleep(seconds: float) -> None:
        """Let the process sleep.

        Args:
            seconds: how long.
        """
        time.sleep(seconds)
