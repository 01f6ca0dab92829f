"""Steps with fewer lanes than the job has: the mean is over theirs, and told of theirs."""

import pytest
from msgspec.structs import replace
from unit.training.small_job import LANES, alone, job, run

from qmpi.config.batch import BatchSettings

GROWING = BatchSettings(first_lanes=1, grow="linear", grow_steps=3, rate="sqrt")


def with_lanes(settings, lanes):
    return replace(settings, train=replace(settings.train, lanes=lanes))


def with_batch(settings, **fields):
    return replace(settings, batch=BatchSettings(**fields))


@pytest.mark.parametrize("reduction", ["exact", "fast"])
def test_a_step_of_two_lanes_is_that_of_a_job_of_two(reduction):
    plain = job(reduction=reduction)
    few = with_batch(plain, first_lanes=2, noise_scale=True)
    small = with_lanes(with_batch(plain, noise_scale=True), 2)
    here, there = run(alone(few), few, 0, range(2)), run(alone(small), small, 0, range(2))
    assert here.lane_losses == there.lane_losses
    assert here.block_digests == there.block_digests
    assert here.lane_square == there.lane_square > 0.0
    assert here.gradient_norm == pytest.approx(there.gradient_norm, rel=1e-3)
    assert here.learning_rate == there.learning_rate
    if reduction == "fast":
        assert here.weight_digest == there.weight_digest


def test_lanes_and_rate_grow_and_the_loss_falls():
    settings = replace(job(), batch=GROWING)
    engine, plain = alone(settings), alone(job())
    many = [1, 2, 3, 4, 4]
    grown = [run(engine, settings, step, range(lanes)) for step, lanes in enumerate(many)]
    rates = [run(plain, job(), step).learning_rate for step in range(5)]
    assert [len(outcome.lane_losses) for outcome in grown] == many
    for outcome, rate, lanes in zip(grown, rates, many, strict=True):
        assert outcome.learning_rate == pytest.approx(rate * (lanes / LANES) ** 0.5)
    assert grown[-1].updates == 5


def test_a_member_without_a_lane_takes_part():
    """With fewer lanes than members some have none: nothing is added, and nothing is broken."""
    settings = with_batch(job(), first_lanes=2)
    engine = alone(settings)
    engine._sum.begin_step(engine._state, 2)
    engine._sum.begin_pass()
    engine._sum.reduce(engine._group())
    assert not engine._sum.broken()
    assert not engine._sum.overflowed()
