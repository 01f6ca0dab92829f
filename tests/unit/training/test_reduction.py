import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.errors import InvariantError
from qmpi.training.flat_state import FlatState, lay_out
from qmpi.training.reduction import CHUNK, FLOOR, NOT_FINITE, SPARE, ExactSum, lane_bits

CPU = torch.device("cpu")
LAYOUT = lay_out({"a": (5, 7), "b": (3,), "wide": (1, CHUNK + 9)})


def fresh():
    state = FlatState(LAYOUT, CPU)
    state.reset()
    return state


def gradients(seed, lane, scale):
    generator = torch.Generator().manual_seed(seed * 100 + lane)
    return [torch.randn(slot.shape, generator=generator) * scale for slot in LAYOUT.slots]


def add_lane(total, lane, parts):
    for number, (slot, part) in enumerate(zip(LAYOUT.slots, parts, strict=True)):
        total.add(number, slot, part)
    total.end_lane(lane, lane + 0.1, f"{lane:032x}")


def started(lanes, state):
    total = ExactSum(LAYOUT, lanes, CPU)
    total.begin_step(state)
    total.begin_pass()
    return total


def reduced(deal, lanes, parts, state):
    """Sum lanes dealt to members; `deal` is (lane, member) in the order of computation."""
    members = {}
    for lane, member in deal:
        add_lane(members.setdefault(member, started(lanes, state)), lane, parts[lane])
    first, *others = members.values()
    for other in others:
        first._buffer.add_(other._buffer)
    return first


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_no_deal_and_no_order_changes_a_bit(data):
    lanes = data.draw(st.integers(1, 7))
    scale = 2.0 ** data.draw(st.integers(-30, -11))
    parts = [gradients(data.draw(st.integers(0, 9)), lane, scale) for lane in range(lanes)]
    order = data.draw(st.permutations(range(lanes)))
    deal = [(lane, data.draw(st.integers(0, 2))) for lane in order]
    state = fresh()
    one = reduced([(lane, 0) for lane in range(lanes)], lanes, parts, state)
    other = reduced(deal, lanes, parts, state)
    assert torch.equal(one._buffer, other._buffer)
    assert one.tail.facts() == other.tail.facts()
    assert one.tail.facts().digests == tuple(f"{lane:032x}" for lane in range(lanes))
    assert one.tail.facts().losses == tuple(lane + 0.1 for lane in range(lanes))


def test_mean_is_as_good_as_the_grid():
    parts = [gradients(3, lane, 1e-4) for lane in range(5)]
    total = reduced([(lane, 0) for lane in range(5)], 5, parts, fresh())
    assert not total.overflowed()
    mean = torch.zeros(LAYOUT.total)
    total.unpack(mean)
    for number, slot in enumerate(LAYOUT.slots):
        exact = torch.stack([lane[number].double() for lane in parts]).mean(0).view(-1)
        error = (mean[slot.start : slot.start + slot.size].double() - exact).abs()
        assert float(error.max()) <= 2.0 ** (-8 - lane_bits(5)) + 2.0**-24 * float(
            exact.abs().max()
        )


def test_redone_pass_gives_the_bits_of_a_start_with_the_right_exponents():
    parts = [gradients(4, lane, 8.0) for lane in range(3)]
    state = fresh()
    total = reduced([(lane, 0) for lane in range(3)], 3, parts, state)
    assert total.overflowed()
    assert torch.equal(state.exponents, fresh().exponents)  # the step is not over: state untouched
    total.begin_pass()
    for lane in range(3):
        add_lane(total, lane, parts[lane])
    assert not total.overflowed()
    right = fresh()
    right.exponents.copy_(total.tail.needs() + SPARE)
    direct = reduced([(lane, lane % 2) for lane in range(3)], 3, parts, right)
    assert not direct.overflowed()
    assert torch.equal(total._buffer, direct._buffer)


def test_exponents_rise_at_once_keep_a_margin_and_fall_by_one():
    state = fresh()
    zero = [torch.zeros(slot.shape) for slot in LAYOUT.slots]
    small = [torch.full(slot.shape, 2.0**-8 * 0.75) for slot in LAYOUT.slots]
    large = [8 * part for part in small]
    cases = ((zero, -9, False), (zero, -10, False), (small, -3, True), (large, 0, False))
    for parts, expected, overflows in cases:
        total = reduced([(0, 0)], 1, [parts], state)
        assert total.overflowed() is overflows
        if overflows:
            total.begin_pass()
            add_lane(total, 0, parts)
            assert not total.overflowed()
        total.settle(state)
        assert state.exponents.tolist() == [expected] * 3
    assert total.tail.needs().tolist() == [-5] * 3


def test_zero_gradients_need_the_floor():
    zero = [torch.zeros(slot.shape) for slot in LAYOUT.slots]
    assert reduced([(0, 0)], 1, [zero], fresh()).tail.needs().tolist() == [FLOOR] * 3


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_non_finite_gradients_are_seen_not_redone(bad):
    parts = gradients(1, 0, 100.0)
    parts[1].view(-1)[CHUNK + 3] = bad
    total = reduced([(0, 0)], 2, [parts], fresh())
    assert total.broken()
    assert not total.overflowed()
    wide = [slot.name for slot in LAYOUT.slots].index("wide")
    assert [need == NOT_FINITE for need in total.tail.needs()] == [n == wide for n in range(3)]


@given(st.integers(1, 4096))
def test_lane_bits_leave_room_for_all_lanes(lanes):
    assert lanes * 2 ** lane_bits(lanes) <= 2**30


def test_short_digest_is_refused():
    total = started(1, fresh())
    with pytest.raises(InvariantError, match="lane 0"):
        total.end_lane(0, 1.0, "ab")
