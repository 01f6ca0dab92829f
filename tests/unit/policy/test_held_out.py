"""Held-out rows: a bijection for training onto the others, nothing of it ever trained on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.config.checks import MOST_TOKENS
from qmpi.errors import InputError, InvariantError
from qmpi.policy.held_out import (
    HELD_OUT_ROWS,
    held_out_row,
    is_held_out,
    place_of,
    split,
    trained_row,
    trained_rows,
)
from qmpi.policy.stream import first_recipe, next_recipe, rows_of_block, sequence_of
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.recipe import RowAddress

SHORTEST_SEQUENCE = 8
KNOWN = [96, 97, 98, 99, 556, 557, 558, 559]
"""Held out of 640 rows of 1,024 tokens by a share of 0.013: a change leaks into begun runs."""


@st.composite
def splits(draw, most=3000):
    """Facts of a corpus with something held out, or nothing."""
    rows = draw(st.integers(2, most))
    length = draw(st.sampled_from([64, 512, 1000, 4096, 10_000]))
    share = draw(st.sampled_from([0.0, 0.001, 0.005, 0.1, 0.5, 0.97]))
    try:
        return split("corpus", rows, "d", share, length)
    except InputError:
        return split("corpus", rows, "d", 0.0, length)


def held_out_of(fact):
    return {held_out_row(fact, number) for number in range(fact.held_out)}


@settings(max_examples=60, deadline=None)
@given(splits())
def test_every_row_is_either_trained_on_once_an_epoch_or_held_out(fact):
    trained = [trained_row(fact, place) for place in range(trained_rows(fact))]
    held = held_out_of(fact)
    assert len(held) == fact.held_out
    assert sorted([*trained, *held]) == list(range(fact.rows))
    assert held == {row for row in range(fact.rows) if is_held_out(fact, row)}


@settings(deadline=None)
@given(st.integers(10**6, 10**17), st.floats(1e-6, 0.9), st.integers(8, 10**5), st.data())
def test_the_sets_stay_apart_at_any_size(rows, share, length, data):
    fact = split("corpus", rows, "d", share, length)
    place = data.draw(st.integers(0, trained_rows(fact) - 1))
    row = trained_row(fact, place)
    assert 0 <= row < rows
    assert not is_held_out(fact, row)
    assert place_of(fact, row) == place
    held = held_out_row(fact, data.draw(st.integers(0, fact.held_out - 1)))
    assert 0 <= held < rows
    with pytest.raises(InvariantError, match="held out"):
        place_of(fact, held)


@settings(max_examples=20, deadline=None)
@given(splits(), st.integers(0, 2**62), st.integers(1, 60), st.integers(0, 10**12))
def test_no_block_of_any_recipe_holds_a_held_out_row(fact, seed, changed, far):
    facts = (fact, SourceFact("made", 0, "d"))
    recipes = [first_recipe([3.0, 1.0], seed)]
    recipes.append(next_recipe(recipes[0], changed, changed * 16, [1.0, 2.0]))
    for step in (*range(80), far):
        for lane in range(4):
            block = rows_of_block(recipes, facts, step, lane, lanes=4, rows_per_block=4)
            assert not [a for a in block if is_held_out(facts[a.source], a.row)]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4096), st.integers(1, 64), st.integers(1, 64), st.integers(0, 10**18))
def test_no_job_that_is_legal_counts_up_to_the_held_out_rows(lanes, rows, length, step):
    length += SHORTEST_SEQUENCE - 1
    last = min(step, MOST_TOKENS // (lanes * rows * length) - 1)
    facts = (SourceFact("made", 0, "d"),)
    block = rows_of_block(
        [first_recipe([1.0], 0)], facts, max(0, last), lanes - 1, lanes=lanes, rows_per_block=rows
    )
    assert max(a.row for a in block) < HELD_OUT_ROWS // 4
    assert not any(is_held_out(facts[0], a.row) for a in block)
    assert is_held_out(facts[0], held_out_row(facts[0], 0))


@settings(max_examples=25, deadline=None)
@given(st.integers(2000, 10**9), st.floats(0.001, 0.4), st.floats(0.001, 0.4))
def test_a_larger_share_holds_out_what_a_smaller_one_does(rows, one, other):
    small, large = (split("c", rows, "d", share, 4096) for share in sorted((one, other)))
    for number in range(min(small.held_out, 50)):
        assert is_held_out(large, held_out_row(small, number))


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([64, 128, 1024, 2048]), st.integers(10**6, 10**8))
def test_the_same_tokens_are_held_out_whatever_the_length_of_a_sequence(length, tokens):
    fine = split("c", tokens // length, "d", 0.01, length)
    coarse = split("c", tokens // 4096, "d", 0.01, 4096)
    for number in range(min(coarse.held_out, 20)):
        first = held_out_row(coarse, number) * 4096 // length
        assert all(is_held_out(fine, first + k) for k in range(4096 // length))


def test_known_rows_never_change():
    fact = split("corpus", 640, "d", 0.013, 1024)
    assert sorted(held_out_of(fact)) == KNOWN


def test_nothing_held_out_leaves_the_stream_as_it_was():
    facts = (SourceFact("corpus", 1000, "d"), SourceFact("made", 0, "d"))
    assert split("corpus", 1000, "d", 0.0, 128) == facts[0]
    assert [trained_row(facts[0], place) for place in range(1000)] == list(range(1000))


def test_a_corpus_of_one_row_cannot_be_shared():
    with pytest.raises(InputError, match="nothing is left to train on"):
        split("corpus", 1, "d", 0.5, 128)


@pytest.mark.parametrize(("rows", "stretch"), [(2, 1), (127, 1), (128, 2), (2047, 16), (2048, 32)])
def test_a_short_corpus_is_held_out_in_short_stretches(rows, stretch):
    fact = split("corpus", rows, "d", 0.001, 128)
    assert (fact.held_out, fact.stretch) == (stretch, stretch)


def test_a_held_out_row_has_no_sequence():
    facts = (split("corpus", 5000, "d", 0.1, 128), SourceFact("made", 0, "d"))
    recipes = [first_recipe([1.0, 1.0], 3)]
    for source, fact in enumerate(facts):
        with pytest.raises(InvariantError, match="held out"):
            sequence_of(recipes, facts, RowAddress(source, held_out_row(fact, 0)))
    with pytest.raises(InvariantError, match="holds 480 rows out"):
        held_out_row(facts[0], 480)
