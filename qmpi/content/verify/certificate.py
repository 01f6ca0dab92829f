"""Is all that a document says true? Checks of every type, and of the problems in it.

Theory of operation. The checker of the document's type compares what the text says with what it
works out from the world. Each problem is cut out of the text and goes to the solver of its family.
And whatever the type, no digit may stand in the text outside a fact or a problem: a number planted
between the facts is found as well. Folded lines are joined first, at the places that the
certificate names.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from typing import Any

from msgspec.structs import replace

from qmpi.content.document import Document, unfolded
from qmpi.content.exercise import Exercise
from qmpi.content.verify.problem_checks import verify

Checker = Callable[[Document], list[str]]

_CHECKERS = {
    "technical": ("technical_checks", "check_technical"),
    "scientific": ("scientific_checks", "check_scientific"),
    "code": ("code_checks", "check_code"),
    "mathematics": ("mathematics_checks", "check_mathematics"),
    "philosophy": ("philosophy_checks", "check_philosophy"),
    "creative": ("creative_checks", "check_creative"),
    "conversation": ("conversation_checks", "check_conversation"),
    "multilingual": ("multilingual_checks", "check_multilingual"),
    "drills": ("drill_checks", "check_drills"),
}
_DIGIT = re.compile(r"\d")
_SHOWN = 30


@cache
def checker_of(type_name: str) -> Checker:
    """Return the checker of a type, loaded on first use.

    Args:
        type_name: content type.

    Returns:
        A function from a document to faults in words.
    """
    module, name = _CHECKERS[type_name]
    checker: Checker = getattr(import_module(f"qmpi.content.verify.{module}"), name)
    return checker


def count_facts(document: Document) -> int:
    """Return how many things of a document are checked.

    Args:
        document: with its certificate.

    Returns:
        Facts and problems.
    """
    return len(document.facts) + len(document.problems)


def faults_of(document: Document) -> list[str]:
    """Check a document.

    Args:
        document: with its certificate.

    Returns:
        Faults in words; empty if all it says is true.
    """
    faults = _form_faults(document) + _break_faults(document)
    if faults:
        return faults
    document = unfolded(document)
    for problem in document.problems:
        text = document.text[problem.start : problem.end]
        certificate = {**problem.world, "answer": problem.answer}
        fault = verify(Exercise(text, problem.family, certificate))
        if fault is not None:
            faults.append(f"{problem.family}: {fault}")
    faults += _digit_faults(document)
    if document.genre == "note":  # short ones that close a block have no world
        return faults
    if document.genre == "synthesis":
        return faults + _joined_faults(document)
    return faults + checker_of(document.type)(document)


# Each part is cut out and goes to the checker of its type; bridges repeat what a part says.
def _joined_faults(document: Document) -> list[str]:
    parts: Any = document.world.get("parts")
    try:
        faults = [fault for part in parts for fault in _part_faults(document, part)]
    except (KeyError, TypeError, ValueError) as error:
        return [f"the parts cannot be read: {error!r}"]
    if len(parts) < 2:
        faults.append("only one type is joined")
    for fact in document.facts:
        said = document.text[fact.start : fact.end]
        if fact.kind == "bridge":
            start, end = (int(str(place)) for place in fact.args)
            first = document.text[start : start + 1]
            repeated = document.text[start:end]
            if said not in (repeated, first.upper() + repeated[1:]):
                faults.append(f"the bridge says {said!r}, not {repeated!r}")
    return faults


def _part_faults(document: Document, part: Any) -> list[str]:
    start, end = part["start"], part["end"]
    inside = [fact for fact in document.facts if start <= fact.start and fact.end <= end]
    cut = replace(
        document,
        type=part["type"],
        genre=part["genre"],
        text=document.text[start:end],
        world=part["world"],
        facts=tuple(
            replace(fact, start=fact.start - start, end=fact.end - start) for fact in inside
        ),
        problems=tuple(
            replace(problem, start=problem.start - start, end=problem.end - start)
            for problem in document.problems
            if start <= problem.start and problem.end <= end
        ),
    )
    return [f"{part['type']}: {fault}" for fault in checker_of(part["type"])(cut)]


def _form_faults(document: Document) -> list[str]:
    faults: list[str] = []
    if not document.text.endswith("\n") or document.text.endswith("\n\n"):
        faults.append("the text does not end in one line break")
    places = [*document.facts, *document.problems]
    if any(not 0 <= p.start < p.end <= len(document.text) for p in places):
        faults.append("a fact lies outside the text")
    return faults


def _break_faults(document: Document) -> list[str]:
    text, before = document.text, 0
    for place in document.breaks:
        if not before < place < len(text) - 1 or text[place] != "\n":
            return [f"no line break at {place}, where a line should be folded"]
        if text[place - 1].isspace() or text[place + 1].isspace():
            return [f"a line is folded at {place}, where a paragraph ends"]
        if any(problem.start <= place < problem.end for problem in document.problems):
            return [f"a line is folded at {place}, inside a problem"]
        before = place
    return []


def _digit_faults(document: Document) -> list[str]:
    covered = bytearray(len(document.text))
    for place in _clipped(document):
        covered[place.start : place.stop] = b"\1" * len(place)
    for found in _DIGIT.finditer(document.text):
        if not covered[found.start()]:
            around = document.text[max(0, found.start() - _SHOWN) : found.start() + _SHOWN]
            return [f"a number that no fact covers: {around!r}"]
    return []


def _clipped(document: Document) -> Iterable[range]:
    for place in (*document.facts, *document.problems):
        yield range(max(0, place.start), min(len(document.text), place.end))
