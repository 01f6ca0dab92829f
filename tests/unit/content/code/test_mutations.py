"""The checker of the code type finds planted errors of each kind, and never crashes on one."""

import re
from collections.abc import Callable, Collection, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from unit.content.code.samples import changed, document, said, sample

from qmpi.content.document import Document, Fact
from qmpi.content.verify.certificate import faults_of
from qmpi.content.verify.code_checks import check_code
from qmpi.content.verify.code_grammars import LANGUAGES

COUNT = 120
ENOUGH, FEWEST = 8, 2
Change = Callable[[str], str | None]
REMARK = re.compile(r"^\s*(//|#|/?\*|--|\"\"\"|/\*)")
CODE = sorted(LANGUAGES - {"json", "toml", "sql"})


def documents() -> Iterator[Document]:
    """A sample first, then more, for what is rare."""
    yield from sample(COUNT)
    for number in range(COUNT, 1500):
        yield document(1 + number * 37 % 100, number)


def pairs_of(kinds: Collection[str], change: Change) -> list[tuple[Document, Fact, str]]:
    """Facts of these kinds that a change applies to, each with its other text."""
    found: list[tuple[Document, Fact, str]] = []
    for made in documents():
        for fact in made.facts:
            text = change(said(made, fact)) if fact.kind in kinds else None
            if text is not None:
                found.append((made, fact, text))
        if len(found) >= ENOUGH:
            break
    return found


def in_code(text: str, place: int) -> bool:
    """Whether a place lies neither in a comment nor in a docstring."""
    line = text[text.rfind("\n", 0, place) + 1 :].partition("\n")[0]
    return not REMARK.match(line) and text.count('"""', 0, place) % 2 == 0


def misses(kinds: Collection[str], change: Change) -> list[str]:
    """Texts in which a change goes unnoticed."""
    pairs = pairs_of(kinds, change)
    assert len(pairs) >= FEWEST
    return [text for made, fact, text in pairs if not check_code(changed(made, fact, text))]


def other_digit(text: str) -> str | None:
    places = [place for place, char in enumerate(text) if char.isdigit()]
    if not places:
        return None
    place = places[len(text) % len(places)]
    return text[:place] + str((int(text[place]) + 1 + len(text) % 8) % 10) + text[place + 1 :]


KINDS = ["output", "value", "call", "trace", "line", "diff", "session", "rows", "shell"]


@pytest.mark.parametrize("kind", [*KINDS, "overrides", "setting", *sorted(LANGUAGES)])
def test_a_wrong_digit_is_found(kind: str) -> None:
    assert misses({kind}, other_digit) == []


def broken_name(text: str) -> str | None:
    found = [
        match
        for match in re.finditer(r"\b[a-z]\w{3,}\b", text)
        if in_code(text, match.start()) and text[match.start() - 1] not in "\"'`"
    ]
    if not found:
        return None
    match = found[len(text) % len(found)]
    return text[: match.end()] + "q" + text[match.end() :]


@pytest.mark.parametrize("language", [*CODE, "sql"])
def test_a_broken_reference_is_found(language: str) -> None:
    assert misses({language}, broken_name) == []


TURNED = {"+": "-", "-": "+", "*": "+", "<": "<=", ">": ">=", "<=": "<", ">=": ">"}


def other_operator(text: str) -> str | None:
    found = [
        match
        for match in re.finditer(r"(?<=\w )(\+|-|\*|<|>|<=|>=)(?= \w)", text)
        if in_code(text, match.start())
    ]
    if not found:
        return None
    match = found[len(text) % len(found)]
    return text[: match.start()] + TURNED[match[0]] + text[match.end() :]


@pytest.mark.parametrize("language", CODE)
def test_a_wrong_operator_is_found(language: str) -> None:
    assert misses({language}, other_operator) == []


def without_bracket(text: str) -> str | None:
    places = [p for p, char in enumerate(text) if char in "(){}[]" and in_code(text, p)]
    if not places:
        return None
    place = places[len(text) % len(places)]
    return text[:place] + text[place + 1 :]


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_invalid_code_is_found(language: str) -> None:
    assert misses({language}, without_bracket) == []


def test_brackets_that_change_the_meaning_are_found() -> None:
    def turned(text: str) -> str | None:
        match = re.search(r"= (\w+) \+ (\w+) \* (\w+)$", text, re.MULTILINE)
        if match is None:
            return None
        made = f"= ({match[1]} + {match[2]}) * {match[3]}"
        return text[: match.start()] + made + text[match.end() :]

    assert misses(CODE, turned) == []


def test_a_wrong_word_in_an_output_is_found() -> None:
    assert misses({"output"}, lambda text: text.replace("e", "u", 1) if "e" in text else None) == []


def test_a_digit_outside_of_facts_is_found() -> None:
    made = document(40, 3)
    assert faults_of(replace(made, text=made.text[:-1] + " 7\n")) != []


def test_a_false_outcome_in_the_certificate_is_found() -> None:
    found = 0
    for made in sample(COUNT):
        units = made.world.get("units") or {}
        cases = units.get("a", {}).get("cases", [])  # type: ignore[union-attr]
        if made.genre == "trace" and isinstance(cases[0][2], int):
            false = [cases[0][0], cases[0][1], cases[0][2] + 1, False]
            unit = {**units["a"], "cases": [false, *cases[1:]]}  # type: ignore[index]
            assert check_code(replace(made, world={**made.world, "units": {"a": unit}})) != []
            found += 1
    assert found >= 3


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, COUNT - 1), st.randoms(use_true_random=False), st.text(max_size=8))
def test_no_change_makes_the_checker_crash(number: int, chance: object, planted: str) -> None:
    made = sample(COUNT)[number]
    place = chance.randrange(len(made.text))  # type: ignore[attr-defined]
    check_code(replace(made, text=made.text[:place] + planted + made.text[place + 3 :]))
    check_code(replace(made, world={"units": {"a": planted}}))
    check_code(replace(made, world={}))
    check_code(replace(made, facts=tuple(replace(fact, args=(planted,)) for fact in made.facts)))
