"""Portions of moments: whom a death leaves whole, and whether ranks hold all between them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.protocol.portions import WHOLE, Portions, are_covered, merged

divisions = st.integers(1, 12).flatmap(
    lambda count: st.builds(Portions, index=st.integers(0, count - 1), count=st.just(count))
)


def test_what_a_rank_holds():
    assert Portions(0, 4).held == (0, 3)
    assert Portions(3, 4).held == (2, 3)
    assert WHOLE.held == (0,)
    assert [Portions(0, count).is_whole for count in (1, 2, 3)] == [True, True, False]


@given(st.integers(1, 20), st.data())
def test_whoever_has_a_living_right_neighbour_may_die(count, data):
    alive = data.draw(st.sets(st.integers(0, count - 1)))
    lost = [i for i in range(count) if i not in alive and (i + 1) % count not in alive]
    assert are_covered(Portions(i, count) for i in alive) == (not lost)


@given(st.lists(divisions, max_size=6))
def test_cover_of_mixed_divisions_is_that_of_their_smallest_pieces(holders):
    grain = 27720  # all counts divide it
    found = {
        piece
        for holder in holders
        for number in holder.held
        for piece in range(grain * number // holder.count, grain * (number + 1) // holder.count)
    }
    assert are_covered(holders) == (len(found) == grain)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=5))
def test_merged_runs_hold_the_same_elements_and_lie_apart(spans):
    made = merged(spans)
    assert {e for a, b in made for e in range(a, b)} == {e for a, b in spans for e in range(a, b)}
    assert all(first[1] < second[0] for first, second in itertools.pairwise(made))


@pytest.mark.parametrize("count", [3, 7])
def test_nobody_covers_nothing(count):
    assert not are_covered([])
    assert not are_covered([Portions(1, count)])
