"""Failure detection: exactly the ranks that were silent for longer than allowed."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from qmpi.policy.failure_detector import silent_ranks

times = st.floats(0, 1e6)


def silent_first(last_seen):
    return sorted(last_seen.items(), key=lambda item: item[1])


@given(st.dictionaries(st.integers(0, 10**5), times), times, st.floats(0.1, 1e5))
def test_exactly_the_silent_are_named(last_seen, now, limit):
    silences = silent_ranks(silent_first(last_seen), now, limit)
    named = [silence.rank for silence in silences]
    assert named == sorted(rank for rank, seen in last_seen.items() if now - seen > limit)
    assert all(silence.seconds == now - last_seen[silence.rank] for silence in silences)


def test_the_judgement_is_readable():
    (silence,) = silent_ranks([(3, 10.0), (4, 39.0)], 45.5, 30.0)
    assert silence.rank == 3
    assert silence.reason == "no sign of life for 35.5 s (limit 30 s)"


def test_a_sign_of_life_from_the_future_is_life():
    assert silent_ranks([(1, 100.0)], 50.0, 30.0) == ()


def test_nobody_is_looked_at_behind_the_first_that_lives():
    ranks = iter([(1, 0.0), (2, 90.0), *((rank, 95.0) for rank in range(3, 9000))])
    assert [silence.rank for silence in silent_ranks(ranks, 100.0, 30.0)] == [1]
    assert next(islice(ranks, 1))[0] == 3
