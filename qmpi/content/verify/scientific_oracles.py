"""Statistics worked out a second time: decimals of fifty digits, and outcomes counted one by one.

Theory of operation. Where the writer rounds fractions and takes whole roots, this divides and takes
roots in decimals; where it counts arrangements by recursion, this lists every choice of ranks.
"""

from collections import Counter
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from functools import cache
from itertools import combinations
from math import comb

_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
_MOST = 18
_LEAST_SHOWN = Fraction(1, 1000)


def decimal_text(value: Fraction | int, digits: int) -> str:
    """Return a number in decimals.

    Args:
        value: exact.
        digits: after the point.

    Returns:
        Rounded half up; no minus before zero.
    """
    exact = Fraction(value)
    quotient = _EXACT.divide(Decimal(exact.numerator), Decimal(exact.denominator))
    return _quantized(quotient, digits)


def _quantized(value: Decimal, digits: int) -> str:
    text = f"{value.quantize(Decimal(1).scaleb(-digits), context=_EXACT):f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


def average(values: Sequence[int]) -> Fraction:
    """Return a mean, one value at a time.

    Args:
        values: at least one.

    Returns:
        Exact.
    """
    now = Fraction(values[0])
    for count, value in enumerate(values[1:], 2):
        now += (value - now) / count
    return now


def middle(values: Sequence[int]) -> Fraction:
    """Return a median by taking away the ends.

    Args:
        values: at least one.

    Returns:
        Exact.
    """
    left = list(values)
    while len(left) > 2:
        left.remove(max(left))
        left.remove(min(left))
    return Fraction(left[0] + left[-1], 2)


def deviation_text(values: Sequence[int], scale: int, digits: int) -> str:
    """Return a sample standard deviation.

    Args:
        values: at least two, in units of 10**-scale.
        scale: digits of the data.
        digits: digits of the result.

    Returns:
        Rounded half up.
    """
    centre = average(values)
    variance = sum((value - centre) ** 2 for value in values) / (len(values) - 1)
    exact = variance / 10 ** (2 * scale)
    quotient = _EXACT.divide(Decimal(exact.numerator), Decimal(exact.denominator))
    return _quantized(quotient.sqrt(_EXACT), digits)


def rank_sum(first: Sequence[int], second: Sequence[int]) -> Fraction:
    """Return the two-sided p-value of the rank-sum test.

    Args:
        first: values.
        second: others.

    Returns:
        Share of choices of ranks that are as far from the middle.

    Raises:
        ValueError: two values are equal, or there are too many to count.
    """
    ordered = sorted((*first, *second))
    if len(set(ordered)) < len(ordered) or len(ordered) > _MOST:
        raise ValueError("ranks are tied or too many")
    ranks = {value: rank for rank, value in enumerate(ordered, 1)}
    found = sum(ranks[value] for value in first)
    sums = _rank_sums(len(first), len(ordered))
    # Twice the distance from the middle, in whole numbers.
    far = abs(2 * found - len(first) * (len(ordered) + 1))
    ways = sum(
        count
        for total, count in sums.items()
        if abs(2 * total - len(first) * (len(ordered) + 1)) >= far
    )
    return Fraction(ways, sum(sums.values()))


@cache
def _rank_sums(chosen: int, ranks: int) -> Counter[int]:
    return Counter(map(sum, combinations(range(1, ranks + 1), chosen)))


def signs(up: int, down: int) -> Fraction:
    """Return the two-sided p-value of the sign test.

    Args:
        up: rises.
        down: falls.

    Returns:
        Share of outcomes at least as uneven.
    """
    count, uneven = up + down, abs(up - down)
    ways = sum(comb(count, k) for k in range(count + 1) if abs(2 * k - count) >= uneven)
    return Fraction(ways, 2**count)


def kendall(points: Sequence[Sequence[int]]) -> tuple[int, Fraction]:
    """Return Kendall's score and its two-sided p-value.

    Args:
        points: x and y.

    Returns:
        Score; share of orders with a score at least as far from zero.

    Raises:
        ValueError: two points are tied, or there are too many.
    """
    if len({x for x, _ in points}) < len(points) or len({y for _, y in points}) < len(points):
        raise ValueError("points are tied")
    if len(points) > _MOST:
        raise ValueError("too many points")
    score = 0
    for (x, y), (u, v) in combinations(points, 2):
        score += 1 if (x - u) * (y - v) > 0 else -1
    scores = _scores(len(points))
    ways = sum(count for value, count in scores.items() if abs(value) >= abs(score))
    return score, Fraction(ways, sum(scores.values()))


# Where the last of n things stands adds to the score from -(n - 1) to n - 1 in steps of two.
@cache
def _scores(count: int) -> Counter[int]:
    scores: Counter[int] = Counter({0: 1})
    for size in range(1, count):
        wider: Counter[int] = Counter()
        for step in range(-size, size + 1, 2):
            for score, ways in scores.items():
                wider[score + step] += ways
        scores = wider
    return scores


def fitted(points: Sequence[Sequence[int]]) -> tuple[Fraction, Fraction, Fraction]:
    """Fit a line by least squares around the means.

    Args:
        points: x and y.

    Returns:
        Slope, intercept, squared correlation.
    """
    at, level = average([x for x, _ in points]), average([y for _, y in points])
    xx = sum((x - at) ** 2 for x, _ in points)
    xy = sum((x - at) * (y - level) for x, y in points)
    yy = sum((y - level) ** 2 for _, y in points)
    slope = xy / Fraction(xx)
    return slope, level - slope * at, slope * xy / Fraction(yy)


def probability_text(p: Fraction) -> str:
    """Return a p-value as printed.

    Args:
        p: exact.

    Returns:
        As "p = 0.013" or "p < 0.001".
    """
    return f"p = {decimal_text(p, 3)}" if p >= _LEAST_SHOWN else "p < 0.001"
