"""The families of drills: what is asked and what the answer is, symbol by symbol.

Theory of operation. A level buys length: it goes evenly from a family's shortest drill at level 1
to its longest at level 100, and where that lies between two lengths the share of the longer one
says where, so the mean length rises with every level. Each symbol is one sign, and so one token of
most vocabularies; an answer has 20 at most, since what is longer is not marked as one.
"""

from collections.abc import Callable
from itertools import accumulate

from msgspec import Struct

from qmpi.content.counter import Draw
from qmpi.content.level import LEVELS

LONGEST_ANSWER = 20
"""Symbols."""

_LETTERS = "abcdefghij"
_KEYS = "abcdefghijklmnopqrstuvwxyz"
_DIGITS = range(10)
_PAIRS = {"[": "]", "{": "}", "<": ">"}
"""Without the round ones: behind a space they are two tokens of `builtin:content`."""
_OPENINGS = tuple(_PAIRS)
_CLOSED_PERCENT = 25
_MOST_OF_A_LETTER = 9
"""A count is one digit."""


class Drill(Struct, frozen=True):
    """What a drill asks and answers.

    Attributes:
        asked: symbols behind the name of the family.
        answer: symbols.
    """

    asked: list[str]
    answer: list[str]


def length(draw: Draw, level: int, least: int, most: int = LONGEST_ANSWER) -> int:
    """Return a length whose mean rises evenly with the level.

    Args:
        draw: chance.
        level: 1 to 100.
        least: at level 1.
        most: at level 100.

    Returns:
        One of the two lengths next to the mean.
    """
    steps = LEVELS - 1
    return least + ((most - least) * (level - 1) + draw.below(steps)) // steps


# The same symbols once more.
def _copy(draw: Draw, level: int) -> Drill:
    given = _letters(draw, level)
    return Drill(given, given)


# The last symbol first.
def _reverse(draw: Draw, level: int) -> Drill:
    given = _letters(draw, level)
    return Drill(given, given[::-1])


# The smallest digit first.
def _sort(draw: Draw, level: int) -> Drill:
    given = _digits(draw, length(draw, level, 4))
    return Drill(_spelled(given), _spelled(sorted(given)))


# The largest digit so far, behind each one.
def _maximum(draw: Draw, level: int) -> Drill:
    # The smaller of two: else a nine comes soon, and all that follows is told by it.
    count = length(draw, level, 4)
    given = [min(pair) for pair in zip(_digits(draw, count), _digits(draw, count), strict=True)]
    return Drill(_spelled(given), _spelled(list(accumulate(given, max))))


# The last digit of the sum so far, behind each one.
def _sums(draw: Draw, level: int) -> Drill:
    given = _digits(draw, length(draw, level, 4))
    return Drill(_spelled(given), _spelled([total % 10 for total in accumulate(given)]))


# Two numbers and their sum, the ones first, since carries go that way.
def _addition(draw: Draw, level: int) -> Drill:
    count = length(draw, level, 2, LONGEST_ANSWER - 1)
    one, other = _digits(draw, count), _digits(draw, count)
    total, carried = [], 0
    for pair in zip(one, other, strict=True):
        carried, digit = divmod(sum(pair) + carried, 10)
        total.append(digit)
    return Drill([*_spelled(one), "+", *_spelled(other)], _spelled([*total, carried]))


# What closes the brackets that are open, the last one first.
def _brackets(draw: Draw, level: int) -> Drill:
    depth = length(draw, level, 4)
    closed = draw.below(depth // 4 + 1)
    asked: list[str] = []
    still_open: list[str] = []
    for left in range(depth + closed, 0, -1):
        opening = draw.choice(_OPENINGS)
        asked.append(opening)
        still_open.append(_PAIRS[opening])
        # Behind the last one all that are too many are closed.
        while closed and (left == 1 or (still_open and draw.chance(_CLOSED_PERCENT))):
            asked.append(still_open.pop())
            closed -= 1
    return Drill(asked, still_open[::-1])


# Values of the keys that are asked for, out of pairs of key and value.
def _needle(draw: Draw, level: int) -> Drill:
    count = length(draw, level, 2, LONGEST_ANSWER - 4)
    values = dict(zip(draw.sample(_KEYS, count), _spelled(_digits(draw, count)), strict=True))
    keys = list(values)
    wanted = [draw.choice(keys) for _ in range(count + 4)]
    told = [symbol for pair in values.items() for symbol in pair]
    return Drill([*told, ":", *wanted], [values[key] for key in wanted])


# How often each symbol has come so far, itself among them.
def _count(draw: Draw, level: int) -> Drill:
    size = length(draw, level, 4)
    kinds = draw.sample(_LETTERS, 2 + size // 4)
    given = draw.sample(kinds * _MOST_OF_A_LETTER, size)
    seen = dict.fromkeys(kinds, 0)
    answer: list[int] = []
    for symbol in given:
        seen[symbol] += 1
        answer.append(seen[symbol])
    return Drill(given, _spelled(answer))


# Each digit so many further, nine followed by nought.
def _shift(draw: Draw, level: int) -> Drill:
    by = 1 + draw.below(length(draw, level, 2, 9))
    given = _digits(draw, length(draw, level, 4))
    return Drill([str(by), ":", *_spelled(given)], _spelled([(n + by) % 10 for n in given]))


FAMILIES: dict[str, Callable[[Draw, int], Drill]] = {
    "copy": _copy,
    "reverse": _reverse,
    "sort": _sort,
    "maximum": _maximum,
    "sums": _sums,
    "addition": _addition,
    "brackets": _brackets,
    "needle": _needle,
    "count": _count,
    "shift": _shift,
}
"""By name, as the job file names them."""


def _letters(draw: Draw, level: int) -> list[str]:
    return [draw.choice(_LETTERS) for _ in range(length(draw, level, 4))]


def _digits(draw: Draw, count: int) -> list[int]:
    return [draw.choice(_DIGITS) for _ in range(count)]


def _spelled(digits: list[int]) -> list[str]:
    return list(map(str, digits))
