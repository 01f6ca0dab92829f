"""Dealing lanes to teams: contiguous shares of nearly equal size.

Which team computes a lane never changes the result, so the deal may follow speed and locality
alone. Contiguous shares keep a team's blocks together and the deal small to write down.
"""

from qmpi.errors import InvariantError


def deal_lanes(lanes: int, teams: int) -> tuple[tuple[int, ...], ...]:
    """Deal every lane to exactly one team.

    Args:
        lanes: lanes of a step, >= 1.
        teams: how many teams there are, >= 1 and no more than lanes.

    Returns:
        Lanes of each team, ascending; sizes differ by at most 1, the larger shares first.

    Raises:
        InvariantError: there is no team, or a team too many.
    """
    if not 1 <= teams <= lanes:
        raise InvariantError(f"cannot deal {lanes} lanes to {teams} teams")
    share, rest = divmod(lanes, teams)
    firsts = [index * share + min(index, rest) for index in range(teams + 1)]
    return tuple(tuple(range(firsts[i], firsts[i + 1])) for i in range(teams))
