"""Snapshot schedule: the multiples and the end, however the steps are cut into windows."""

from hypothesis import given
from hypothesis import strategies as st

from qmpi.policy.snapshot_schedule import is_checkpoint, snapshot_steps

small = st.integers(0, 300)
intervals = st.integers(1, 60)


@given(small, small, intervals, st.integers(1, 300), st.integers(0, 60))
def test_the_definition(first, until, every, last, disk_every):
    expected = tuple(
        step
        for step in range(max(1, first), until + 1)
        if step <= last
        and (step % every == 0 or step == last or (disk_every and step % disk_every == 0))
    )
    assert snapshot_steps(first, until, every, last, disk_every=disk_every) == expected


@given(st.lists(st.integers(1, 20), max_size=20), intervals, st.integers(1, 200))
def test_windows_do_not_matter(sizes, every, last):
    steps, first = [], 0
    for size in sizes:
        steps += snapshot_steps(first, first + size - 1, every, last)
        first += size
    assert tuple(steps) == snapshot_steps(0, first - 1, every, last)


@given(st.integers(0, 10**12), intervals)
def test_far_steps_cost_nothing(first, every):
    due = snapshot_steps(first, first + 8, every, 10**12 + 8)
    assert all(first <= step <= first + 8 and step > 0 for step in due)


def test_checkpoints():
    assert [step for step in range(121) if is_checkpoint(step, 50, 120)] == [50, 100, 120]
    assert not is_checkpoint(0, 50, 0)
