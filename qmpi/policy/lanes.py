"""Dealing lanes to trainers: contiguous shares of nearly equal size.

Which trainer computes a lane never changes the result, so the deal may follow speed and locality
alone. Contiguous shares keep a trainer's blocks together and the deal small to write down.
"""

from collections.abc import Sequence

from qmpi.errors import InvariantError
from qmpi.units import Rank


def deal_lanes(lanes: int, members: Sequence[Rank]) -> tuple[tuple[int, ...], ...]:
    """Deal every lane to exactly one member.

    Args:
        lanes: lanes of a step, >= 1.
        members: ranks in group order, no more than lanes.

    Returns:
        Lanes of each member, ascending; sizes differ by at most 1, the larger shares first.

    Raises:
        InvariantError: there is no member, a member twice, or a member too many.
    """
    size = len(members)
    if not 1 <= size <= lanes or len(set(members)) != size:
        raise InvariantError(f"cannot deal {lanes} lanes to the members {tuple(members)}")
    share, rest = divmod(lanes, size)
    firsts = [index * share + min(index, rest) for index in range(size + 1)]
    return tuple(tuple(range(firsts[i], firsts[i + 1])) for i in range(size))
