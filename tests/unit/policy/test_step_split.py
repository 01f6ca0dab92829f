"""Mean, shares and utilisation of steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict

from qmpi.policy.step_split import PARTS, hidden_share, mean_times, seconds, shares, utilisation
from qmpi.protocol.progress import StepTimes

spent = st.floats(min_value=0.0, max_value=1e6)
steps = st.builds(StepTimes, **dict.fromkeys(PARTS, spent))


@given(st.lists(steps, min_size=1, max_size=5))
def test_the_mean_of_the_parts_adds_up_to_the_mean_step(times: list[StepTimes]) -> None:
    mean = mean_times(times)
    assert mean is not None
    assert seconds(mean) == pytest.approx(sum(map(seconds, times)) / len(times))


@given(steps)
def test_shares_add_up_to_one(times: StepTimes) -> None:
    found = shares(times)
    if seconds(times) == 0.0:
        assert found == {}
    else:
        assert tuple(found) == PARTS
        assert sum(found.values()) == pytest.approx(1.0)
        assert all(0.0 <= share <= 1.0 for share in found.values())


def test_what_is_hidden_is_no_part_of_a_step() -> None:
    times = [StepTimes(communication=1.0, hidden=2.0), StepTimes(communication=1.0, hidden=4.0)]
    mean = mean_times(times)
    assert mean is not None
    assert mean == StepTimes(communication=1.0, hidden=3.0)
    assert seconds(mean) == 1.0
    assert hidden_share(mean) == 0.75
    assert hidden_share(StepTimes(communication=1.0)) is None


def test_no_steps_have_no_mean() -> None:
    assert mean_times([]) is None


def test_every_part_is_counted() -> None:
    times = StepTimes(*range(1, len(PARTS) + 1))
    assert seconds(times) == sum(asdict(times).values()) == 45


def test_utilisation_is_unknown_without_a_peak_or_a_rate() -> None:
    assert utilisation(3e9, 6e9) == 0.5
    assert utilisation(0.0, 6e9) is None
    assert utilisation(3e9, 0.0) is None
