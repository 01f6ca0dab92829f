"""Held-out text: keys that no seed leads to, rows spread over the levels, answers judged."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmpi.config.data import ContentSource
from qmpi.content import problems
from qmpi.content.address import (
    STREAM_BLOCKS,
    Place,
    Stream,
    document_key,
    generator_key,
    held_out_key,
)
from qmpi.content.block_maker import BlockMaker
from qmpi.content.counter import Draw
from qmpi.content.level import BANDS, band_of
from qmpi.content.lexicons import lexicon_digest
from qmpi.content.problems import BARREN, TRIES, posed
from qmpi.content.reasoning.families import FAMILIES
from qmpi.content.rows import SHELF_CHAPTERS, RowMaker, streams_of
from qmpi.content.verify.answers import answer_in, is_right
from qmpi.errors import InputError
from qmpi.policy.held_out import HELD_OUT_ROWS
from qmpi.storage.tokenizer import Tokenizer, train_tokenizer

ALL = ContentSource(name="all", type="mathematics")
EASY = ContentSource(name="sums", type="mathematics", min_level=3, max_level=6)

addresses = st.tuples(
    st.builds(Stream, st.sampled_from(["mathematics", "code"]), st.integers(1, 100)),
    st.integers(0, STREAM_BLOCKS - 1),
    st.integers(0, 4095),
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    first = train_tokenizer(["0"], 257)
    maker = BlockMaker(first, generator_key(lexicon_digest(), 0))
    stream = Stream("mathematics", 40)
    return train_tokenizer((maker.document(stream, Place(0, n)).text for n in range(50)), 600)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**64 - 1), addresses, addresses)
def test_no_seed_and_no_address_lead_to_a_held_out_document(seed, trained, held):
    keys = generator_key(lexicon_digest(), seed), held_out_key(lexicon_digest())
    assert keys[0] != keys[1]
    assert document_key(keys[0], *trained) != document_key(keys[1], *held)


def test_held_out_rows_are_the_same_for_every_seed_and_no_row_that_is_trained_on(tokenizer):
    width = 32_768
    one, other = (RowMaker(tokenizer, EASY, seed, width, 4096) for seed in (5, 6))
    wanted = [HELD_OUT_ROWS + n for n in range(8)]
    rows = one.make(wanted)
    assert rows == other.make(wanted)
    trained = np.frombuffer(one.make(range(40)), "<u2").reshape(-1, width + 1)
    held = np.frombuffer(rows, "<u2").reshape(-1, width + 1)
    assert not {row.tobytes() for row in trained} & {row.tobytes() for row in held}
    assert len({row.tobytes() for row in held}) == len(held)


@settings(max_examples=25, deadline=None)
@given(number=st.integers(0, 2**31), width=st.sampled_from([64, 700, 65_536]))
def test_a_held_out_row_lies_where_it_says_and_comes_once(tokenizer, number, width):
    maker = RowMaker(tokenizer, ALL, 5, width, 4096)
    near = range(max(0, number - 20), number + 20)
    places = [maker.where(HELD_OUT_ROWS + n) for n in near]
    assert len(set(places)) == len(places)


def test_few_rows_already_cover_the_bands(tokenizer):
    maker = RowMaker(tokenizer, ALL, 5, 128, 4096)
    first = [maker.where(HELD_OUT_ROWS + n)[0] for n in range(SHELF_CHAPTERS)]
    assert {band_of(stream.level) for stream in first} == {name for name, _, _ in BANDS}


def test_a_held_out_row_is_the_block_of_the_held_out_key(tokenizer):
    maker = RowMaker(tokenizer, EASY, 5, 400, 4096)
    stream, offset = maker.where(HELD_OUT_ROWS + 6)
    block = BlockMaker(tokenizer, held_out_key(lexicon_digest())).make(stream, offset >> 16)
    begin = offset & 0xFFFF
    row = np.frombuffer(maker.make([HELD_OUT_ROWS + 6]), "<u2")
    assert np.array_equal(row, block.ids[begin : begin + 401])


@pytest.mark.parametrize("row", [HELD_OUT_ROWS - 1, HELD_OUT_ROWS + 2**40])
def test_what_lies_behind_either_end_is_refused(tokenizer, row):
    maker = RowMaker(tokenizer, EASY, 5, 65_535, 4096)
    with pytest.raises(InputError, match="ends before row"):
        maker.make([row])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_solution_of_a_document_is_right_and_a_changed_answer_is_not(family):
    judged = Counter()
    for level in (1, 30, 70):
        for number in range(3):
            problem = FAMILIES[family](Draw(f"{family}/{level}/{number}".encode()), level)
            question, _, solution = problem.text.partition("\n\n")
            judge = (question, family, dict(problem.world), problem.answer)
            judged["solution"] += right(judge, solution)
            judged["short"] += right(judge, f"Answer: {problem.answer}\n")
            judged["changed"] += right(judge, f"Answer: {problem.answer}1\n")
            judged["cut"] += right(judge, f"Answer: {problem.answer}")
    # Steps of some read like an answer: those problems are never posed.
    assert judged["solution"] >= (1 if family in ("rule_induction", "entailment") else 9)
    assert (judged["short"], judged["changed"], judged["cut"]) == (9, 0, 0)


def right(judge, continuation):
    question, family, world, answer = judge
    return is_right(question, continuation, family, world, answer)


def test_the_solver_has_a_say_beside_the_certificate():
    assert is_right("Find the value of 4 - 7.", "=> -3\n", "expression",
                    {"expression": "4 - 7"}, "-3")  # fmt: skip
    assert not is_right("Find the value of 4 - 7.", "=> -4\n", "expression",
                        {"expression": "4 - 7"}, "-4")  # fmt: skip


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("4 - 7 = -3\nHence -3\n", "-3"),
        ("Answer: 5\nAnswer: 6\n", "5"),
        ("Answer: 5", None),
        ("the Answer: 5\n", None),
        ("", None),
    ],
)
def test_the_first_whole_answer_counts(text, answer):
    assert answer_in(text) == answer


def test_problems_are_the_same_each_time_and_spread_over_the_levels():
    found = list(posed(streams_of(ALL), 30, lambda _: True))
    assert len(found) == 30
    assert found == list(posed(streams_of(ALL), 30, lambda _: True))
    assert found[:10] == list(posed(streams_of(ALL), 10, lambda _: True))
    assert {band_of(p.stream.level) for p in found} == {name for name, _, _ in BANDS}
    assert all(p.is_solved_by(p.solution) for p in found)
    assert not any(p.is_solved_by("Answer: nothing\n") for p in found)


def test_a_source_is_given_up_after_a_while(monkeypatch):
    written = []
    write = problems.write_document
    monkeypatch.setattr(problems, "write_document", lambda *a: written.append(a) or write(*a))
    multilingual = [Stream("multilingual", level, "de") for level in (1, 50)]
    assert list(posed(multilingual, 1, lambda _: True)) == []
    assert len(written) == TRIES
    written.clear()
    assert list(posed(streams_of(EASY), 100, lambda _: False)) == []
    assert len(written) == BARREN
