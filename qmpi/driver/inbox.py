"""Results of work on their way to the roles that asked for it."""

from collections import deque
from collections.abc import Callable

from msgspec import Struct

from qmpi.ports.base import Event
from qmpi.protocol.envelope import RoleName


class Result(Struct, frozen=True):
    """What came of a piece of work."""

    owner: RoleName
    event: Event
    cause: str


class Inbox:
    """Results that no turn has taken yet, in order of arrival.

    Threads may put: `deque` appends and pops whole.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        """Make an empty inbox.

        Args:
            wake: called after each result, from the thread that put it; ends the process's sleep.
        """
        self._results: deque[Result] = deque()
        self._wake = wake

    def put(self, result: Result) -> None:
        """Add a result.

        Args:
            result: what came of a piece of work.
        """
        self._results.append(result)
        self._wake()

    def take(self) -> list[Result]:
        """Return all results that are here."""
        found: list[Result] = []
        while self._results:
            found.append(self._results.popleft())
        return found
