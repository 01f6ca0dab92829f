from hypothesis import given
from hypothesis import strategies as st

from qmpi.monitor.drawing import MOST_POINTS, thin, ticks


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 10))
def test_ticks_lie_within_the_range_and_are_few(low: float, span: float, about: int) -> None:
    high = low + span
    values = ticks(low, high, about)
    assert values == sorted(set(values))
    assert all(low - span * 1e-6 <= value <= high + span * 1e-6 for value in values)
    assert 1 <= len(values) <= 3 * about


def test_ticks_are_round() -> None:
    assert ticks(0, 60, 6) == [0, 10, 20, 30, 40, 50, 60]
    assert ticks(6.4, 8.4, 4) == [6.5, 7.0, 7.5, 8.0]


def test_a_range_without_width_has_one_tick() -> None:
    assert ticks(3.0, 3.0) == [3.0]


@given(st.integers(0, 5 * MOST_POINTS))
def test_thinning_keeps_both_ends(count: int) -> None:
    points = [(step, float(step)) for step in range(count)]
    kept = thin(points)
    assert len(kept) == min(count, MOST_POINTS)
    assert kept == sorted(set(kept))
    assert kept[:1] == points[:1]
    assert kept[-1:] == points[-1:]


def test_what_is_not_finite_is_left_out() -> None:
    assert thin([(0, 1.0), (1, float("nan")), (2, 3.0)]) == [(0, 1.0), (2, 3.0)]
