"""What a simulated engine needs of the process that it runs in."""

from collections.abc import Callable
from typing import Protocol

from qmpi.ports.base import Event
from qmpi.protocol.envelope import RoleName
from qmpi.simulator.group_model import SimulatedGroup
from qmpi.units import Generation, Rank


class Surroundings(Protocol):
    """What an engine needs of the process that it runs in."""

    @property
    def rank(self) -> Rank:
        """This rank."""
        ...

    @property
    def host(self) -> str:
        """Its machine."""
        ...

    def later(self, delay: float, action: Callable[[], None]) -> None:
        """Plan something on this process.

        Args:
            delay: seconds.
            action: skipped if the process is gone by then.
        """
        ...

    def finished(self, owner: RoleName, event: Event, cause: str) -> None:
        """Hand a result to the roles.

        Args:
            owner: who asked for the work.
            event: the result.
            cause: of the work.
        """
        ...

    def group(self, generation: Generation, size: int) -> SimulatedGroup:
        """Return the group of a generation.

        Args:
            generation: its number.
            size: its members.
        """
        ...

    def weights_changed(self, generation: Generation, step: int, weights: bytes) -> None:
        """Tell the invariants what the weights are now.

        Args:
            generation: the group.
            step: weights are those before it.
            weights: the chain.
        """
        ...
