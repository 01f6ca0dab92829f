"""Losses by source: exact sums, whoever computes which lanes, and the same as the lanes' means."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qmpi.protocol.progress import LOSS_GRID, SourceLoss
from qmpi.protocol.token_kinds import NO_ANSWERS, AnswerLines
from qmpi.training.answers import MOST_TOKENS, Answers
from qmpi.training.source_losses import HALF, NOT_KNOWN, SourceLosses

CPU = torch.device("cpu")
NO_IDS = torch.zeros(0, 0, dtype=torch.int64)
NOBODY = Answers(NO_ANSWERS)
BREAK, OPENING = 7, (5, 6)
LINES = Answers(AnswerLines((OPENING, (4,)), (BREAK,)))


def sums(sources, answers=NOBODY):
    return SourceLosses(sources, answers, CPU)


def rows_of(own, sources, ids=NO_IDS):
    """What a rank that has all rows knows of a lane."""
    return own.lane(sources, lambda rows: rows, ids)


def told(own, *parts):
    """What some ranks have told, summed as the reduction sums it."""
    total = torch.zeros(3 + own.size, dtype=torch.int32)
    for part in parts:
        part.add_to(total)
    assert not total[:3].any()  # what is told of experts lies in front
    return own.read(total)


@given(st.data())
def test_any_deal_gives_the_same_sums(data):
    count, tokens = data.draw(st.integers(1, 4)), 5
    rows = data.draw(st.lists(st.integers(0, count + 2), min_size=1, max_size=12))
    draw = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    losses = torch.rand(len(rows), tokens, generator=draw) * data.draw(st.sampled_from([1, 1e4]))
    ranks = [sums(count) for _ in range(3)]
    deal = data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows)))
    for row, rank in enumerate(deal):
        known = rows_of(ranks[rank], rows[row : row + 1])
        ranks[rank].take(known.sources, losses[row], None)
    wanted = {}
    for row, loss in zip(rows, losses, strict=True):
        entry = wanted.setdefault(min(row, count), [0, 0])
        entry[0] += tokens
        entry[1] += round(float(loss.to(torch.float64).sum()) * LOSS_GRID)
    expected = tuple(SourceLoss(n, *wanted[n]) for n in sorted(wanted))
    assert told(sums(count), *ranks) == expected


def test_a_sequence_that_is_not_finite_counts_for_nothing():
    own = sums(1)
    losses = torch.tensor([[1.0, 2.0], [float("nan"), 1.0], [float("inf"), 1.0]])
    own.take(rows_of(own, (0, 0, 1)).sources, losses.flatten(), None)
    assert told(own, own) == (SourceLoss(0, 2, 3 * LOSS_GRID),)


def test_nothing_is_told_where_nobody_knows_the_sources():
    own = sums(2)
    assert rows_of(own, ()) == NOT_KNOWN
    assert told(own, own) == ()


def test_a_pass_begins_with_nothing():
    own = sums(1)
    own.take(rows_of(own, (0,)).sources, torch.ones(4), None)
    own.clear()
    assert told(own, own) == ()


def answers_in(row, lines=LINES):
    found = lines.of_targets(torch.tensor([row]))[0].tolist()
    ends = [place for place, told in enumerate(found) if told < 0]
    assert all(found[end + found[end] + 1] in (1, -1) for end in ends)
    assert sum(-found[end] for end in ends) == sum(map(bool, found))
    return [place + 1 for place, told in enumerate(found) if told]


def test_an_answer_is_what_stands_between_opening_and_break():
    assert answers_in([1, BREAK, *OPENING, 2, 3, BREAK, 1]) == [4, 5]
    assert answers_in([BREAK, 4, 2, BREAK, BREAK, *OPENING, 3, BREAK]) == [2, 7]


@pytest.mark.parametrize(
    "row",
    [
        [1, *OPENING, 2, 3, BREAK],  # not at the beginning of a line
        [BREAK, 5, 2, 3, BREAK],  # half an opening
        [BREAK, *OPENING, 2, 3],  # the row ends before the answer does
        [BREAK, *OPENING, BREAK, 2, 3],  # nothing behind the opening
        [BREAK, *OPENING, *([1] * (MOST_TOKENS + 1)), BREAK],  # prose
    ],
)
def test_what_is_no_answer(row):
    assert answers_in(row) == []


def test_the_longest_answer():
    row = [BREAK, *OPENING, *([1] * MOST_TOKENS), BREAK]
    assert answers_in(row) == list(range(3, 3 + MOST_TOKENS))


@given(st.lists(st.integers(1, 7), min_size=2, max_size=40))
def test_answers_as_a_plain_loop_finds_them(row):
    wanted = set()
    for place, token in enumerate(row):
        for opening in (OPENING, (4,)):
            begin = place + 1 + len(opening)
            if (
                token != BREAK
                or tuple(row[place + 1 : begin]) != opening
                or BREAK not in row[begin:]
            ):
                continue
            end = row.index(BREAK, begin)
            if 0 < end - begin <= MOST_TOKENS:
                wanted |= set(range(begin, end))
    assert answers_in(row) == sorted(wanted)


def test_the_loss_of_answers_is_told_apart():
    own = sums(1, LINES)
    ids = torch.tensor([[BREAK, 4, 2, BREAK, 1], [1, 1, 1, 1, 1]])
    losses = torch.arange(8, dtype=torch.float32)
    known = rows_of(own, (0, 0), ids)
    own.take(known.sources, losses, known.answers.flatten())
    assert told(own, own) == (SourceLoss(0, 8, 28 * LOSS_GRID, 1, 1 * LOSS_GRID, 1, 0),)


def test_a_problem_is_solved_where_each_token_of_its_answer_is_given_more_than_half():
    own = sums(2, LINES)
    ids = torch.tensor([[BREAK, 4, 2, 2, BREAK, 4, 3, BREAK], [BREAK, 4, 2, 2, 2, BREAK, 1, 1]])
    small, most = 0.5, HALF
    losses = torch.tensor([
        [9, small, small, 9, 9, most, 9],  # the first answer is right, the second just not
        [9, small, small, small, 9, 9, 9],
    ])  # fmt: skip
    known = rows_of(own, (0, 1), ids)
    own.take(known.sources, losses.flatten(), known.answers.flatten())
    assert [(each.problems, each.solved) for each in told(own, own)] == [(2, 1), (1, 1)]


@given(st.data())
def test_problems_are_counted_as_a_plain_loop_counts_them(data):
    ids = torch.tensor([data.draw(st.lists(st.integers(1, 7), min_size=17, max_size=17))])
    chosen = st.sampled_from([0.1, 0.6, 0.8, float("nan") if data.draw(st.booleans()) else 0.2])
    losses = torch.tensor([data.draw(st.lists(chosen, min_size=16, max_size=16))])
    own = sums(1, LINES)
    known = rows_of(own, (0,), ids)
    own.take(known.sources, losses.flatten(), known.answers.flatten())
    problems = solved = 0
    places = known.answers[0].tolist()
    for end, place in enumerate(places):
        if place < 0:
            problems += 1
            solved += all(loss < HALF for loss in losses[0, end + place + 1 : end + 1].tolist())
    found = [(each.problems, each.solved) for each in told(own, own)]
    assert found == ([(problems, solved)] if losses.isfinite().all() else [])
