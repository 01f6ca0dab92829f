"""Exact statistics: against lists of all outcomes, known tables, and the checkers' oracles."""

from fractions import Fraction
from itertools import combinations, permutations
from statistics import median as library_median

from hypothesis import given
from hypothesis import strategies as st

from qmpi.content.scientific.statistics import (
    deviation,
    line,
    mean,
    median,
    order_p,
    p_text,
    rank_sum_p,
    rounded,
    sign_p,
)
from qmpi.content.verify import scientific_oracles as oracles

DISTINCT = st.lists(st.integers(1, 10_000), min_size=6, max_size=14, unique=True)


@given(st.fractions(-1000, 1000, max_denominator=10_000), st.integers(0, 6))
def test_rounding_agrees_with_decimals(value: Fraction, digits: int) -> None:
    assert rounded(value, digits) == oracles.decimal_text(value, digits)
    assert rounded(value, digits, digits) == oracles.decimal_text(value / 10**digits, digits)


def test_rounding_goes_up_at_half() -> None:
    assert rounded(Fraction(5, 1000), 2) == "0.01"
    assert rounded(Fraction(-5, 1000), 2) == "-0.01"
    assert rounded(Fraction(-4, 1000), 2) == "0.00"
    assert rounded(12, 0) == "12"


@given(DISTINCT, st.integers(0, 2))
def test_moments_agree(values: list[int], scale: int) -> None:
    assert mean(values) == oracles.average(values)
    assert median(values) == oracles.middle(values) == Fraction(library_median(values))
    assert deviation(values, scale, scale + 1) == oracles.deviation_text(values, scale, scale + 1)


@given(DISTINCT)
def test_rank_sums_agree_with_all_choices(values: list[int]) -> None:
    first, second = values[: len(values) // 2], values[len(values) // 2 :]
    assert rank_sum_p(first, second) == oracles.rank_sum(first, second)


def test_rank_sums_agree_with_a_permutation_test() -> None:
    first, second = [1, 2, 5], [3, 8, 9, 11]
    pool = first + second

    def above(chosen: tuple[int, ...]) -> int:
        rest = [value for value in pool if value not in chosen]
        return sum(a > b for a in chosen for b in rest)

    middle = len(first) * len(second) / 2
    far = abs(above(tuple(first)) - middle)
    every = list(combinations(pool, 3))
    ways = sum(abs(above(chosen) - middle) >= far for chosen in every)
    assert rank_sum_p(first, second) == Fraction(ways, len(every))


def test_orders_agree_with_all_permutations() -> None:
    points = list(zip(range(5), (2, 1, 4, 3, 5), strict=True))
    score, p = order_p(points)
    scores = [oracles.kendall(list(enumerate(order)))[0] for order in permutations(range(5))]
    assert score == 6
    assert p == Fraction(sum(abs(other) >= 6 for other in scores), len(scores))


@given(DISTINCT)
def test_orders_and_lines_agree(values: list[int]) -> None:
    points = list(enumerate(values))
    assert order_p(points) == oracles.kendall(points)
    assert line(points) == oracles.fitted(points)


@given(st.integers(0, 14), st.integers(1, 14))
def test_signs_agree(up: int, down: int) -> None:
    assert sign_p(up, down) == oracles.signs(up, down)


def test_known_values() -> None:
    assert rank_sum_p([1, 2, 3, 4], [5, 6, 7, 8]) == Fraction(2, 70)
    assert sign_p(0, 6) == Fraction(2, 64)
    assert p_text(Fraction(1, 2000)) == "p < 0.001"
    assert p_text(Fraction(2, 70)) == "p = 0.029"
    assert line([(0, 1), (1, 3), (2, 5)]) == (2, 1, 1)
