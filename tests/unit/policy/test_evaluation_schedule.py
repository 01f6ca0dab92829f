"""Which steps are evaluated, and that shares are the whole."""

from hypothesis import given
from hypothesis import strategies as st

from qmpi.policy.evaluation_schedule import evaluated_steps, is_evaluated, own_share

steps = st.integers(0, 300)


@given(after=steps, to=steps, every=st.integers(0, 40), end=steps)
def test_the_steps_of_a_stretch_are_those_that_are_due(after, to, every, end):
    found = list(evaluated_steps(after, to, every, end))
    due = [s for s in range(after + 1, min(to, end) + 1) if is_evaluated(s, every, end)]
    assert found == due


def test_the_weights_before_the_first_step_are_not_measured_and_the_last_are():
    assert [s for s in range(11) if is_evaluated(s, 4, 10)] == [4, 8, 10]
    assert not any(is_evaluated(s, 0, 10) for s in range(11))


@given(count=st.integers(0, 50), parts=st.integers(1, 60))
def test_each_piece_is_done_once(count, parts):
    shares = [piece for part in range(parts) for piece in own_share(count, part, parts)]
    assert sorted(shares) == list(range(count))
