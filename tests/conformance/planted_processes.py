"""Processes ports with a planted mistake, which the suite must catch."""

import os
import signal

from qmpi.ports.processes import StopRequested
from qmpi.runtime.processes import HostProcesses
from qmpi.simulator.ports.processes import SimulatedProcesses


class RealRuthless(HostProcesses):
    """Kills whoever has the number."""

    def fence(self, pid, reason):
        del reason
        if pid > 1 and pid != os.getpid():
            os.kill(pid, signal.SIGKILL)


class RealRepeating(HostProcesses):
    """Tells of a request at every look."""

    def notices(self, now):
        self._told = False
        return super().notices(now)


class ModelledRepeating(SimulatedProcesses):
    """Tells of a request at every look."""

    def notices(self, now):
        del now
        return [StopRequested("again")] if self._asked else []


class RealOblivious(HostProcesses):
    """Takes a request that was taken back for one that nobody has made."""

    def _taken_back(self):
        return []


class ModelledOblivious(SimulatedProcesses):
    """Takes a request that was taken back for one that nobody has made."""

    def withdraw_recipe(self):
        self._files.recipe_request = None
