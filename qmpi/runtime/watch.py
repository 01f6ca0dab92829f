"""What a process watches besides messages: its parent, signals, and the request to stop."""

import os
import signal
from pathlib import Path
from types import FrameType

from qmpi.errors import LaunchError


class ProcessWatch:
    """Looked at a few times a second by the loop.

    A rank whose launcher died belongs to no job any more: nobody would tell it of other deaths, and
    a relaunched job would find it computing. It leaves.
    """

    def __init__(self, stop_request: Path, *, is_coordinator: bool) -> None:
        """Remember the parent.

        Args:
            stop_request: file whose presence asks the run to stop.
            is_coordinator: only the coordinator's rank follows a stop request.
        """
        self._stop_request = stop_request
        self._is_coordinator = is_coordinator
        self._parent = os.getppid()
        self._signalled = ""

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
        if not self._is_coordinator:
            return None
        if self._signalled:
            return self._signalled
        return "a stop was requested" if self._stop_request.exists() else None
