"""Families beyond plain mathematics against their solvers, and these against planted errors."""

import re

import pytest
from msgspec.structs import replace
from unit.content.reasoning.family_trials import (
    changes,
    exercise,
    exercises,
    with_other_answer,
    with_other_step,
)

from qmpi.content.exercise import answer_of, question_of
from qmpi.content.reasoning import scene_words
from qmpi.content.reasoning.situations import FAMILIES
from qmpi.content.verify.problem_checks import verify

DOCUMENTS = 300
PLANTED = 60
SOAK = 3_000


@pytest.mark.parametrize("family", FAMILIES)
def test_all_that_a_text_says_is_true_and_texts_differ(family: str) -> None:
    made = exercises(family, FAMILIES[family], DOCUMENTS)
    faults = [(fault, given.text) for given in made if (fault := verify(given))]
    assert faults == []
    assert len({question_of(given.text) for given in made}) >= DOCUMENTS * 0.99
    assert all(given.text.endswith("\n") and "\n\n\n" not in given.text for given in made)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_level_already_differs(family: str) -> None:
    made = {question_of(exercise(family, FAMILIES[family], n, 1).text) for n in range(200)}
    assert len(made) == 200


@pytest.mark.parametrize("family", FAMILIES)
def test_harder_levels_are_longer(family: str) -> None:
    def length(level: int) -> int:
        return sum(len(exercise(family, FAMILIES[family], n, level).text) for n in range(80))

    assert length(1) < length(40) < length(100)


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_vary(family: str) -> None:
    answers = {answer_of(given.text) for given in exercises(family, FAMILIES[family], PLANTED)}
    assert len(answers) > 1


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_answer_is_found(family: str) -> None:
    made = exercises(family, FAMILIES[family], PLANTED)
    planted = 0
    for given, donor in zip(made, made[1:] + made[:1], strict=True):
        answer, other = str(given.certificate["answer"]), str(donor.certificate["answer"])
        for wrong in (*changes(answer), other, "Somebody"):
            if wrong == answer:
                continue
            planted += 1
            in_text, in_both = with_other_answer(given, wrong)
            assert verify(in_text) is not None, in_text.text
            assert verify(in_both) is not None, in_both.text
    assert planted >= PLANTED


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_step_is_found(family: str) -> None:
    planted = 0
    for number, given in enumerate(exercises(family, FAMILIES[family], PLANTED)):
        for spoiled in with_other_step(given, number):
            planted += 1
            assert verify(spoiled) is not None, spoiled.text
    assert planted >= PLANTED // 2


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_certificate_is_found(family: str) -> None:
    for given in exercises(family, FAMILIES[family], 10):
        for name in given.certificate:
            wrong = {**given.certificate, name: "Somebody"}
            assert verify(replace(given, certificate=wrong)) is not None
            missing = {key: value for key, value in given.certificate.items() if key != name}
            assert verify(replace(given, certificate=missing)) is not None


@pytest.mark.parametrize("family", FAMILIES)
def test_a_broken_text_is_a_fault_in_words(family: str) -> None:
    given = exercise(family, FAMILIES[family], 5, 60)
    head, _, rest = given.text.partition("\n\n")
    words = head.split(" ")
    for place in range(0, len(words), 3):
        cut = " ".join(words[:place] + words[place + 2 :])
        verify(replace(given, text=f"{cut}\n\n{rest}"))
    assert verify(replace(given, text=f"Nothing.\n\n{rest}")) is not None


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_number_in_the_question_is_found(family: str) -> None:
    # Some numbers may change without harm: a key that is never pressed, a walk that comes back.
    found = planted = 0
    for given in exercises(family, FAMILIES[family], PLANTED):
        head, _, rest = given.text.partition("\n\n")
        for number in list(re.finditer(r"\d+", head))[:4]:
            other = head[: number.start()] + str(int(number[0]) + 1) + head[number.end() :]
            planted += 1
            found += verify(replace(given, text=f"{other}\n\n{rest}")) is not None
    assert found >= planted * 0.75


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_many_texts_are_true_and_differ(family: str) -> None:
    made = exercises(family, FAMILIES[family], SOAK)
    assert [(fault, given.text) for given in made if (fault := verify(given))] == []
    assert len({question_of(given.text) for given in made}) == SOAK
    assert max(len(given.text) for given in made) < 6_000


def test_no_two_people_or_places_have_one_name() -> None:
    assert len(set(scene_words.PEOPLE)) == len(scene_words.PEOPLE)
    assert len(set(scene_words.PLACES)) == len(scene_words.PLACES)
