"""Where a member stands on its line, and the ways along which it sends messages."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from qmpi.errors import InvariantError
from qmpi.training.comm.group import Group


@dataclass(frozen=True)
class Place:
    """A member's place on a line, and how far its messages reach.

    Attributes:
        index: of this member, 0 <= index < size.
        size: members on the line.
        reach: messages go to members at most so many steps on around the line, either way; 0: none
            are sent.
    """

    index: int
    size: int
    reach: int = 0

    def ways(self) -> tuple[tuple[int, int], ...]:
        """List the messages that this member sends or receives, as source and target.

        Returns:
            In one order for all members, by the lower index first: so members that connect way
            after way, each waiting for its peer, never wait in a circle.
        """
        near = {
            other
            for step in range(1, self.reach + 1)
            for other in ((self.index + step) % self.size, (self.index - step) % self.size)
        } - {self.index}
        pairs = [(min(self.index, other), max(self.index, other)) for other in sorted(near)]
        return tuple(way for low, high in sorted(pairs) for way in ((low, high), (high, low)))


class Ways:
    """Groups of two, one for each direction, so that messages which cross wait for nothing."""

    def __init__(self, place: Place, connect: Callable[[str, int], Group]) -> None:
        """Connect to all members that messages reach, who do the same now.

        Args:
            place: of this member.
            connect: makes the group of a name; the source is 0 in it, the target 1.

        Raises:
            RuntimeError: a member is gone.
        """
        self._groups = {
            way: connect(f"way{way[0]}-{way[1]}", way.index(place.index)) for way in place.ways()
        }

    def __iter__(self) -> Iterator[Group]:
        """Yield the groups."""
        yield from self._groups.values()

    def between(self, source: int, target: int) -> Group:
        """Return the group of a message.

        Args:
            source: index of the member that sends.
            target: of the one that receives.

        Raises:
            InvariantError: messages of this line do not go there.
        """
        if (source, target) not in self._groups:
            raise InvariantError(f"no message goes from member {source} of the line to {target}")
        return self._groups[source, target]
