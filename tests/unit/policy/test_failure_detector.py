"""Failure detection: exactly the ranks that were silent for longer than allowed."""

from hypothesis import given
from hypothesis import strategies as st

from qmpi.policy.failure_detector import silent_ranks

times = st.floats(0, 1e6)


@given(st.dictionaries(st.integers(0, 10**5), times), times, st.floats(0.1, 1e5))
def test_exactly_the_silent_are_named(last_seen, now, limit):
    verdicts = silent_ranks(last_seen, now, limit)
    named = [verdict.rank for verdict in verdicts]
    assert named == sorted(rank for rank, seen in last_seen.items() if now - seen > limit)
    assert all(verdict.silent_seconds == now - last_seen[verdict.rank] for verdict in verdicts)


def test_the_verdict_is_readable():
    (verdict,) = silent_ranks({3: 10.0, 4: 39.0}, 45.5, 30.0)
    assert verdict.rank == 3
    assert verdict.reason == "no sign of life for 35.5 s (limit 30 s)"


def test_a_sign_of_life_from_the_future_is_life():
    assert silent_ranks({1: 100.0}, 50.0, 30.0) == ()
