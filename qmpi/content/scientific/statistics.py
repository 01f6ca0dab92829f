"""Statistics without a floating-point number: fractions, whole square roots, exact tests.

Theory of operation. Data are whole numbers of a smallest unit. Means, slopes and shares are
fractions, rounded half up to a fixed number of digits; standard deviations come from whole square
roots. P-values are counts of equally likely outcomes: signs, rank sums, and pairs in order. No
library of elementary functions can change a digit of them.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from math import comb, isqrt

Numbers = Sequence[int]


def rounded(value: Fraction | int, digits: int, shift: int = 0) -> str:
    """Return a number in decimal notation, rounded half up.

    Args:
        value: exact.
        digits: after the point, >= 0.
        shift: powers of ten, at most `digits`, by which the value is divided first.

    Returns:
        As "-3.20"; zero has no sign.
    """
    # Whole numbers throughout: fractions cost ten times as much here.
    scaled, below = value.numerator * 10 ** (digits - shift), value.denominator
    whole = (2 * abs(scaled) + below) // (2 * below)
    return _pointed(whole, digits, minus=scaled < 0 and whole > 0)


def _pointed(whole: int, digits: int, *, minus: bool) -> str:
    text = str(whole).rjust(digits + 1, "0")
    text = f"{text[:-digits]}.{text[-digits:]}" if digits else text
    return f"-{text}" if minus else text


def mean(values: Numbers) -> Fraction:
    """Return the arithmetic mean.

    Args:
        values: at least one.

    Returns:
        Exact.
    """
    return Fraction(sum(values), len(values))


def median(values: Numbers) -> Fraction:
    """Return the middle value, or the mean of the two middle ones.

    Args:
        values: at least one.

    Returns:
        Exact.
    """
    ordered = sorted(values)
    half = len(ordered) // 2
    return Fraction(ordered[half] + ordered[-1 - half], 2)


def deviation(values: Numbers, scale: int, digits: int) -> str:
    """Return the sample standard deviation.

    Args:
        values: at least two, in units of 10**-scale.
        scale: digits of the data.
        digits: digits of the result, at least `scale`.

    Returns:
        Rounded half up.
    """
    count, total = len(values), sum(values)
    squares = sum(value * value for value in values)
    variance = Fraction(count * squares - total * total, count * (count - 1))
    scaled = variance * 10 ** (2 * digits) / 10 ** (2 * scale)
    return _pointed(
        (isqrt(4 * scaled.numerator // scaled.denominator) + 1) // 2, digits, minus=False
    )


def rank_sum_p(first: Numbers, second: Numbers) -> Fraction:
    """Return the two-sided exact p-value of the rank-sum test.

    Args:
        first: values, none of them in `second`.
        second: values.

    Returns:
        0 < p <= 1.
    """
    above = sum(a > b for a in first for b in second)
    return _rank_sum_tail(len(first), len(second), min(above, len(first) * len(second) - above))


@cache
def _rank_sum_tail(first: int, second: int, above: int) -> Fraction:
    ways = sum(_arrangements(first, second, k) for k in range(above + 1))
    return min(Fraction(1), Fraction(2 * ways, comb(first + second, first)))


# Orders of first + second things in which exactly `above` pairs stand the other way.
@cache
def _arrangements(first: int, second: int, above: int) -> int:
    if above < 0:
        return 0
    if first == 0 or second == 0:
        return int(above == 0)
    return _arrangements(first - 1, second, above - second) + _arrangements(
        first, second - 1, above
    )


def sign_p(positive: int, negative: int) -> Fraction:
    """Return the two-sided p-value of the sign test.

    Args:
        positive: pairs with a rise.
        negative: pairs with a fall.

    Returns:
        0 < p <= 1.
    """
    count, few = positive + negative, min(positive, negative)
    ways = sum(comb(count, k) for k in range(few + 1))
    return min(Fraction(1), Fraction(2 * ways, 2**count))


def order_p(pairs: Sequence[tuple[int, int]]) -> tuple[int, Fraction]:
    """Return Kendall's score and its two-sided exact p-value.

    Args:
        pairs: x and y, no two equal in either.

    Returns:
        Pairs in order less pairs out of order; p.
    """
    count = len(pairs)
    good = sum((a[0] < b[0]) == (a[1] < b[1]) for k, a in enumerate(pairs) for b in pairs[k + 1 :])
    every = count * (count - 1) // 2
    few = min(good, every - good)
    orders = _orders(count)
    p = Fraction(2 * sum(orders[: few + 1]), sum(orders))
    return 2 * good - every, min(Fraction(1), p)


# How many orders of `count` things have 0, 1, 2... inversions.
@cache
def _orders(count: int) -> tuple[int, ...]:
    orders = [1]
    for size in range(2, count + 1):
        wider = [0] * (len(orders) + size - 1)
        for place, ways in enumerate(orders):
            for more in range(size):
                wider[place + more] += ways
        orders = wider
    return tuple(orders)


def line(pairs: Sequence[tuple[int, int]]) -> tuple[Fraction, Fraction, Fraction]:
    """Fit a line by least squares.

    Args:
        pairs: x and y, the x not all equal, nor the y.

    Returns:
        Slope, intercept, share of variance explained.
    """
    count = len(pairs)
    sum_x, sum_y = sum(x for x, _ in pairs), sum(y for _, y in pairs)
    xx = count * sum(x * x for x, _ in pairs) - sum_x * sum_x
    xy = count * sum(x * y for x, y in pairs) - sum_x * sum_y
    yy = count * sum(y * y for _, y in pairs) - sum_y * sum_y
    slope = Fraction(xy, xx)
    return slope, (sum_y - slope * sum_x) / count, Fraction(xy * xy, xx * yy)


def p_text(p: Fraction) -> str:
    """Return a p-value as papers print it.

    Args:
        p: 0 < p <= 1.

    Returns:
        As "p = 0.013" or "p < 0.001".
    """
    return "p < 0.001" if p < Fraction(1, 1000) else f"p = {rounded(p, 3)}"
