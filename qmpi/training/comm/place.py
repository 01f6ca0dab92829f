"""Where a member stands on its line."""

from dataclasses import dataclass


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
