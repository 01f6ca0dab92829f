"""Student's t distribution, from its closed form for whole degrees of freedom.

Source: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4.
"""

from math import atan, cos, pi, sin, sqrt

PRECISION = 1e-12
"""Share of a quantile that it may be off."""


def two_sided(value: float, freedom: int) -> float:
    """Return the probability that a draw lies as far from 0, or further.

    Args:
        value: any.
        freedom: degrees of freedom, >= 1.

    Returns:
        0 to 1.
    """
    angle = atan(abs(value) / sqrt(freedom))
    square, odd = cos(angle) ** 2, freedom % 2
    term = cos(angle) if odd else 1.0
    total = 0.0
    for number in range(freedom // 2):
        total += term
        step = 2 * number + 1 + odd
        term *= step / (step + 1) * square
    inside = 2.0 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total
    return min(1.0, max(0.0, 1.0 - inside))


def quantile(probability: float, freedom: int) -> float:
    """Return what a draw lies as far from 0 as, or further, with a probability.

    Args:
        probability: above 0, at most 1.
        freedom: degrees of freedom, >= 1.

    Returns:
        >= 0.
    """
    low, high = 0.0, 1.0
    while two_sided(high, freedom) > probability:
        low, high = high, 2.0 * high
    while high - low > PRECISION * high:
        middle = 0.5 * (low + high)
        if two_sided(middle, freedom) > probability:
            low = middle
        else:
            high = middle
    return high
