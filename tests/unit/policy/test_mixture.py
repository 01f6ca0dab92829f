"""Mixture: weights are exact integers, and every stretch of a period is mixed like the whole."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.errors import ConfigError, InvariantError
from qmpi.policy.mixture import integer_weights, period_of
from qmpi.protocol.recipe import MIXTURE_PERIOD

weight_lists = st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=12)


@given(weight_lists)
def test_integer_weights_sum_to_the_period_and_stay_near_their_quota(weights):
    counts = integer_weights(weights)
    assert sum(counts) == MIXTURE_PERIOD
    assert min(counts) >= 1
    for weight, count in zip(weights, counts, strict=True):
        quota = MIXTURE_PERIOD * weight / sum(weights)
        assert count <= quota + 1
        assert count >= min(quota, MIXTURE_PERIOD) - len(weights)


@given(weight_lists)
def test_a_larger_weight_never_gets_less(weights):
    counts = integer_weights(weights)
    pairs = sorted(zip(weights, counts, strict=True))
    for (low, few), (high, many) in pairwise(pairs):
        assert few <= many or (low == high and abs(few - many) <= 1)


def test_simple_ratios_are_exact():
    assert integer_weights([3.0, 1.0]) == (3072, 1024)
    assert integer_weights([1.0, 1.0, 1.0]) == (1366, 1365, 1365)
    assert integer_weights([1.0, 1e-12]) == (4095, 1)
    assert integer_weights([1.0, 0.0]) == (4096, 0)
    assert integer_weights([1e-300] * MIXTURE_PERIOD) == (1,) * MIXTURE_PERIOD


@pytest.mark.parametrize("bad", [[], [0.0, 0.0], [-1.0], [float("nan")], [float("inf"), 1.0]])
def test_weights_without_a_meaning_are_the_users_mistake(bad):
    with pytest.raises(ConfigError):
        integer_weights(bad)


@settings(max_examples=15, deadline=None)
@given(weight_lists)
def test_a_period_is_exact_and_smooth(weights):
    counts = integer_weights(weights)
    period = period_of(counts)
    seen = [0] * len(counts)
    for slot, (source, rank) in enumerate(zip(period.sources, period.ranks, strict=True)):
        assert rank == seen[source]
        assert period.slots[source][rank] == slot
        seen[source] += 1
        for k, count in enumerate(counts):
            assert abs(seen[k] - count * (slot + 1) / MIXTURE_PERIOD) < max(2, len(counts) - 1)
    assert tuple(seen) == counts


def test_a_layout_of_other_weights_is_refused():
    with pytest.raises(InvariantError):
        period_of((1, 2))
