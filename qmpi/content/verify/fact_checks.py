"""What holds of every document, whatever it is about: its layout, and that no number stands bare.

Theory of operation. A digit outside all facts and problems is a number that nobody vouches for, so
it is a fault. Problems of the shared families are cut out and handed to their own solvers.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from qmpi.content.document import Document, Fact
from qmpi.content.exercise import Exercise
from qmpi.content.verify.problem_checks import verify

World = Mapping[str, Any]
Expected = Callable[[World, str, tuple[Any, ...]], str]
"""World, the characters, the fact's arguments; returns what should stand there."""
MALFORMED = (
    ValueError, KeyError, IndexError, TypeError, ZeroDivisionError, AttributeError, OverflowError,
)  # fmt: skip
_MOST = 12_000


def world_of(document: Document) -> World:
    """Return the world as plain data whose shape only its type's checker knows.

    Args:
        document: of any type.

    Returns:
        Its world.
    """
    return document.world


def layout_faults(document: Document) -> list[str]:
    """Check length, ending, places of facts, bare numbers, and shared problems.

    Args:
        document: of any type.

    Returns:
        Faults in words.
    """
    text, faults = document.text, list[str]()
    if not 1 < len(text) <= _MOST:
        faults.append(f"the text has {len(text)} characters")
    if not text.endswith("\n") or text.endswith("\n\n"):
        faults.append("the text does not end in exactly one line break")
    spans = [(fact.start, fact.end) for fact in document.facts]
    spans += [(problem.start, problem.end) for problem in document.problems]
    if any(not 0 <= start <= end <= len(text) for start, end in spans):
        return [*faults, "a fact lies outside the text"]
    faults += _bare_digits(text, spans)
    for problem in document.problems:
        world: Any = {**problem.world, "answer": problem.answer}
        exercise = Exercise(text[problem.start : problem.end], problem.family, world)
        fault = verify(exercise)
        if fault:
            faults.append(f"{problem.family}: {fault}")
    return faults


def _bare_digits(text: str, spans: Iterable[tuple[int, int]]) -> list[str]:
    covered = bytearray(len(text))
    for start, end in spans:
        covered[start:end] = b"\1" * (end - start)
    bare = [p for p, sign in enumerate(text) if sign.isdigit() and not covered[p]]
    return [f"no fact vouches for {text[max(0, p - 20) : p + 10]!r}" for p in bare[:3]]


def fact_faults(document: Document, expected: Mapping[str, Expected]) -> list[str]:
    """Compare each fact with the world.

    Args:
        document: with facts of known kinds.
        expected: what should stand there, by kind.

    Returns:
        Faults in words.
    """
    faults: list[str] = []
    for fact in document.facts:
        shown = document.text[fact.start : fact.end]
        fault = _fact_fault(document.world, fact, shown, expected.get(fact.kind))
        if fault:
            faults.append(fault)
    return faults


def _fact_fault(world: World, fact: Fact, shown: str, expect: Expected | None) -> str | None:
    if expect is None:
        return f"no checker knows facts of the kind {fact.kind!r}"
    try:
        should = expect(world, shown, fact.args)
    except MALFORMED as error:
        return f"{fact.kind} {fact.args}: {error!r}"
    if should == shown:
        return None
    return f"{fact.kind} {fact.args}: the text says {shown!r}, the world {should!r}"
