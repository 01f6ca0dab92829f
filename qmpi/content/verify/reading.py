"""Reading a rendered problem back: sentences, shapes of sentences, worked steps.

Theory of operation. A shape is a regular expression in which {name} stands for any words and
{name:d} for a whole number, {name:w} for one word, {name:t} for a time of day. It has to match a
whole sentence without its closing mark. What no shape matches is scenery. Steps are read more
strictly: each line must have a known shape, all values must be those that the solver worked out,
and no line may be missing.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

from qmpi.content.exercise import Exercise, question_of, steps_of

_KINDS = {
    "": r".+?",
    ":d": r"-?\d+",
    ":w": r"\w+",
    ":t": r"\d\d:\d\d",
}
_SLOT = re.compile(r"\{(\w+)(:[a-z])?\}")
_BREAK = re.compile(r"(?<=[.?!:])\s+|(?<=[.?!]\")\s+|\n")

Check = Callable[[Exercise, str], str | None]
"""An exercise and the answer its text shows to a fault in words."""

Values = dict[str, str]
"""What stood in the slots of a shape."""


@cache
def shape(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a shape.

    Args:
        pattern: regular expression with slots.

    Returns:
        With a named group for each slot; a slot that comes twice must hold the same both times.
    """
    seen = set[str]()

    def slot(found: re.Match[str]) -> str:
        name = found[1]
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>{_KINDS[found[2] or '']})"

    return re.compile(_SLOT.sub(slot, pattern))


def sentences(text: str) -> list[str]:
    """Return the sentences of a question without their closing marks.

    Args:
        text: any.

    Returns:
        In order; the end of a line ends a sentence too.
    """
    return [part.rstrip(".?!:") for part in _BREAK.split(text)]


def told(exercise: Exercise, shapes: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, Values]]:
    """Read the sentences of a question that have a known shape.

    Args:
        exercise: whose question is read.
        shapes: by kind, tried in order.

    Yields:
        Kind and values of each such sentence.
    """
    for sentence in sentences(question_of(exercise.text)):
        found = matched(sentence, shapes)
        if found is not None:
            yield found


def sorted_out(
    exercise: Exercise, shapes: Mapping[str, Sequence[str]]
) -> defaultdict[str, list[Values]]:
    """Read all sentences of a question that have a known shape.

    Args:
        exercise: whose question is read.
        shapes: by kind, tried in order.

    Returns:
        Values of the sentences in order, by kind.
    """
    found: defaultdict[str, list[Values]] = defaultdict(list)
    for kind, values in told(exercise, shapes):
        found[kind].append(values)
    return found


def matched(sentence: str, shapes: Mapping[str, Sequence[str]]) -> tuple[str, Values] | None:
    """Read one sentence.

    Args:
        sentence: without its closing mark.
        shapes: by kind, tried in order.

    Returns:
        Kind and values of the first shape that matches; None if none does.
    """
    for kind, patterns in shapes.items():
        for pattern in patterns:
            found = shape(pattern).fullmatch(sentence)
            if found is not None:
                return kind, {name: value or "" for name, value in found.groupdict().items()}
    return None


def only(readings: Sequence[Values], what: str) -> Values:
    """Return the one sentence of a kind.

    Args:
        readings: all of the kind.
        what: it is about, for the fault.

    Returns:
        The reading.

    Raises:
        ValueError: there is none, or more than one.
    """
    if len(readings) != 1:
        raise ValueError(f"{len(readings)} sentences about {what}")
    return readings[0]


def listed(text: str) -> list[str]:
    """Read a list as prose has it.

    Args:
        text: as "a, b and c".

    Returns:
        The items.
    """
    return re.split(r", | and | or ", text)


def worked(exercise: Exercise) -> list[str]:
    """Return the worked steps without their numbers.

    Args:
        exercise: whose steps are read.

    Returns:
        Lines.

    Raises:
        ValueError: the numbers do not count up from 1.
    """
    steps = steps_of(exercise.text)
    for before, after in (("Step ", ": "), ("(", ") "), ("", ") ")):
        if steps and steps[0].startswith(f"{before}1{after}"):
            marks = [f"{before}{n}{after}" for n in range(1, len(steps) + 1)]
            if not all(map(str.startswith, steps, marks)):
                raise ValueError("the numbers of the steps do not count up")
            return [step[len(mark) :] for step, mark in zip(steps, marks, strict=True)]
    return steps


def steps_fault(
    exercise: Exercise, patterns: Sequence[str], expected: Sequence[Values]
) -> str | None:
    """Compare all worked steps with what the solver found.

    Args:
        exercise: whose steps are read; none at all is the short style.
        patterns: shapes of whole lines, closing mark included.
        expected: values a line must show, by slot, in order; a shape may leave some unsaid.

    Returns:
        The first fault, or None.
    """
    steps = worked(exercise)
    if not steps:
        return None
    if len(steps) != len(expected):
        return f"{len(steps)} steps, not {len(expected)}"
    for line, right in zip(steps, expected, strict=True):
        found = matched(line, {"step": patterns})
        if found is None:
            return f"nobody can read the step {line!r}"
        for name, value in found[1].items():
            if right.get(name) != value:
                return f"the step {line!r} shows {value!r} where {right.get(name)!r} is right"
    return None


def certificate_fault(exercise: Exercise, **expected: int | str | Sequence[object]) -> str | None:
    """Compare the certificate with what was read from the question.

    Args:
        exercise: whose certificate is read.
        **expected: parameters by name; the certificate must hold these, "answer", and no others.

    Returns:
        The first fault, or None.
    """
    shown = {key: value for key, value in exercise.certificate.items() if key != "answer"}
    if set(shown) != set(expected):
        return f"the certificate holds {sorted(shown)}, not {sorted(expected)}"
    for name, value in expected.items():
        plain = shown[name]
        if (list(plain) if isinstance(plain, tuple | list) else plain) != (
            value if isinstance(value, int | str) else list(value)
        ):
            return f"the certificate has {plain!r} as {name}, the question {value!r}"
    return None


def first_fault(*faults: str | None) -> str | None:
    """Return the first fault.

    Args:
        *faults: None where nothing is wrong.

    Returns:
        A fault, or None.
    """
    return next((fault for fault in faults if fault), None)


def steps_any_order_fault(
    exercise: Exercise, patterns: Sequence[str], expected: Sequence[Values]
) -> str | None:
    """Compare worked steps whose order is free with what the solver found.

    Args:
        exercise: whose steps are read; none at all is the short style.
        patterns: shapes of whole lines, closing mark included.
        expected: values of all lines, by slot; each line must show one of them, no two the same.

    Returns:
        The first fault, or None.
    """
    steps, left = worked(exercise), list(expected)
    if steps and len(steps) != len(left):
        return f"{len(steps)} steps, not {len(left)}"
    for line in steps:
        found = matched(line, {"step": patterns})
        if found is None:
            return f"nobody can read the step {line!r}"
        fitting = [r for r in left if all(r.get(k) == v for k, v in found[1].items())]
        if not fitting:
            return f"the step {line!r} is wrong or comes twice"
        left.remove(fitting[0])
    return None
