"""Throughput: plain rates, honest about not knowing, thin curves that keep their ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.policy.throughput import Pace, eta, rate, thin


@given(st.integers(2, 50), st.integers(0, 10**9), st.floats(0.01, 100), st.floats(0, 1e6))
def test_a_steady_pace_is_measured(size, step, gap, begin):
    points = [(begin + index * gap, index * step) for index in range(size)]
    assert rate(points, 1e9) == pytest.approx(step / gap, rel=1e-4)


def test_only_the_window_counts():
    points = [(0.0, 0), (10.0, 1000), (11.0, 1001), (12.0, 1002)]
    assert rate(points, 2.0) == 1.0
    assert rate(points, 12.0) == pytest.approx(1002 / 12)


def test_what_came_while_nobody_looked_is_not_taken_for_speed():
    # A minute of standing still, then two counts at once.
    points = [(0.0, 0), (1.0, 100), (61.0, 200), (61.001, 300)]
    assert rate(points, 15.0) == pytest.approx(200 / 60, rel=1e-3)
    # As it begins there is nothing before; but who did it knows how long it took.
    assert rate(points[2:], 15.0, [1.0, 3.0]) == 50.0
    assert rate(points[:2], 15.0, [0.0, 0.5]) == 100.0


def test_a_pace_is_that_of_the_work_even_if_its_reports_come_all_at_once():
    pace = Pace(15.0)
    assert pace.speed(1.0) == 0.0
    for number in range(5):
        pace.add(100.0 + number / 1000, 10 * number, 2.0)
    assert pace.speed(101.0) == 5.0
    assert pace.speed(120.0) == 0.0
    pace.clear()
    # Steps that take longer than the window have a pace too.
    pace.add(200.0, 10, 40.0)
    pace.add(240.0, 20, 40.0)
    assert pace.speed(270.0) == 0.25


@pytest.mark.parametrize("points", [[], [(1.0, 5)], [(1.0, 5), (1.0, 9)], [(1.0, 9), (2.0, 5)]])
def test_without_progress_the_rate_is_zero(points):
    assert rate(points, 15.0) == 0.0


def test_time_to_go():
    assert eta(100, 4.0) == 25.0
    assert eta(100, 0.0) is None
    assert eta(0, 0.0) == 0.0
    assert eta(-3, 1.0) == 0.0


@given(st.lists(st.integers(), max_size=500), st.integers(2, 300))
def test_a_thin_curve_keeps_ends_and_order(points, limit):
    numbered = list(enumerate(points))
    kept = thin(numbered, limit)
    assert len(kept) == min(limit, len(points))
    assert list(kept) == sorted(set(kept))
    if points:
        assert (kept[0], kept[-1]) == (numbered[0], numbered[-1])
