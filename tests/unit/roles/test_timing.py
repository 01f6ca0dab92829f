"""The parts of a step's time add up to it, whatever the engine and the blocks took."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.policy.step_split import seconds
from qmpi.protocol.progress import StepTimes
from qmpi.roles.trainer.timing import Timing
from qmpi.units import Seconds

moments = st.floats(min_value=0.0, max_value=1e4)


@given(begun=moments, wait=moments, engine=moments, snapshot=moments, rest=moments)
def test_the_parts_add_up_to_the_time_since_the_step_before(
    begun: float, wait: float, engine: float, snapshot: float, rest: float
) -> None:
    timing = Timing()
    timing.begin(Seconds(begun))
    timing.stepping(Seconds(begun + wait))
    spent = wait + engine + snapshot + rest
    whole = timing.whole(StepTimes(forward=engine, snapshot=snapshot), Seconds(begun + spent))
    assert seconds(whole) == pytest.approx(spent, abs=1e-6)
    assert whole.data == pytest.approx(wait, abs=1e-6)
    assert whole.other == pytest.approx(rest, abs=1e-6)


def test_blocks_that_came_in_time_cost_nothing() -> None:
    timing = Timing()
    timing.begin(Seconds(10.0))
    timing.stepping(Seconds(7.0))
    assert timing.whole(StepTimes(forward=2.0), Seconds(12.5)) == StepTimes(forward=2.0, other=0.5)


def test_a_wait_that_a_snapshot_hides_counts_once() -> None:
    timing = Timing()
    timing.begin(Seconds(10.0))
    timing.stepping(Seconds(13.0))
    # The snapshot took four of the seconds, beside the three of waiting.
    whole = timing.whole(StepTimes(forward=2.0, snapshot=4.0), Seconds(16.0))
    assert whole == StepTimes(forward=2.0, snapshot=4.0)


def test_a_step_does_not_pay_for_the_wait_of_the_one_before() -> None:
    timing = Timing()
    timing.begin(Seconds(0.0))
    timing.stepping(Seconds(5.0))
    timing.whole(StepTimes(forward=1.0), Seconds(6.0))
    timing.stepping(Seconds(4.0))
    assert timing.whole(StepTimes(forward=1.0), Seconds(7.0)) == StepTimes(forward=1.0)
