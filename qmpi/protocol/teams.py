"""Teams: the ranks that hold one replica of the model together, and the lines along their axes.

Theory of operation. A team is a box of ranks. Its axes are, from the outermost in, pipeline,
context, expert and tensor; a rank's position counts through the box with tensor fastest, so that
tensor neighbours, who talk most, have neighbouring positions and lie on one host. Across the teams
lies the data axis: ranks of one position in different teams hold the same part of the state and sum
their gradients. A line holds the ranks that differ in one axis alone; collective operations run
along lines. A team of one rank has no line but that of the data.
"""

import hashlib
from collections.abc import Sequence

from msgspec import Struct

from qmpi.config.parallel import ParallelSettings
from qmpi.errors import InvariantError
from qmpi.units import Digest

DATA = "data"

TEAM = "team"
"""The line over all positions of a team, for what the whole team agrees on."""

TIE = "tie"
"""The line between first and last stage of a pipeline, which a table of tokens may tie."""

AXES = ("pipeline", "context", "expert", "tensor")
"""Axes of a team, outermost first."""

Coordinates = tuple[int, int, int, int]
"""Place of a rank along each axis, in the order of `AXES`."""


class Layout(Struct, frozen=True):
    """Sizes of a team's axes, each >= 1; outermost first.

    Attributes:
        pipeline: stages of layers.
        context: parts of a sequence.
        expert: parts of the experts.
        tensor: parts of a matrix.
    """

    pipeline: int
    context: int
    expert: int
    tensor: int

    @classmethod
    def of(cls, parallel: ParallelSettings) -> "Layout":
        """Return the layout that a job asks for.

        Args:
            parallel: section [parallel] of the job.

        Returns:
            The layout.
        """
        return cls(parallel.pipeline, parallel.context, parallel.expert, parallel.tensor)

    @property
    def shape(self) -> Coordinates:
        """Sizes in the order of `AXES`."""
        return (self.pipeline, self.context, self.expert, self.tensor)

    @property
    def size(self) -> int:
        """Ranks of a team."""
        return self.pipeline * self.context * self.expert * self.tensor

    def coordinates(self, position: int) -> Coordinates:
        """Return where a position lies along each axis.

        Args:
            position: 0 <= position < size.

        Returns:
            Coordinates, outermost first.

        Raises:
            InvariantError: the team has no such position.
        """
        if not 0 <= position < self.size:
            raise InvariantError(f"position {position} is not one of a team of {self.size}")
        rest, tensor = divmod(position, self.tensor)
        rest, expert = divmod(rest, self.expert)
        pipeline, context = divmod(rest, self.context)
        return (pipeline, context, expert, tensor)

    def position_of(self, coordinates: Coordinates) -> int:
        """Return the position at coordinates; the inverse of `coordinates`.

        Args:
            coordinates: outermost first, each below the size of its axis.

        Returns:
            0 <= position < size.

        Raises:
            InvariantError: a coordinate lies outside the layout.
        """
        position = 0
        for place, size in zip(coordinates, self.shape, strict=True):
            if not 0 <= place < size:
                raise InvariantError(f"{coordinates} lies outside a team of shape {self.shape}")
            position = position * size + place
        return position


class Seat(Struct, frozen=True, order=True):
    """A place in a group.

    Attributes:
        team: number of the team, from 0.
        position: place in the team, 0 <= position < team size.
    """

    team: int
    position: int


class Line(Struct, frozen=True):
    """The ranks that differ in one axis alone, seen from one of them.

    Attributes:
        axis: "data", an axis of the layout, or "team".
        name: the same for all its ranks, and no other line's within a generation.
        index: place of this seat on the line, 0 <= index < size.
        size: ranks on the line.
    """

    axis: str
    name: str
    index: int
    size: int


def lines_of(layout: Layout, seat: Seat, teams: int) -> tuple[Line, ...]:
    """List the lines that a seat lies on.

    Args:
        layout: shape of a team.
        seat: whose lines.
        teams: teams of the group, >= 1.

    Returns:
        The data line, named by position, then one for each axis with more than one rank, outermost
        first, named by team and number within the team.

    Raises:
        InvariantError: the group has no such seat.
    """
    data, *within, _ = every_line_of(layout, seat, teams)
    return (data, *(line for line in within if line.size > 1))


def every_line_of(layout: Layout, seat: Seat, teams: int) -> tuple[Line, ...]:
    """List the lines that a seat lies on, those on which it is alone too.

    Args:
        layout: shape of a team.
        seat: whose lines.
        teams: teams of the group, >= 1.

    Returns:
        The data line, named by position; one an axis, outermost first, named by team and number
        within the team; the line over the team, in order of position, named by team.

    Raises:
        InvariantError: the group has no such seat.
    """
    if not 0 <= seat.team < teams:
        raise InvariantError(f"team {seat.team} is not one of {teams}")
    mine = layout.coordinates(seat.position)
    lines = [Line(DATA, f"{DATA}/{seat.position}", seat.team, teams)]
    for axis, (name, size) in enumerate(zip(AXES, layout.shape, strict=True)):
        number = _number(layout, mine, axis)
        lines.append(Line(name, f"{name}/{seat.team}/{number}", mine[axis], size))
    lines.append(Line(TEAM, f"{TEAM}/{seat.team}", seat.position, layout.size))
    return tuple(lines)


def tie_of(layout: Layout, seat: Seat) -> Line:
    """Return the line between the first and the last stage of a pipeline.

    Args:
        layout: shape of a team.
        seat: whose line.

    Returns:
        The line; one of size 1 for a rank of neither stage, and where there is one stage.
    """
    stage, stages = layout.coordinates(seat.position)[0], layout.pipeline
    if stages == 1 or 0 < stage < stages - 1:
        return Line(TIE, f"{TIE}/{seat.team}/of {seat.position}", 0, 1)
    number = _number(layout, layout.coordinates(seat.position), 0)
    return Line(TIE, f"{TIE}/{seat.team}/{number}", int(stage > 0), 2)


def whole_digest(parts: Sequence[Digest]) -> Digest:
    """Return the identity of the whole state.

    Args:
        parts: digest of each position's part, in order of position; at least one.

    Returns:
        The digest itself if there is one part, else SHA-256 over them joined; "" if the digest of
        a part is not known.

    Raises:
        InvariantError: there are no parts.
    """
    if not parts:
        raise InvariantError("a state without parts has no digest")
    if len(parts) == 1:
        return parts[0]
    if not all(parts):
        return Digest("")
    return Digest(hashlib.sha256("".join(parts).encode()).hexdigest())


def _number(layout: Layout, coordinates: Coordinates, axis: int) -> int:
    """Return the number of a line among those of its axis in the team."""
    number = 0
    for other, (place, size) in enumerate(zip(coordinates, layout.shape, strict=True)):
        if other != axis:
            number = number * size + place
    return number
