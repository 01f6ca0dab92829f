"""How a real world moves: threads work while the check sleeps."""

import faulthandler
import sys
import time
from collections.abc import Callable

PATIENCE_SECONDS = 50.0
"""Below the time-out of a rendezvous, which must not pass for an abort."""

MOMENT_SECONDS = 0.08


class Threads:
    """A world whose ports work on threads."""

    def drive(self, until: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not until():
            if time.monotonic() > deadline:
                self.tell_stacks()
                return False
            time.sleep(0.001)
        return True

    def tell_stacks(self) -> None:
        """Write on stderr where each thread is: a check that fails shows on what it waited."""
        faulthandler.dump_traceback(sys.__stderr__)

    def settle(self) -> None:
        time.sleep(MOMENT_SECONDS)
