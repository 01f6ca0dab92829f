"""Folded lines: where breaks may stand, that places of facts stay, that broken folds are found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.content.address import TYPES, generator_key
from qmpi.content.catalogue import write_document
from qmpi.content.counter import Draw
from qmpi.content.document import Document, SetProblem, unfolded
from qmpi.content.folding import folded
from qmpi.content.level import Budget
from qmpi.content.survey import addresses
from qmpi.content.verify.certificate import faults_of
from qmpi.units import Digest

LONGEST = 100


def note(text, **fields):
    """Return a document without a world, as short ones that close a block."""
    parts = {"problems": (), "genre": "note", **fields}
    return Document(
        "technical", 1, "en", parts["genre"], Budget(1, 1, 1, 1, 1, 1), text, {}, (),
        parts["problems"],
    )  # fmt: skip


def some_folded(document):
    """Return the document folded by the first draws that fold it."""
    for number in range(100):
        found = folded(Draw(number.to_bytes(16, "big")), document)
        if found.breaks:
            return found
    return document


def documents(name, count=150):
    key = generator_key(Digest("folding"), 5)
    return [write_document(key, stream, place) for stream, place in addresses(name, count, 3)]


@pytest.mark.parametrize("name", TYPES)
def test_about_as_many_documents_fold_as_the_type_wants(name):
    found = documents(name)
    share = sum(bool(document.breaks) for document in found) / len(found)
    assert share == 0 if name == "code" else 0.05 < share < 0.8


@pytest.mark.parametrize("name", ["technical", "mathematics", "conversation"])
def test_spaces_put_back_give_text_in_which_facts_keep_their_places(name):
    for document in documents(name):
        assert not any(
            problem.start <= place < problem.end
            for problem in document.problems
            for place in document.breaks
        )
        assert all(document.text[place] == "\n" for place in document.breaks)


def test_lines_between_breaks_are_no_longer_than_a_width():
    text = "A word or two of prose go on and on. " * 30
    found = some_folded(note(text.strip() + "\n"))
    assert len(found.breaks) > 5
    assert max(map(len, found.text.split("\n"))) <= LONGEST
    assert found.text.replace("\n", " ").strip() == text.strip()


@pytest.mark.parametrize(
    "line",
    [
        "    indented words of a program " * 8 + "end.",
        "a | row | of | a | table " * 8 + "end.",
        "- an item of a list that goes on " * 8 + "end.",
        "words without an end, as of a command " * 8,
        "Columns  apart  by  two  spaces " * 8 + "end.",
    ],
)
def test_what_is_no_prose_keeps_its_lines(line):
    assert not some_folded(note(line.rstrip() + "\n")).breaks


def test_a_problem_keeps_its_lines():
    question = "How many words does this question have in all? " * 6
    text = f"{question.strip()}\n\nAnswer: 54\n"
    problem = SetProblem("counting", 0, len(text), "54", {})
    assert some_folded(note(text)).breaks
    assert not some_folded(note(text, problems=(problem,))).breaks


def test_no_line_begins_with_a_mark_of_an_item():
    text = "Take one - two - three - four - five - six - seven - and so on. " * 12
    found = some_folded(note(text.strip() + "\n"))
    assert found.breaks
    assert all(found.text[place + 1].isalpha() for place in found.breaks)


@given(st.text(alphabet="ab .\n|-", max_size=400))
def test_any_text_folds_and_unfolds(text):
    found = some_folded(note(text + "\n"))
    assert all(found.text[place] == "\n" for place in found.breaks)
    assert unfolded(found) == note(text + "\n")


@pytest.mark.parametrize("place", [-4, 0, 3, 10_000])
def test_a_wrong_place_of_a_break_is_found(place):
    text = "A word or two of prose go on and on. " * 9
    found = some_folded(note(text.strip() + "\n"))
    assert not faults_of(found)
    planted = replace(found, breaks=tuple(sorted((*found.breaks, place))))
    assert any("line" in fault for fault in faults_of(planted))


def test_a_break_inside_a_problem_is_found():
    text = "Words to begin with.\nQ: one and\ntwo?\n\nAnswer: three\n"
    problem = SetProblem("counting", 21, len(text), "three", {})
    planted = replace(note(text, problems=(problem,)), breaks=(text.index("\ntwo"),))
    assert any("inside a problem" in fault for fault in faults_of(planted))


def test_a_break_where_a_paragraph_ends_is_found():
    text = "Words to begin with.\n\nMore words.\n"
    planted = replace(note(text), breaks=(20,))
    assert any("paragraph" in fault for fault in faults_of(planted))
