"""All lines of one member in one generation, made together.

Theory of operation. A member says on all its lines that it is there before it waits on any, so that
members wait for the latest of them once and not once a line. Lines are then connected one after the
other, in one order for all. Each line is connected between its own members only: there is no group
of the whole world. A line costs a member one connection to each other member, as many keys of the
store, and two for each member that its messages reach.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch._C._distributed_c10d import PrefixStore, Store

from qmpi.errors import InvariantError
from qmpi.training.comm.line import Comm, Gpu
from qmpi.training.comm.store import announce
from qmpi.training.comm.waits import Aborted

REACHES: Mapping[str, int] = {"pipeline": 1, "context": 1, "tie": 1}
"""Lines along which neighbours send each other messages; along all others they never do."""


class Line(Protocol):
    """A line as seen by one member; those of `qmpi.protocol.teams` are some."""

    @property
    def axis(self) -> str:
        """What the line runs along."""
        ...

    @property
    def name(self) -> str:
        """Return the same for all its members, and no other line's within a generation."""
        ...

    @property
    def index(self) -> int:
        """Place of the member, 0 <= index < size."""
        ...

    @property
    def size(self) -> int:
        """Members on the line."""
        ...


@dataclass(frozen=True)
class Meeting:
    """How the members of a generation find each other.

    Attributes:
        store: the lead's; None: this member meets nobody.
        name: of the generation; never used before.
        timeout_seconds: of the rendezvous and of each operation; the last resort.
        aborted: looked at while waiting.
        gpu: that this member computes on, as `Comm` takes it.
    """

    store: Store | None
    name: str
    timeout_seconds: float
    aborted: Aborted
    gpu: Gpu | None = None


class Lines:
    """The lines of one member, by axis."""

    def __init__(self, lines: Sequence[Line], meeting: Meeting) -> None:
        """Meet the members of all lines.

        Args:
            lines: one an axis, in one order for all members; those of size 1 too.
            meeting: where and how.

        Raises:
            PeerLost: a member did not come, or `aborted` says so.
        """
        for line in lines:
            if meeting.store is not None and line.size > 1:
                own = PrefixStore(f"{meeting.name}/{line.name}", meeting.store)
                announce(own, line.index, meeting.gpu.name if meeting.gpu else "")
        self._lines = {line.axis: _connected(line, meeting) for line in lines}

    def __getitem__(self, axis: str) -> Comm:
        """Return the line along an axis.

        Args:
            axis: "data", an axis of the layout, or "team".

        Raises:
            InvariantError: there is no such axis.
        """
        if axis not in self._lines:
            raise InvariantError(f"no line runs along {axis!r}, only along {list(self._lines)}")
        return self._lines[axis]

    @property
    def stuck(self) -> bool:
        """Whether operations that were left behind are still under way on any line."""
        return any(line.stuck for line in self._lines.values())


def _connected(line: Line, meeting: Meeting) -> Comm:
    return Comm(
        store=meeting.store,
        name=f"{meeting.name}/{line.name}",
        index=line.index,
        size=line.size,
        timeout_seconds=meeting.timeout_seconds,
        aborted=meeting.aborted,
        reach=REACHES.get(line.axis, 0),
        gpu=meeting.gpu,
    )
