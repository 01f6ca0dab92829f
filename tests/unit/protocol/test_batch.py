"""Lanes of each step and blocks before it, against counting step by step."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.config.batch import BatchSettings
from qmpi.protocol.batch import Batch, first_block, floor_sum, lanes_at, rate_factor
from qmpi.units import Step


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    most = draw(st.integers(1, 70))
    rule = BatchSettings(
        first_lanes=1,
        grow=draw(st.sampled_from(["none", "linear", "doubling", "noise"])),
        grow_steps=draw(st.integers(1, 60)),
        rate=draw(st.sampled_from(["none", "sqrt", "linear"])),
    )
    since, block = Step(draw(st.integers(0, 50))), draw(st.integers(0, 500))
    return Batch(rule, most, since, block, draw(st.integers(1, most)))


@given(batches(), st.integers(0, 150))
def test_blocks_are_counted_as_step_by_step_and_lanes_never_fall(batch: Batch, steps: int) -> None:
    many = [lanes_at(batch, batch.since + gone, batch.most) for gone in range(steps + 1)]
    assert first_block(batch, batch.since + steps, batch.most) == batch.block + sum(many[:-1])
    assert many[0] == batch.lanes
    assert all(1 <= a <= b <= batch.most for a, b in pairwise([*many, batch.most]))
    if batch.settings.grow in ("linear", "doubling") and steps >= batch.settings.grow_steps:
        assert many[-1] == batch.most


@given(batches(), st.integers(0, 150))
def test_the_rate_follows_the_lanes(batch: Batch, gone: int) -> None:
    step = batch.since + gone
    share = lanes_at(batch, step, batch.most) / batch.most
    expected = {"none": 1.0, "sqrt": share**0.5, "linear": share}[batch.settings.rate]
    assert rate_factor(batch, step) == pytest.approx(expected)


@given(st.integers(0, 80), st.integers(1, 40), st.integers(0, 90))
def test_floor_sum_is_the_sum(count: int, divisor: int, factor: int) -> None:
    expected = sum(factor * number // divisor for number in range(count))
    assert floor_sum(count, divisor, factor) == expected


def test_the_far_end_costs_what_the_start_costs() -> None:
    rule = BatchSettings(first_lanes=3, grow="linear", grow_steps=10**12)
    batch = Batch(rule, 4096, Step(0), 0, 3)
    assert first_block(batch, 10**12 + 5, 4096) > 10**15
    assert lanes_at(batch, 10**12, 4096) == 4096


def test_a_doubling_doubles() -> None:
    rule = BatchSettings(first_lanes=3, grow="doubling", grow_steps=9)
    batch = Batch(rule, 20, Step(4), 7, 3)
    assert [lanes_at(batch, step, 20) for step in range(4, 15)] == [3] * 3 + [6] * 3 + [12] * 3 + [
        20,
        20,
    ]


def test_without_a_rule_all_is_as_ever() -> None:
    assert (lanes_at(None, 9, 8), first_block(None, 9, 8), rate_factor(None, 9)) == (8, 72, 1.0)
