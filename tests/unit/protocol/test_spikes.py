"""Spikes: judged by running levels that equal plain statistics, and that a spike leaves alone."""

from math import inf, nan, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.config.guard import GuardSettings
from qmpi.protocol.spikes import (
    LEAST_SHARE,
    NO_LEVELS,
    Levels,
    followed,
    halts,
    judged,
    spike_of,
)

GUARD = GuardSettings(loss_spike=4.0, norm_spike=6.0, window_steps=50, warmup_steps=10)
VALUES = st.lists(st.floats(0.0, 100.0), min_size=1, max_size=50)


@given(VALUES, VALUES)
def test_levels_within_the_window_are_mean_and_variance(losses, norms):
    levels, pairs = NO_LEVELS, list(zip(losses, norms, strict=False))
    for loss, norm in pairs:
        levels = followed(GUARD, levels, loss, norm)
    for got, spread, values in (
        (levels.loss, levels.loss_variance, [loss for loss, _ in pairs]),
        (levels.norm, levels.norm_variance, [norm for _, norm in pairs]),
    ):
        mean = sum(values) / len(values)
        assert got == pytest.approx(mean, abs=1e-9)
        variance = sum((value - mean) ** 2 for value in values) / len(values)
        assert spread == pytest.approx(variance, abs=1e-6)
    assert levels.steps == len(pairs)


def test_later_steps_fade_the_earlier_out():
    levels = NO_LEVELS
    for loss in [10.0] * 50 + [2.0] * 500:
        levels = followed(GUARD, levels, loss, 1.0)
    assert levels.loss == pytest.approx(2.0, abs=0.01)


@given(st.floats(0.1, 10.0), st.floats(0.0, 2.0), st.floats(0.0, 40.0))
def test_a_loss_stands_out_beyond_so_many_deviations_and_never_below(mean, variance, loss):
    levels = Levels(100.0, mean, variance, 1.0, 0.0)
    limit = mean + 4.0 * max(sqrt(variance), LEAST_SHARE * mean)
    if abs(loss - limit) > 1e-9:
        assert (spike_of(GUARD, levels, loss, 1.0) == "loss") == (loss > limit)


def test_what_is_judged_and_what_is_not():
    levels = Levels(10.0, 2.0, 0.01, 1.0, 0.01)
    assert spike_of(GUARD, levels, 9.0, 9.0) == "loss"
    assert spike_of(GUARD, levels, 2.0, 9.0) == "norm"
    assert spike_of(GUARD, levels, None, 1.0) == ""
    assert spike_of(GUARD, Levels(9.0, 2.0, 0.01, 1.0, 0.01), 9.0, 9.0) == "", "warm-up"
    off = GuardSettings(norm_spike=6.0)
    assert spike_of(off, Levels(200.0, 2.0, 0.0, 1.0, 0.0), 99.0, 1.0) == ""


def test_a_spike_and_a_step_that_is_not_finite_leave_the_levels_alone():
    levels = Levels(10.0, 2.0, 0.01, 1.0, 0.01)
    assert judged(GUARD, levels, (9.0, 9.0), 1.0) == ("loss", levels)
    for norm in (inf, nan, -1.0):
        assert judged(GUARD, levels, (9.0,), norm) == ("", levels)
    assert judged(GuardSettings(), levels, (9.0,), 1.0) == ("", levels)
    # Lanes without a finite loss are left out, as everywhere.
    expected = followed(GUARD, levels, 2.0, 1.0)
    assert judged(GUARD, levels, (1.9, nan, -1.0, 2.1), 1.0) == ("", expected)


def test_a_run_halts_as_told_or_when_spikes_are_many():
    assert halts(GuardSettings(loss_spike=1.0, action="stop"), "loss", 1)
    skipping = GuardSettings(loss_spike=1.0, most_in_a_row=3)
    assert [halts(skipping, "norm", row) for row in (1, 2, 3, 4)] == [False, False, True, True]
    assert not halts(skipping, "", 9)
