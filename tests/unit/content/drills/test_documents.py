"""Documents of drills: streams by family, what is held out, and how much of them is answers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config.data import DRILL_FAMILIES, ContentSource
from qmpi.content.address import (
    STREAM_BLOCKS,
    Place,
    Stream,
    generator_key,
    held_out_key,
    parse_stream,
    parse_token,
)
from qmpi.content.block_maker import BlockMaker
from qmpi.content.catalogue import CLOSERS_FROM, write_document
from qmpi.content.document import Document
from qmpi.content.drills.genres import is_held_out
from qmpi.content.lexicons import lexicon_digest
from qmpi.content.problems import posed
from qmpi.content.rows import RowMaker, source_digest, streams_of
from qmpi.content.verify.certificate import faults_of
from qmpi.corpora.tokenizer import answer_lines
from qmpi.errors import InputError
from qmpi.policy.held_out import HELD_OUT_ROWS
from qmpi.storage.tokenizer import Tokenizer, train_tokenizer
from qmpi.training.answers import Answers

ALL = ContentSource(name="all", type="drills")
SOME = ContentSource(name="some", type="drills", max_level=20, families=("sort", "copy"))
LEXICONS = lexicon_digest()
KEY = generator_key(LEXICONS, 3)

families = st.sampled_from(DRILL_FAMILIES)
streams = st.builds(Stream, st.just("drills"), st.integers(1, 100), families)
places = st.builds(Place, st.integers(0, STREAM_BLOCKS - 1), st.integers(0, 4095))


def questions(document: Document) -> list[str]:
    """Return what the drills of a document ask."""
    texts = [document.text[problem.start : problem.end] for problem in document.problems]
    return [text.partition("\n\n")[0] for text in texts]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """Return a vocabulary in which each symbol is one id, as in those that are made of text."""
    texts = [
        write_document(KEY, Stream("drills", level, family), Place(0, 0)).text
        for family in DRILL_FAMILIES
        for level in (1, 20, 60, 100)
    ]
    return train_tokenizer(texts, 400)


@given(st.integers(0, 2**62), streams, places)
def test_training_never_asks_what_is_held_out(seed: int, stream: Stream, place: Place) -> None:
    document = write_document(generator_key(LEXICONS, seed), stream, place)
    assert document.genre == stream.variety
    assert document.problems
    assert not any(map(is_held_out, questions(document)))
    assert faults_of(document) == []


@given(streams, places)
@settings(max_examples=20)
def test_held_out_documents_ask_nothing_else(stream: Stream, place: Place) -> None:
    document = write_document(held_out_key(LEXICONS), stream, place)
    assert all(map(is_held_out, questions(document)))
    assert faults_of(document) == []


@pytest.mark.parametrize("family", DRILL_FAMILIES)
def test_both_sides_have_questions_at_the_easiest_level(family: str) -> None:
    stream = Stream("drills", 1, family)
    for key in (KEY, held_out_key(LEXICONS)):
        documents = [write_document(key, stream, Place(0, number)) for number in range(20)]
        asked = [question for document in documents for question in questions(document)]
        assert len(set(asked)) >= 15


def test_one_question_in_eight_is_held_out() -> None:
    found = sum(is_held_out(f"sort {number}") for number in range(8000))
    assert 850 < found < 1150


def test_posed_problems_are_held_out_spread_over_families_and_no_training_has_them() -> None:
    problems = list(posed(streams_of(ALL), 60, lambda _: True))
    assert len(problems) == 60
    assert all(is_held_out(problem.question) for problem in problems)
    assert {problem.family for problem in problems} == set(DRILL_FAMILIES)
    assert all(problem.is_solved_by(problem.solution) for problem in problems)
    assert not any(problem.is_solved_by("Answer: 1\n") for problem in problems)
    wanted = {problem.question for problem in posed(streams_of(SOME), 30, lambda _: True)}
    trained = {
        question
        for stream in streams_of(SOME)
        for number in range(30)
        for question in questions(write_document(KEY, stream, Place(0, number)))
    }
    assert len(trained) > 1000
    assert not wanted & trained


def test_a_family_is_a_stream_of_its_own() -> None:
    assert [str(stream) for stream in streams_of(SOME)][:3] == [
        "drills/1/sort",
        "drills/1/copy",
        "drills/2/sort",
    ]
    assert len(streams_of(ALL)) == 100 * len(DRILL_FAMILIES)
    other = replace(SOME, families=("shift",))
    assert not set(streams_of(SOME)) & set(streams_of(other))
    assert source_digest(SOME) != source_digest(other)


def test_a_family_stands_where_others_have_a_language() -> None:
    assert parse_stream("drills/12/sort") == Stream("drills", 12, "sort")
    assert parse_token("drills/12/sort/70000")[1] == 70_000
    for text in ("drills/12/en", "drills/12", "drills/12/sorting", "code/12/sort"):
        with pytest.raises(InputError, match=r"there is .*(sort|en)"):
            parse_stream(text)


def test_a_block_is_full_of_whole_documents_of_its_family(tokenizer: Tokenizer) -> None:
    maker = BlockMaker(tokenizer, KEY)
    for stream in (Stream("drills", 1, "copy"), Stream("drills", 100, "needle")):
        block = maker.make(stream, 5)
        assert block.padding < 200
        assert block.numbers[-1] >= CLOSERS_FROM
        last = maker.document(stream, Place(5, block.numbers[-1]))
        assert len(last.problems) == 1
        assert last.genre == stream.variety


@pytest.mark.parametrize("level", [1, 30, 100])
def test_answers_are_marked_and_a_quarter_of_all_tokens(tokenizer: Tokenizer, level: int) -> None:
    answers = Answers(answer_lines(tokenizer))
    marked = tokens = wanted = 0
    for family in DRILL_FAMILIES:
        stream = Stream("drills", level, family)
        documents = [write_document(KEY, stream, Place(0, number)) for number in range(4)]
        for document in documents:
            ids = torch.tensor([tokenizer.encode(document.text)])
            marked += int((answers.of_targets(ids) != 0).sum())
            tokens += 1 + ids.numel()
            wanted += sum(len(problem.answer.split()) for problem in document.problems)
    assert marked == wanted
    assert marked / tokens >= 0.25


def test_rows_are_a_function_of_their_address(tokenizer: Tokenizer) -> None:
    maker, again = (RowMaker(tokenizer, SOME, 5, 64, 512) for _ in range(2))
    rows = [2**40, 0, 7, HELD_OUT_ROWS + 3]
    assert maker.make(rows) == b"".join(again.make([row]) for row in rows)
    assert {maker.where(row)[0].variety for row in range(0, 2**30, 2**26)} <= {"sort", "copy"}
    cycle = [maker.where(n * 1023)[0] for n in range(len(streams_of(SOME)))]
    assert set(cycle) == set(streams_of(SOME))
