"""Reading problems back: shapes, lists, numbered steps, certificates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.content.exercise import Exercise
from qmpi.content.verify.reading import (
    certificate_fault,
    first_fault,
    listed,
    matched,
    only,
    sentences,
    shape,
    sorted_out,
    steps_any_order_fault,
    steps_fault,
    told,
    worked,
)

SHAPES = {"go": ("{who:w} walks to {where} at {when:t}",), "count": (r"There are {n:d} \w+",)}
WORDS = st.text("abcdefgh", min_size=1, max_size=6)


def exercise(
    steps: str, question: str = "Ana walks to old Rom at 09:30. There are -3 cats!"
) -> Exercise:
    return Exercise(
        f"Q: {question}\n\n{steps}Answer: 1\n", "x", {"n": 3, "all": (1, 2), "answer": "1"}
    )


def test_sentences_end_at_marks_quotes_and_lines() -> None:
    text = 'Q: It is 09:30 in Rom. "So be it." Who?\nNobody!'
    assert sentences(text) == ["Q", "It is 09:30 in Rom", '"So be it."', "Who", "Nobody"]


def test_known_sentences_are_read_and_scenery_is_passed_over() -> None:
    given_ = exercise("", "Ana walks to old Rom at 09:30. Birds sing. There are -3 cats!")
    assert list(told(given_, SHAPES)) == [
        ("go", {"who": "Ana", "where": "old Rom", "when": "09:30"}),
        ("count", {"n": "-3"}),
    ]
    assert sorted_out(given_, SHAPES)["count"] == [{"n": "-3"}]
    assert matched("There are many cats", SHAPES) is None


def test_a_slot_that_comes_twice_holds_the_same() -> None:
    again = shape("{a:w} meets {b:w}, and {a:w} smiles")
    assert again.fullmatch("Ana meets Ben, and Ana smiles")
    assert again.fullmatch("Ana meets Ben, and Ben smiles") is None


def test_one_sentence_of_a_kind_is_wanted() -> None:
    assert only([{"a": "1"}], "it") == {"a": "1"}
    for readings in ([], [{}, {}]):
        with pytest.raises(ValueError, match="sentences about it"):
            only(readings, "it")


@given(st.lists(WORDS.filter(lambda word: word not in ("a", "b")), min_size=1, max_size=6))
def test_lists_are_read_back(items: list[str]) -> None:
    prose = items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]
    assert listed(prose) == items


@given(
    st.lists(WORDS, min_size=1, max_size=12),
    st.sampled_from([("Step ", ": "), ("(", ") "), ("", ") ")]),
)
def test_numbers_of_steps_are_taken_off(lines: list[str], marks: tuple[str, str]) -> None:
    shown = "".join(f"{marks[0]}{n}{marks[1]}{line}\n" for n, line in enumerate(lines, 1))
    assert worked(exercise(shown)) == lines
    assert worked(exercise("".join(f"{line}\n" for line in lines))) == lines


def test_numbers_that_do_not_count_up_are_a_fault() -> None:
    with pytest.raises(ValueError, match="do not count up"):
        worked(exercise("1) a\n3) b\n"))


EXPECTED = [{"who": "Ana", "n": "3"}, {"who": "Ben", "n": "4"}]
PATTERNS = ("{who:w}: {n:d}", r"It is {who:w}\.")


def test_steps_must_be_right_complete_and_in_order() -> None:
    assert steps_fault(exercise(""), PATTERNS, EXPECTED) is None
    assert steps_fault(exercise("Ana: 3\nIt is Ben.\n"), PATTERNS, EXPECTED) is None
    for wrong in ("Ana: 3\n", "Ben: 4\nAna: 3\n", "Ana: 3\nBen: 5\n", "Ana: 3\nBen is 4\n"):
        assert steps_fault(exercise(wrong), PATTERNS, EXPECTED) is not None


def test_steps_of_free_order_must_be_right_and_complete() -> None:
    assert steps_any_order_fault(exercise("Ben: 4\nIt is Ana.\n"), PATTERNS, EXPECTED) is None
    for wrong in ("Ana: 3\n", "Ana: 3\nIt is Ana.\n", "Ana: 3\nBen: 5\n", "Ana: 3\nBen is 4\n"):
        assert steps_any_order_fault(exercise(wrong), PATTERNS, EXPECTED) is not None


def test_the_certificate_holds_what_was_read_and_no_more() -> None:
    assert certificate_fault(exercise(""), n=3, all=[1, 2]) is None
    assert certificate_fault(exercise(""), n=3) is not None
    assert certificate_fault(exercise(""), n=4, all=(1, 2)) is not None
    assert certificate_fault(exercise(""), n=3, all=(2, 1)) is not None
    assert first_fault(None, "a", "b") == "a"
    assert first_fault(None, None) is None
