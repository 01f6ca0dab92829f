"""Sums by group: what is measured twice counts twice, and a source weighs what the job says."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.policy.scoring import (
    LN2,
    Label,
    added_up,
    answer_marks,
    bits_per_byte,
    by_tens,
    counts,
    evaluation_of,
    means,
    row_marks,
)
from qmpi.protocol.evaluation import Evaluation, Marks, RowLoss

WORDS = Label("words")
EASY = Label("sums", "mathematics", "beginner")
HARD = Label("sums", "mathematics", "expert")

measured = st.lists(
    st.tuples(
        st.sampled_from([WORDS, EASY, HARD]), st.floats(0, 100), st.integers(1, 50).map(float)
    ),
    max_size=20,
)


def test_groups_are_added_up_and_text_without_a_type_has_none():
    scores = means([(WORDS, 6.0, 2.0), (EASY, 4.0, 4.0), (HARD, 8.0, 4.0)], {"words": 3, "sums": 1})
    assert scores.source == {"words": 3.0, "sums": 1.5}
    assert scores.type == {"mathematics": 1.5}
    assert scores.band == {"beginner": 1.0, "expert": 2.0}
    assert scores.overall == (3 * 3.0 + 1.5) / 4


@given(measured)
def test_the_overall_mean_lies_between_those_of_the_sources(values):
    scores = means(values, {"words": 3.0, "sums": 1.0})
    plain = means(values, {})
    if not values:
        assert scores.overall is plain.overall is None
        return
    low, high = min(scores.source.values()), max(scores.source.values())
    assert low - 1e-9 <= scores.overall <= high + 1e-9
    total = sum(value for _, value, _ in values) / sum(count for *_, count in values)
    assert plain.overall == pytest.approx(total)


@given(measured)
def test_counts_add_up(values):
    total = counts(values)
    assert total.overall == sum(total.source.values()) == sum(count for *_, count in values)


def test_a_byte_a_token_and_one_bit_a_byte():
    nats = means([(EASY, math.log(2) * 10, 10.0)], {})
    size = means([(EASY, 10.0, 10.0)], {})
    bits = bits_per_byte(nats, size)
    assert bits.overall == pytest.approx(1.0)
    assert bits.band == {"beginner": pytest.approx(1.0)}


def test_text_without_bytes_has_no_bits_a_byte():
    nats, size = means([(EASY, 3.0, 2.0)], {}), means([(EASY, 0.0, 2.0)], {})
    bits = bits_per_byte(nats, size)
    assert bits.overall is None
    assert (bits.source, bits.type, bits.band) == ({}, {}, {})


@pytest.mark.parametrize("loss", [math.inf, math.nan])
def test_what_is_not_finite_is_no_number(loss):
    scores = means([(WORDS, loss, 2.0), (EASY, 4.0, 4.0)], {"words": 3, "sums": 1})
    assert scores.source == {"words": None, "sums": 1.0}
    assert scores.overall is None
    size = means([(WORDS, 4.0, 2.0), (EASY, 4.0, 4.0)], {})
    assert bits_per_byte(scores, size).source == {"words": None, "sums": pytest.approx(1 / LN2)}


marked = st.lists(
    st.one_of(
        st.builds(
            row_marks,
            st.sampled_from([WORDS, EASY, HARD]),
            st.builds(RowLoss, st.floats(0, 1e6), st.floats(0, 1e6), st.integers(0, 16)),
            st.just(16),
            st.integers(0, 99),
        ),
        st.builds(answer_marks, st.sampled_from([EASY, HARD]), right=st.booleans()),
    ),
    max_size=20,
)  # fmt: skip


@given(marks=marked, cut=st.integers(0, 20), shift=st.integers(0, 20))
def test_marks_give_the_same_result_in_any_order_and_added_up_in_parts(marks, cut, shift):
    weights = {"words": 3.0, "sums": 1.0}
    result = evaluation_of(5, marks, weights)
    turned = marks[shift:] + marks[:shift]
    parts = [*added_up(turned[:cut]), *added_up(turned[cut:])]
    assert evaluation_of(5, parts, weights) == result
    assert result.tokens.overall == sum(mark.tokens for mark in marks)
    assert result.problems.overall == sum(mark.problems for mark in marks)
    assert result.answers is not None
    assert result.answers.overall == sum(mark.answers for mark in marks)


levelled = st.lists(
    st.builds(
        answer_marks,
        st.builds(
            Label, st.sampled_from(["a", "b"]), st.sampled_from(["code", "mathematics"]),
            st.just("band"), st.integers(1, 100),
        ),
        right=st.booleans(),
    ),
    max_size=40,
)  # fmt: skip


@given(marks=levelled, cut=st.integers(0, 40))
def test_problems_are_counted_by_type_and_level_once_whoever_asked_them(marks, cut):
    levels = evaluation_of(5, marks, {}).levels
    assert evaluation_of(5, [*added_up(marks[cut:]), *added_up(marks[:cut])], {}).levels == levels
    assert [(e.type, e.level) for e in levels] == sorted({(m.type, m.level) for m in marks})
    for told in levels:
        own = [m for m in marks if (m.type, m.level) == (told.type, told.level)]
        assert (told.right, told.problems) == (sum(m.right for m in own), len(own))
    tens = by_tens(levels)
    assert sum(each.problems for each in tens) == len(marks)
    assert sum(each.right for each in tens) == sum(m.right for m in marks)
    for each in tens:
        assert each.last == each.first + 9
        assert each.problems == sum(m.problems for m in marks if each.first <= m.level <= each.last)


def test_what_old_versions_measured_is_read_and_has_no_levels():
    result = evaluation_of(5, [answer_marks(EASY, right=True)], {})
    assert result.levels == ()
    told = msgspec.to_builtins(result)
    del told["levels"]
    assert msgspec.convert(told, Evaluation) == result
    old = {"source": "sums", "type": "mathematics", "right": 1, "problems": 1}
    assert msgspec.convert(old, Marks).level == 0


def test_one_row_without_a_finite_loss_spoils_its_group_alone():
    marks = [
        row_marks(WORDS, RowLoss(math.inf, 1.0, 1), 4, 9),
        row_marks(EASY, RowLoss(8.0, 6.0, 2), 4, 9),
    ]
    result = evaluation_of(5, marks, {"words": 1.0, "sums": 1.0}, ["other"])
    assert result.loss.source == {"words": None, "sums": 2.0}
    assert result.answer_loss is not None
    assert result.answer_loss.source == {"words": None, "sums": 3.0}
    assert result.loss.overall is None
    assert result.left_out == ("other",)
    assert result.accuracy.overall is None
