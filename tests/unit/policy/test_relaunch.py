"""Relaunches: bounded within a window, at once after a good run, later after failed starts."""

from hypothesis import given
from hypothesis import strategies as st

from qmpi.policy.relaunch import may_relaunch


def supervise(lifetimes, max_relaunches=100, window=1e9):
    """Run a supervisor over jobs that live for these many seconds; return the waits."""
    now, times, waits = 0.0, [], []
    for lifetime in lifetimes:
        now += lifetime
        decision = may_relaunch(times, now, max_relaunches, window)
        if not decision.allowed:
            break
        waits.append(decision.wait_seconds)
        now += decision.wait_seconds
        times.append(now)
    return waits


def test_quick_deaths_wait_longer_and_longer():
    assert supervise([1.0] * 10) == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_run_that_lasted_resets_the_waiting():
    assert supervise([500, 2, 2, 2, 100, 2, 2]) == [0, 1, 2, 4, 0, 1, 2]


@given(st.lists(st.floats(0, 100), max_size=60), st.integers(0, 5), st.floats(1, 500))
def test_never_more_relaunches_in_a_window_than_allowed(lifetimes, most, window):
    now, times = 0.0, []
    for lifetime in lifetimes:
        now += lifetime
        decision = may_relaunch(times, now, most, window)
        assert 0 <= decision.wait_seconds <= 60
        if decision.allowed:
            times.append(now)
            assert sum(now - time < window for time in times) <= most
        else:
            assert decision.wait_seconds == 0
            assert sum(now - time < window for time in times) == most


def test_the_reason_says_what_to_do():
    refused = may_relaunch([1.0, 2.0], 3.0, 2, 3600.0)
    assert not refused.allowed
    assert refused.reason.startswith("2 relaunches within 3600 s, and 2 are allowed")
    assert "failure.max_relaunches" in refused.reason
    waits = may_relaunch([1.0, 2.0], 4.0, 10, 3600.0)
    assert waits.reason == (
        "relaunch 3 of 10 within 3600 s, in 2 s: the last 2 ended within 30 s of starting"
    )
    assert may_relaunch([], 5.0, 10, 3600.0).reason.endswith("at once")
    assert not may_relaunch([], 5.0, 0, 3600.0).allowed


def test_a_thousand_quick_deaths_do_not_overflow():
    assert supervise([0.0] * 1200, max_relaunches=5000)[-1] == 60
