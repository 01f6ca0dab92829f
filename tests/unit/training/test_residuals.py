import pytest
import torch

from qmpi.errors import CorruptData, InvariantError
from qmpi.training.reduction.residuals import LaneResiduals

CPU = torch.device("cpu")


def kept(lanes=(0, 2), updates=0):
    residuals = LaneResiduals(4, CPU)
    residuals.begin_step(updates)
    for lane in lanes:
        residuals.of_lane(lane).fill_(lane + 1.0)
    residuals.commit()
    return residuals


def numbers(residuals, lane, updates):
    return torch.frombuffer(bytearray(residuals.give(lane, updates)), dtype=torch.float32).tolist()


def test_what_is_kept_is_that_of_the_step_that_was_applied():
    residuals = kept()
    assert residuals.held(1) == (0, 2)
    assert residuals.held(0) == residuals.held(2) == ()
    assert numbers(residuals, 2, 1) == [3.0] * 4
    assert residuals.lane_bytes == 16
    residuals.begin_step(1)
    residuals.of_lane(0).add_(10)
    assert numbers(residuals, 0, 1) == [1.0] * 4
    residuals.begin_pass()
    residuals.of_lane(0).add_(20)
    residuals.of_lane(0).add_(1)
    residuals.commit()
    assert residuals.held(2) == (0,)
    assert numbers(residuals, 0, 2) == [22.0] * 4


def test_a_lane_whose_part_is_elsewhere_is_not_begun():
    residuals = kept()
    residuals.begin_step(1)
    with pytest.raises(InvariantError, match="what lane 1 keeps after 1 updates is not here"):
        residuals.of_lane(1)
    residuals.begin_step(2)
    with pytest.raises(InvariantError, match="lane 0"):
        residuals.of_lane(0)
    with pytest.raises(InvariantError, match="lane 0"):
        residuals.give(0, 2)


def test_before_the_first_update_all_begin_with_zeros():
    residuals = kept()
    residuals.begin_step(0)
    assert residuals.of_lane(0).tolist() == residuals.of_lane(1).tolist() == [0.0] * 4


def test_lanes_are_told_in_order_and_forgotten():
    residuals = LaneResiduals(4, CPU)
    residuals.begin_step(0)
    for lane in (3, 0, 1):
        residuals.of_lane(lane).fill_(lane)
    assert [int(flat[0]) for flat in residuals.in_hand()] == [0, 1, 3]
    residuals.commit()
    residuals.clear()
    assert residuals.held(1) == ()


def test_what_is_taken_replaces_what_was_there():
    given, taken = kept(), kept((0,))
    taken.take(0, 1, given.give(2, 1))
    assert numbers(taken, 0, 1) == [3.0] * 4
    given.begin_step(1)
    given.of_lane(2).zero_()
    given.commit()
    assert numbers(taken, 0, 1) == [3.0] * 4


def test_parts_of_another_size_are_refused():
    with pytest.raises(CorruptData, match="lane 5 keeps takes 16 bytes, not 12"):
        kept().take(5, 1, bytes(12))
