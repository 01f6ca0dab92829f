"""The processes of a simulated host, seen from one of them."""

from collections.abc import Callable, Sequence

from qmpi.ports.base import Event
from qmpi.ports.processes import ProfileRequested, RecipeRequested, StopRequested
from qmpi.protocol.profiles import ProfileRequest
from qmpi.protocol.recipe import RecipeRequest
from qmpi.simulator.files import Files
from qmpi.units import Seconds

Fencing = Callable[[str, int, str], None]
"""Kills process (host, pid) of the job for a reason, if there is such a one."""


def _nothing() -> None:
    """Nobody waits for notices."""


class SimulatedProcesses:
    """This process and the others of its host.

    Invariants: `leaving` never becomes False again; each request is told once.
    """

    def __init__(self, host: str, pid: int, fencing: Fencing, files: Files) -> None:
        """Look around.

        Args:
            host: this machine.
            pid: this process.
            fencing: what kills others.
            files: where a request for other weights stays until it is answered.
        """
        self._host = host
        self._pid = pid
        self._fencing = fencing
        self._files = files
        self._notices: list[Event] = []
        self._asked = False
        self.on_notice: Callable[[], None] = _nothing
        self.exit_code = 0
        self.reason = ""
        self._leaving = False

    @property
    def leaving(self) -> bool:
        """True once this process shall leave."""
        return self._leaving

    def fence(self, pid: int, reason: str) -> None:
        """Kill a process of this job on this host, never this one.

        Args:
            pid: which; one that is gone already is no error.
            reason: why, in words.
        """
        if pid != self._pid:
            self._fencing(self._host, pid, reason)

    def leave(self, exit_code: int, reason: str, *, together: bool) -> None:
        """Note that this process shall leave; the first word stands.

        Args:
            exit_code: with which code.
            reason: why, in words.
            together: makes no difference here: no launcher looks at exit codes.
        """
        del together
        if not self._leaving:
            self._leaving, self.exit_code, self.reason = True, exit_code, reason

    def notices(self, now: Seconds) -> Sequence[Event]:
        """Return what the outside asks of this rank since the last look.

        Args:
            now: not needed: the news are here at once.
        """
        del now
        if not self._notices:
            return ()
        told, self._notices = self._notices, []
        return told

    def ask_profile(self, request: ProfileRequest) -> None:
        """Ask for a profile, as a user does.

        Args:
            request: what is asked for.
        """
        self._notices.append(ProfileRequested(request))
        self.on_notice()

    def ask_recipe(self, request: RecipeRequest) -> None:
        """Ask for other weights of the sources, as a user does.

        Args:
            request: what is asked for.
        """
        self._files.recipe_request = request
        self._notices.append(RecipeRequested(request))
        self.on_notice()

    def withdraw_recipe(self) -> None:
        """Take back what was asked for and is not answered, as a user does."""
        if self._files.recipe_request is not None:
            self._files.recipe_request = None
            self._notices.append(RecipeRequested(None))
            self.on_notice()

    def close_request(self, name: str) -> None:
        """Take a request for other weights away; one that is gone already is no error.

        Args:
            name: of the request; another one stays.
        """
        asked = self._files.recipe_request
        if asked is not None and asked.name == name:
            self._files.recipe_request = None

    def ask_stop(self, reason: str) -> None:
        """Ask the run to stop, as a user or a batch system does.

        Args:
            reason: why, in words.
        """
        if not self._asked:
            self._asked = True
            self._notices.append(StopRequested(reason))
            self.on_notice()
