"""Which moments a rank holds where teams share them out, and whether ranks hold all between them.

Theory of operation. The moments of a position are divided along the data axis: with N teams,
portion j is what lies from j / N to (j + 1) / N of the flat state. Team j holds portion j and its
left neighbour's, and updates both; so a single death loses nothing, for the right neighbour of the
dead holds what it held alone.

Ranks of one group may hold portions of different divisions, when the exchange that leads from one
to the other was cut off. Whether they hold everything is decided on the fractions alone: who
decides knows no number of elements. A border in elements is a function of its fraction that never
falls, so what covers all fractions covers all elements (Rajbhandari et al., arXiv 1910.02054, who
hold each portion once).
"""

from collections.abc import Iterable
from fractions import Fraction
from itertools import groupby

from msgspec import Struct

Spans = tuple[tuple[int, int], ...]
"""Runs (first, behind the last), apart from each other and ascending."""


class Portions(Struct, frozen=True):
    """The two neighbouring portions that a rank holds.

    Attributes:
        index: of the portion that is its own, 0 <= index < count; the other is the one before it.
        count: portions of the division, >= 1; with 1 or 2 a rank holds all moments.
    """

    index: int = 0
    count: int = 1

    @property
    def is_whole(self) -> bool:
        """Whether these are all moments."""
        return self.count <= 2

    @property
    def held(self) -> tuple[int, ...]:
        """Numbers of the portions, ascending."""
        return tuple(sorted({self.index, (self.index - 1) % self.count}))


WHOLE = Portions()
"""What a rank holds where nothing is shared out."""


def cover(holders: Iterable[Portions]) -> Fraction:
    """Return the share of the moments of their position that ranks hold between them.

    Args:
        holders: what each holds, of whatever division.

    Returns:
        0 if there are none, 1 if nothing is missing.
    """
    found = set(holders)
    if any(holder.is_whole for holder in found):
        return Fraction(1)
    edges = {
        (Fraction(number, holder.count), Fraction(number + 1, holder.count))
        for holder in found
        for number in holder.held
    }
    held = reached = Fraction(0)
    for first, end in sorted(edges):
        held += max(end - max(first, reached), Fraction(0))
        reached = max(reached, end)
    return held


def are_covered(holders: Iterable[Portions]) -> bool:
    """Say whether ranks hold all moments of their position between them.

    Args:
        holders: what each holds, of whatever division.

    Returns:
        True if nothing is missing; False if there are none.
    """
    return cover(holders) == 1


def merged(spans: Iterable[tuple[int, int]]) -> Spans:
    """Return what some runs, which may overlap, hold together.

    Args:
        spans: runs (first, behind the last), in any order.

    Returns:
        Runs that lie apart; none is empty.
    """
    joined: list[tuple[int, int]] = []
    for first, end in sorted(span for span in spans if span[0] < span[1]):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((first, end))
    return tuple(joined)


def runs_of(numbers: Iterable[int]) -> Spans:
    """Return some numbers as runs of neighbours.

    Args:
        numbers: ascending, each once.
    """
    groups = groupby(enumerate(numbers), lambda item: item[1] - item[0])
    found = [[number for _, number in group] for _, group in groups]
    return tuple((run[0], run[-1] + 1) for run in found)
