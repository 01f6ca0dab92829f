"""Shuffle: a bijection for every size, its own inverse undone, and not the identity."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.policy.shuffle import permute, shuffle_key, unpermute

keys = st.builds(shuffle_key, st.integers(0, 2**62), st.integers(0, 20), st.integers(0, 10**18))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 700), keys)
def test_every_row_comes_exactly_once(rows, key):
    assert sorted(permute(i, rows, key) for i in range(rows)) == list(range(rows))


@given(st.integers(1, 10**18), st.integers(0, 10**18), keys)
def test_the_inverse_undoes_it_at_any_size(rows, index, key):
    row = permute(index % rows, rows, key)
    assert 0 <= row < rows
    assert unpermute(row, rows, key) == index % rows


def test_orders_of_two_epochs_two_sources_and_two_seeds_differ():
    orders = {
        tuple(permute(i, 1000, shuffle_key(*key)) for i in range(50))
        for key in [(1, 0, 0), (1, 0, 1), (1, 1, 0), (2, 0, 0), (11, 0, 0), (1, 10, 0)]
    }
    assert len(orders) == 6


def test_places_look_random():
    rows = 10_000
    order = [permute(i, rows, shuffle_key(3, 0, 0)) for i in range(rows)]
    first_half = order[: rows // 2]
    # The mean of half the rows drawn without replacement has a standard deviation of about 29.
    assert abs(sum(first_half) / len(first_half) - (rows - 1) / 2) < 150
    fixed = sum(i == row for i, row in enumerate(order))
    assert fixed < 10
    neighbours = sum(abs(a - b) == 1 for a, b in pairwise(order))
    assert neighbours < 15
