"""The loop of a rank: turn after turn, with a sleep between those that find nothing.

Theory of operation. One thread. `qmpi.driver.process` decides what a turn does and how long the
rank may sleep after it; here it sleeps. MPI has no wait that sleeps, and a rank that spins takes a
core from those that compute. A result of a port's work ends the sleep at once, and a timer is never
slept over.
"""

import threading
from collections.abc import Iterable

from qmpi.driver.process import Process
from qmpi.protocol.envelope import RoleName


class Loop:
    """One rank, one clock, one thread."""

    def __init__(self, process: Process, wake: threading.Event) -> None:
        """Join the parts.

        Args:
            process: the rank.
            wake: set by what ends a sleep.
        """
        self.process = process
        self._wake = wake

    def run(self, roles: Iterable[RoleName]) -> None:
        """Start the roles and run until one of them wants to leave.

        Args:
            roles: roles of this rank, in the order in which they start.
        """
        self.process.start(roles)
        while not self.process.leaving:
            # Before the turn: what arrives from here on is taken by it, or ends the sleep after it.
            self._wake.clear()
            rest = self.process.turn()
            if rest.pause > 0 and not self.process.leaving:
                self._wake.wait(rest.pause)
