"""Which copies stay: always the newest, and one from before the trouble."""

from hypothesis import given
from hypothesis import strategies as st

from qmpi.protocol.progress import is_skipped, mean_loss, undefined_lanes
from qmpi.protocol.retention import kept_steps

STEPS = st.sets(st.integers(1, 40), max_size=8)


@given(STEPS, st.integers(0, 4), st.integers(0, 40))
def test_the_newest_stay_and_one_from_before_the_trouble(
    steps: set[int], keep: int, skipped: int
) -> None:
    newest = 41
    kept = kept_steps(steps, keep, skipped, newest)
    assert kept <= steps
    assert set(sorted(steps, reverse=True)[:keep]) <= kept
    assert len(kept) <= keep + 1
    trouble = newest - skipped
    before = {step for step in steps if step < trouble}
    if skipped and before:
        assert max(before) in kept
    if not skipped:
        assert len(kept) <= keep


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 30), st.integers(0, 30))
def test_a_run_that_diverges_keeps_a_state_from_before(
    every: int, keep: int, trouble: int, skips: int
) -> None:
    there: set[int] = set()
    for step in range(every, trouble + skips + 1, every):
        there = {step} | kept_steps(there - {step}, keep - 1, max(0, step - trouble), step)
    sound = set(range(every, trouble + 1, every))
    if keep > 1 and {step for step in sound if step < trouble}:
        assert max(step for step in sound if step < trouble) in there
    elif sound:
        assert max(sound) in there


def test_without_one_before_the_trouble_that_at_its_beginning_stays() -> None:
    assert kept_steps({10, 20}, 0, 20, 30) == {10}
    assert kept_steps({20}, 0, 20, 30) == set()


def test_lanes_that_are_not_finite_are_in_no_mean() -> None:
    assert mean_loss((1.0, -1.0, 3.0)) == 2.0
    assert mean_loss((-1.0, -1.0)) is None
    assert mean_loss(()) is None
    assert undefined_lanes((1.0, -1.0, 3.0, -1.0)) == 2
    assert (is_skipped(-1.0), is_skipped(0.0)) == (True, False)
