"""Every family of drills against its independent solver, and the solvers against planted errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config.data import DRILL_FAMILIES
from qmpi.content.counter import Draw
from qmpi.content.drills.families import FAMILIES, LONGEST_ANSWER, length
from qmpi.content.exercise import Exercise
from qmpi.content.level import LEVELS
from qmpi.content.reasoning.families import FAMILIES as PROBLEMS
from qmpi.content.verify import drill_checks
from qmpi.content.verify.problem_checks import verify

SIGNS = "abcdefghij0123456789[]{}<>:+"

families = st.sampled_from(DRILL_FAMILIES)
levels = st.integers(1, LEVELS)
keys = st.binary(min_size=8, max_size=8)


class Given:
    """A draw that gives one number."""

    def __init__(self, number: int) -> None:
        self._number = number

    def below(self, limit: int) -> int:
        assert self._number < limit
        return self._number


def exercise(family: str, asked: list[str], answer: list[str]) -> Exercise:
    said = " ".join(answer)
    text = f"{family} {' '.join(asked)}\n\nAnswer: {said}\n"
    return Exercise(text, family, {"symbols": len(asked), "answer": said})


def test_names_are_those_of_the_job_file_and_of_no_other_problem() -> None:
    assert tuple(FAMILIES) == DRILL_FAMILIES
    assert set(drill_checks.CHECKS) == set(DRILL_FAMILIES)
    assert not set(DRILL_FAMILIES) & set(PROBLEMS)


@given(families, levels, keys)
def test_every_answer_is_right_and_short_and_its_symbols_are_single_signs(
    family: str, level: int, key: bytes
) -> None:
    drill = FAMILIES[family](Draw(key), level)
    assert verify(exercise(family, drill.asked, drill.answer)) is None
    assert 1 <= len(drill.answer) <= LONGEST_ANSWER
    assert all(len(symbol) == 1 for symbol in drill.asked + drill.answer)


@given(families, levels, keys, st.integers(0, 99), st.sampled_from(SIGNS), st.data())
def test_a_symbol_changed_added_or_left_out_is_found(
    family: str, level: int, key: bytes, place: int, sign: str, data: st.DataObject
) -> None:
    drill = FAMILIES[family](Draw(key), level)
    place %= len(drill.answer)
    before, behind = drill.answer[:place], drill.answer[place + 1 :]
    kept = data.draw(st.sampled_from([[sign], [], [drill.answer[place], sign]]))
    wrong = before + kept + behind
    if wrong != drill.answer:
        assert verify(exercise(family, drill.asked, wrong)) is not None


@pytest.mark.parametrize("family", FAMILIES)
def test_what_the_question_asks_decides(family: str) -> None:
    drill = FAMILIES[family](Draw(b"one"), 30)
    right = exercise(family, drill.asked, drill.answer)
    other = "sort" if family != "sort" else "copy"
    assert verify(replace(right, text=other + right.text.removeprefix(family))) is not None
    assert verify(replace(right, certificate={**right.certificate, "symbols": 1})) is not None
    assert verify(replace(right, text=right.text.replace("\n\n", "\n\nsteps\n"))) is not None
    assert verify(replace(right, text=right.text.replace(" ", "  ", 1))) is not None


@pytest.mark.parametrize(
    ("family", "asked", "answer"),
    [
        ("copy", "b a", "b a"),
        ("reverse", "b a c", "c a b"),
        ("sort", "3 1 3", "1 3 3"),
        ("maximum", "3 1 4", "3 3 4"),
        ("sums", "3 9 4", "3 2 6"),
        ("addition", "7 2 + 5 9", "2 2 1"),
        ("brackets", "{ [ ] <", "> }"),
        ("needle", "a 4 x 7 : x a x", "7 4 7"),
        ("count", "a b a a", "1 1 2 3"),
        ("shift", "3 : 1 9", "4 2"),
    ],
)
def test_drills_mean_what_the_documents_say(family: str, asked: str, answer: str) -> None:
    assert verify(exercise(family, asked.split(), answer.split())) is None


@given(st.integers(1, 10), st.integers(0, 20))
def test_the_mean_length_rises_evenly_with_the_level(least: int, more: int) -> None:
    def lengths(level: int) -> list[int]:
        return [length(Given(n), level, least, least + more) for n in range(LEVELS - 1)]

    totals = [sum(lengths(level)) for level in range(1, LEVELS + 1)]
    assert totals == [(LEVELS - 1) * least + more * (level - 1) for level in range(1, LEVELS + 1)]
    assert set(lengths(1)) == {least}
    assert set(lengths(LEVELS)) == {least + more}
    assert max(lengths(50)) - min(lengths(50)) <= 1


@pytest.mark.parametrize("family", FAMILIES)
def test_harder_drills_ask_and_answer_more(family: str) -> None:
    def symbols(level: int) -> tuple[int, int]:
        drills = [FAMILIES[family](Draw(f"{level}/{n}".encode()), level) for n in range(300)]
        return sum(len(d.asked) for d in drills), sum(len(d.answer) for d in drills)

    sizes = [symbols(level) for level in (1, 15, 30, 45, 60, 75, 90, 100)]
    assert sizes == sorted(sizes)
    assert [answer for _, answer in sizes] == sorted({answer for _, answer in sizes})
