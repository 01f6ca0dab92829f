"""What a line asks of the library that carries it: gloo, or NCCL between GPUs."""

from typing import Protocol

from qmpi.training.comm.group import Group, Work
from qmpi.training.comm.place import Ways


class Backend(Protocol):
    """The library's end of one line."""

    @property
    def group(self) -> Group:
        """All members of the line."""
        ...

    @property
    def ways(self) -> Ways:
        """Where messages to single members go."""
        ...

    def ended(self, work: Work, seconds: float) -> bool:
        """Wait for an operation for so long at most.

        Args:
            work: what is waited for.
            seconds: of a slice.

        Returns:
            Whether it has ended.

        Raises:
            RuntimeError: it failed.
        """
        ...

    def abandon(self) -> None:
        """Do what can be done to end operations that are left behind."""
        ...
