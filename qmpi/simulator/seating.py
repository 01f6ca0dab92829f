"""One member's place on the lines of its group."""

from qmpi.ports.engine import JoinGroup
from qmpi.simulator.line import Contribution, Line, Lines, Wait


class Seating:
    """The lines that a member sits on: "data", "team" and "all".

    In a group of teams of one, the data line holds all members, and there is no line within a team.
    """

    def __init__(self, lines: Lines, work: JoinGroup, team_size: int) -> None:
        """Take a seat.

        Args:
            lines: of the job.
            work: group and seat.
            team_size: ranks of a team.
        """
        generation, teams = work.generation, work.teams
        data = lines.of(generation, f"data/{work.position}", teams)
        self._seats: dict[str, tuple[Line, int]] = {"data": (data, work.team)}
        self._seats["all"] = (
            lines.of(generation, "all", teams * team_size),
            work.team * team_size + work.position,
        )
        if team_size > 1:
            team = lines.of(generation, f"team/{work.team}", team_size)
            self._seats["team"] = (team, work.position)

    def enter(self, axis: str, value: Contribution, wait: Wait) -> None:
        """Enter a collective.

        Args:
            axis: which line.
            value: what this member brings.
            wait: what happens then.
        """
        line, index = self._seats[axis]
        line.enter(index, value, wait)

    def leave(self) -> None:
        """Give up, alive."""
        for line, index in self._seats.values():
            line.leave(index)

    def die(self) -> None:
        """Be gone."""
        for line, index in self._seats.values():
            line.die(index)

    def cut(self) -> None:
        """Break all these lines."""
        for line, _ in self._seats.values():
            line.cut()
