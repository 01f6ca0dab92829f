"""Homes of blocks: balanced, stable under loss, independent of the order of the list."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.errors import InvariantError
from qmpi.policy.homes import home_of

rank_lists = st.lists(st.integers(0, 10**6), min_size=1, max_size=20, unique=True)


@given(st.integers(0, 10**15), st.integers(0, 4095), rank_lists, st.randoms())
def test_the_home_is_a_member_whatever_the_order(step, lane, ranks, random):
    home = home_of(step, lane, ranks)
    assert home in ranks
    random.shuffle(ranks)
    assert home_of(step, lane, ranks) == home


@settings(max_examples=50)
@given(st.integers(0, 10**15), rank_lists.filter(lambda ranks: len(ranks) > 1))
def test_a_loss_moves_only_the_blocks_of_the_lost(step, ranks):
    lost, rest = ranks[0], ranks[1:]
    for lane in range(20):
        before = home_of(step, lane, ranks)
        if before != lost:
            assert home_of(step, lane, rest) == before


def test_blocks_are_spread_evenly():
    counts = Counter(home_of(step, lane, range(5)) for step in range(250) for lane in range(8))
    # 2,000 blocks over 5 ranks: 400 each, standard deviation 18.
    assert all(300 < counts[rank] < 500 for rank in range(5))


def test_without_ranks_there_is_no_home():
    with pytest.raises(InvariantError):
        home_of(0, 0, [])
