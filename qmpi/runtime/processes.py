"""Processes port: this process and its neighbours on the host, and what the outside asks.

Theory of operation. A process of this job is known in two ways: it has the same launcher as this
one, or it has written who it is (`storage.rank_files`), pid and start time, since a pid alone may
have been given to a stranger. Nobody else is ever killed.

The outside asks by a signal or by a file, and is looked at a few times a second. A rank whose
launcher has died belongs to no job any more: nobody would tell it of other deaths, and a relaunched
job would find it computing. It leaves.
"""

import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from qmpi.errors import LaunchError, StorageError
from qmpi.ports.base import Event
from qmpi.ports.processes import ProfileRequested, RecipeRequested, StopRequested
from qmpi.protocol.recipe import RecipeRequest
from qmpi.storage.named_request import withdraw_request
from qmpi.storage.profile_request import take_request
from qmpi.storage.rank_files import parent_of, read_rank_files, start_ticks
from qmpi.storage.recipe_request import read_recipe_request
from qmpi.units import Seconds

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.25

STOPPING = (
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGXCPU,
)
"""Signals that ask a run to stop in order. mpirun passes SIGUSR1 and SIGUSR2 on to all ranks."""


def waiting_request(path: Path) -> RecipeRequest | None:
    """Return what waits to be answered; what is no request is passed over.

    Args:
        path: `RunDirectory.recipe_request`.
    """
    try:
        return read_recipe_request(path)
    except StorageError as error:
        logger.warning("a request for other weights is passed over: %s", error)
        return None


class HostProcesses:
    """The processes of this host, as one rank sees them.

    Attributes:
        is_coordinator: set once the rank is known; the coordinator's alone follows a request.
        leaving: True once this process shall leave.
        exit_code: what it returns then.
        reason: why it leaves.
    """

    def __init__(
        self, ranks: Path, stop_request: Path, profile_request: Path, recipe_request: Path
    ) -> None:
        """Remember the launcher.

        Args:
            ranks: folder in which the ranks of the job say who they are.
            stop_request: file whose presence asks the run to stop.
            profile_request: file that asks for a profile; taken away when it is read.
            recipe_request: file that asks for other weights; stays until it is answered.
        """
        self.is_coordinator = False
        self._ranks = ranks
        self._stop_request = stop_request
        self._profile_request = profile_request
        self._recipe_request = recipe_request
        self._recipe_told, self._is_open = "", False
        self._launcher = os.getppid()
        self._signalled = ""
        self._disowned = False
        self._told = False
        self._next_look = Seconds(0.0)
        self.leaving = False
        self.exit_code = 0
        self.together = False
        self.reason = ""

    def listen(self) -> None:
        """Take the signals that ask to stop; one that strikes no coordinator changes nothing.

        A Ctrl-C at the terminal reaches every rank of a job started by hand, and mpirun, which then
        ends them: it is mpirun's to obey.
        """
        for number in STOPPING:
            signal.signal(number, self.on_signal)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Note a signal; the next look tells of it.

        Args:
            number: which signal.
            frame: where it struck; not used.
        """
        del frame
        self._signalled = f"signal {signal.Signals(number).name}"

    def disown(self) -> None:
        """Note that another host has taken the run over; any thread may call."""
        self._disowned = True

    def fence(self, pid: int, reason: str) -> None:
        """Kill a process of this job on this host; one that is gone already is no error.

        Args:
            pid: which.
            reason: why, in words.
        """
        if pid <= 1 or pid == os.getpid() or not self._is_ours(pid):
            logger.error("will not fence process %d, no other of this job: %s", pid, reason)
            return
        logger.warning("fencing process %d: %s", pid, reason)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            logger.info("process %d is gone already", pid)
        except PermissionError:
            logger.exception("process %d cannot be fenced", pid)

    def leave(self, exit_code: int, reason: str, *, together: bool) -> None:
        """Note that this process shall leave; the first reason stands.

        Args:
            exit_code: with which code.
            reason: why, in words.
            together: the whole job ends.
        """
        if not self.leaving:
            self.leaving, self.exit_code, self.reason = True, exit_code, reason
            self.together = together

    def notices(self, now: Seconds) -> Sequence[Event]:
        """Look at what the outside asks of this rank, at most every `LOOK_SECONDS`.

        Args:
            now: clock.

        Returns:
            `StopRequested`, once, and `ProfileRequested` and `RecipeRequested`, once each, on the
            rank that is asked.

        Raises:
            LaunchError: the launcher is gone, or the run is another's now.
        """
        if now < self._next_look:
            return ()
        self._next_look = Seconds(now + LOOK_SECONDS)
        if os.getppid() != self._launcher:
            raise LaunchError(
                "mpirun is gone; this rank leaves so that the job can be started again"
            )
        if self._disowned:
            raise LaunchError(
                "another host took this one for dead and has taken the run over; this rank leaves"
            )
        told: list[Event] = []
        reason = "" if self._told else self._asked()
        if reason:
            self._told = True
            told.append(StopRequested(reason))
        if self.is_coordinator and self._profile_request.exists():
            told += self._profile()
        if self.is_coordinator:
            told += self._recipe() if self._recipe_request.exists() else self._taken_back()
        return told

    def close_request(self, name: str) -> None:
        """Take a request for other weights away; one that is gone already is no error.

        Args:
            name: of the request; another one stays.
        """
        self._is_open = self._is_open and name != self._recipe_told
        try:
            withdraw_request(self._recipe_request, name)
        except StorageError as error:
            # The journal has its name: whoever reads it again knows that it is answered.
            logger.warning("a request that is answered stays: %s", error)

    def _recipe(self) -> list[Event]:
        request = waiting_request(self._recipe_request)
        if request is None or request.name == self._recipe_told:
            return []
        self._recipe_told, self._is_open = request.name, True
        return [RecipeRequested(request)]

    def _taken_back(self) -> list[Event]:
        if not self._is_open:
            return []
        # Told anew if it is there again: a directory may be out of sight for a moment.
        self._recipe_told, self._is_open = "", False
        return [RecipeRequested(None)]

    def _profile(self) -> list[Event]:
        try:
            request = take_request(self._profile_request)
        except StorageError as error:
            logger.warning("a request for a profile is passed over: %s", error)
            return []
        return [ProfileRequested(request)]

    def _asked(self) -> str:
        if not self.is_coordinator:
            return ""
        if self._signalled:
            return self._signalled
        return "a stop was requested" if self._stop_request.exists() else ""

    def _is_ours(self, pid: int) -> bool:
        if parent_of(pid) == self._launcher > 1:
            return True
        host = os.uname().nodename
        named = (p for p in read_rank_files(self._ranks) if p.pid == pid and p.host == host)
        return any(process.started and process.started == start_ticks(pid) for process in named)
