"""What a process watches besides messages: its parent, signals, and the request to stop."""

import os
import signal
from pathlib import Path
from types import FrameType

from qmpi.errors import LaunchError

STOPPING = (
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGXCPU,
)
"""Signals that ask a run to stop in order. mpirun passes SIGUSR1 and SIGUSR2 on to all ranks."""


class ProcessWatch:
    """Looked at a few times a second by the loop.

    A rank whose launcher died belongs to no job any more: nobody would tell it of other deaths, and
    a relaunched job would find it computing. It leaves.

    Attributes:
        is_coordinator: set once the rank is known; the coordinator's alone follows a request.
    """

    def __init__(self, stop_request: Path) -> None:
        """Remember the parent.

        Args:
            stop_request: file whose presence asks the run to stop.
        """
        self.is_coordinator = False
        self._stop_request = stop_request
        self._parent = os.getppid()
        self._signalled = ""

    def listen(self) -> None:
        """Take the signals that ask to stop; one that strikes no coordinator changes nothing.

        A Ctrl-C at the terminal reaches every rank of a job started by hand, and mpirun, which then
        ends them: it is mpirun's to obey.
        """
        for number in STOPPING:
            signal.signal(number, self.on_signal)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Note a signal; the loop acts on it.

        Args:
            number: which signal.
            frame: where it struck; not used.
        """
        del frame
        self._signalled = f"signal {signal.Signals(number).name}"

    def look(self) -> str | None:
        """Return why the run shall stop, or None.

        Returns:
            Words for the coordinator.

        Raises:
            LaunchError: the launcher is gone.
        """
        if os.getppid() != self._parent:
            raise LaunchError(
                "mpirun is gone; this rank leaves so that the job can be started again"
            )
        if not self.is_coordinator:
            return None
        if self._signalled:
            return self._signalled
        return "a stop was requested" if self._stop_request.exists() else None
