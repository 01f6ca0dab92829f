"""Difficulty: a hundred levels in seven bands, each a budget over six axes.

Theory of operation. Level l buys 6 x l points. Each axis starts with l; then pairs of axes, drawn
from the document's address, trade points, so documents of one level have many shapes while the
sum, and with it the level, stays exact.
"""

from msgspec import Struct

from qmpi.config.bands import BANDS, LEVELS, band_of
from qmpi.content.counter import Draw

__all__ = ["AXES", "BANDS", "LEVELS", "Budget", "band_of", "sized", "spread"]

AXES = ("structure", "steps", "entities", "distance", "vocabulary", "distractors")


class Budget(Struct, frozen=True):
    """What a document may spend; each axis 1 to 100.

    Attributes:
        structure: depth of nesting: clauses, types, proofs, expressions.
        steps: steps of reasoning to an answer.
        entities: number of things in the world, and length of the text.
        distance: how far apart a thing and what depends on it stand.
        vocabulary: how rare words may be.
        distractors: share of what is true but not needed.
    """

    structure: int
    steps: int
    entities: int
    distance: int
    vocabulary: int
    distractors: int


def spread(draw: Draw, level: int) -> Budget:
    """Spend a level's points.

    Args:
        draw: chance.
        level: 1 to 100.

    Returns:
        A budget whose axes add up to 6 x level.
    """
    points = [level] * len(AXES)
    order = list(range(len(AXES)))
    draw.shuffle(order)
    room = min(level - 1, LEVELS - level)
    for giver, taker in zip(order[::2], order[1::2], strict=True):
        # At most two thirds of what both sides can bear: no axis falls to nothing at every level.
        traded = draw.below(2 * room // 3 + 1)
        points[giver] -= traded
        points[taker] += traded
    return Budget(*points)


def sized(draw: Draw, axis: int, least: int, most: int) -> int:
    """Return a size that grows with an axis, with some spread.

    Args:
        draw: chance.
        axis: points on the axis, 1 to 100.
        least: size at 1.
        most: largest size at 100.

    Returns:
        A size from `least` to `most`.
    """
    top = least + ((most - least) * axis + LEVELS - 1) // LEVELS
    return draw.between(least + (top - least) // 2, top)
