"""Solvers of space and time: areas by strips, dates day by day, clocks minute by minute."""

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise

from qmpi.content.exercise import Exercise, question_of, steps_of
from qmpi.content.verify.formula import evaluate, numbers_of, steps_fault


def _told(exercise: Exercise, key: str, found: object) -> None:
    if exercise.certificate[key] != found:
        raise ValueError(f"the certificate has another {key} than {found}")


_SHAPE = re.compile(
    r"(rectangle) (\d+) by (\d+)|(triangle) with base (\d+) and height (\d+)"
    r"|(parallelogram) with side (\d+) and height (\d+)"
    r"|(trapezium) with parallel sides (\d+) and (\d+) and height (\d+)"
    r"|(rhombus) with diagonals (\d+) and (\d+)"
    r"|(square frame) of outer side (\d+) and inner side (\d+)"
)


def check_area(exercise: Exercise, answer: str) -> str | None:
    """Check an area by Simpson's rule over the widths of each shape.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question, total, sides = question_of(exercise.text), Fraction(0), list[int]()
    steps = steps_of(exercise.text)
    for number, found in enumerate(_SHAPE.finditer(question)):
        name, *lengths = [part for part in found.groups() if part is not None]
        sides += map(int, lengths)
        low, middle, high = _widths(name, [Fraction(n) for n in lengths])
        height = Fraction(lengths[0] if name == "square frame" else lengths[-1])
        size = (low + 4 * middle + high) / 6 * height
        total += size
        if steps and not _about(steps[number], name, lengths, size):
            return f"the step {steps[number]!r} is not about the {name}"
    _told(exercise, "sides", tuple(sides))
    if Fraction(answer) != total or numbers_of(question) != sides:
        return f"the area is {total}, not {answer}"
    return steps_fault(steps)


def _about(step: str, name: str, lengths: list[str], size: Fraction) -> bool:
    label, _, line = step.partition(": ")
    left, _, right = line.partition(" = ")
    used = {str(n) for n in numbers_of(left)} - {"2"}
    return name.startswith(label) and used == set(lengths) - {"2"} and Fraction(right) == size


def _widths(name: str, lengths: Sequence[Fraction]) -> tuple[Fraction, Fraction, Fraction]:
    first, second, nothing = lengths[0], lengths[1], Fraction(0)
    match name:
        case "triangle":
            return nothing, first / 2, first
        case "trapezium":
            return first, (first + second) / 2, second
        case "rhombus":
            return nothing, first * 3 / 4, nothing
        case "square frame":
            mean = first - second * second / first
            return mean, mean, mean
        case _:
            return first, first, first


def check_right_triangle(exercise: Exercise, answer: str) -> str | None:
    """Check a side by searching the whole number whose square fits.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    first, second = numbers_of(question)
    whole = re.search("ladder|straight line|right angle|kite", question) is not None
    square = first * first + second * second if whole else first * first - second * second
    low, high = 0, first + second
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle * middle < square else (low, middle)
    side, _, unit = answer.partition(" ")
    if low * low != square or side != str(low) or f" {unit}" not in question:
        return f"the side is {low}, not {answer}"
    shown = {first, second, low}
    sides = exercise.certificate["sides"]
    if not isinstance(sides, tuple) or set(sides) != shown:
        return "the certificate has another triangle"
    return steps_fault(steps_of(exercise.text))


def check_polygon(exercise: Exercise, answer: str) -> str | None:
    """Check an area by strips between the corners, each a trapezium.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    corners = [(int(a), int(b)) for a, b in re.findall(r"\((-?\d+) \| (-?\d+)\)", question)]
    _told(exercise, "xs", tuple(x for x, _ in corners))
    _told(exercise, "ys", tuple(y for _, y in corners))
    # The height over the base line, seen from outside, at the ends of each strip.
    upper = sorted(corners)
    base = min(y for _, y in corners)
    total = sum(
        Fraction((b - base) + (d - base), 2) * (c - a) for (a, b), (c, d) in pairwise(upper)
    )
    if total != Fraction(answer):
        return f"the area is {total}, not {answer}"
    steps = steps_of(exercise.text)
    around = [*corners, corners[0]]
    for ((a, b), (c, d)), step in zip(pairwise(around), steps, strict=False):
        if [int(n) for n in re.findall(r"-?\d+", step.replace(" - ", " "))][:4] != [a, d, c, b]:
            return f"the step {step!r} is not about ({a} | {b}) and ({c} | {d})"
    return steps_fault(steps)


_SPAN = re.compile(r"\((?:(\d+) h )?(\d+) min\)")


def check_clock(exercise: Exercise, answer: str) -> str | None:
    """Check a time of day minute by minute.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    start = re.search(r"starts at (\d\d):(\d\d)", question)
    if start is None or not re.search(r"\b24 hours?\b", question):
        return "the question names no start or another day than one of 24 hours"
    hour, minute = int(start[1]), int(start[2])
    spans = [int(h or 0) * 60 + int(m) for h, m in _SPAN.findall(question)]
    _told(exercise, "start", hour * 60 + minute)
    _told(exercise, "spans", tuple(spans))
    for _ in range(sum(spans)):
        minute = (minute + 1) % 60
        hour = (hour + (minute == 0)) % 24
    if f"{hour:02d}:{minute:02d}" != answer:
        return f"it ends at {hour:02d}:{minute:02d}, not {answer}"
    steps = steps_of(exercise.text)
    for span, step in zip(spans, steps[1:], strict=False):
        if f" + {span} = " not in step:
            return f"the step {step!r} does not take {span} minutes"
    if steps and numbers_of(steps[0])[:3] != [int(start[1]), 60, int(start[2])]:
        return "the first step has another start"
    if steps and numbers_of(steps[-1]) != [hour * 60 + minute, hour, 60, minute]:
        return "the last step has another end"
    whole = [step for step in steps if " - " in step]
    if any(f" * 1440 = {hour * 60 + minute}" not in step for step in whole):
        return "a day has another length in the steps"
    return steps_fault(steps)


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = "January February March April May June July August September October November December"
_SHORT = {"February": 28, "April": 30, "June": 30, "September": 30, "November": 30}


def check_calendar(exercise: Exercise, answer: str) -> str | None:
    """Check a weekday by turning the leaves day by day.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question, names = question_of(exercise.text), _MONTHS.split()
    dates = re.findall(rf"(\d+) ({'|'.join(names)})", question)
    day = re.search("|".join(_DAYS), question)
    common = re.search("without a leap day|February has 28 days|year with 365 days", question)
    if len(dates) != 2 or day is None or common is None:
        return "the question lacks a date or the weekday"
    (date, month), (end, last) = dates
    leaf, weekday, apart, passed = int(date), _DAYS.index(day[0]), 0, list[int]()
    place = names.index(month)
    while (str(leaf), names[place]) != (end, last):
        leaf, weekday, apart = leaf + 1, (weekday + 1) % 7, apart + 1
        if leaf > _SHORT.get(names[place], 31):
            leaf, place = 1, place + 1
            passed.append(apart - 1)
    _told(exercise, "apart", apart)
    _told(exercise, "day", day[0])
    if _DAYS[weekday] != answer:
        return f"{end} {last} is a {_DAYS[weekday]}, not a {answer}"
    steps = steps_of(exercise.text)
    reached = [numbers_of(step)[-1] for step in steps[:-1]]
    if steps and reached != [*passed, apart]:
        return f"the steps count {reached}, not {[*passed, apart]}"
    if steps and numbers_of(steps[-1]) != [apart, apart // 7, 7, apart % 7]:
        return "the last step divides by another week"
    return steps_fault(steps)


def check_induction(exercise: Exercise, answer: str) -> str | None:
    """Check a formula for a sum by adding up more terms than its degree.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    term = str(exercise.certificate["term"])
    question = question_of(exercise.text)
    if f" {term}" not in question or re.search(r"\d", question.replace(term, "", 1)):
        return "the question has another term than the certificate"
    total, sums = Fraction(0), list[Fraction]()
    for n in range(1, 12):
        total += evaluate(term, {"k": n})
        sums.append(total)
        if evaluate(answer, {"n": n}) != total:
            return f"the first {n} terms add up to {total}, which {answer} is not"
    steps = steps_of(exercise.text)
    for n, step in enumerate(steps[:-1]):
        if f" = {sums[n]} = " not in step or (n and f": {sums[n - 1]} + " not in step):
            return f"the step {step!r} is not the sum of {n + 1} terms"
        places = {int(place) for place in re.findall(r"\* (\d+)", step)}
        if places != ({n + 1} if n else set()):
            return f"the step {step!r} puts in another number than {n + 1}"
    return steps_fault(steps, [{"k": value} for value in (2, -3, Fraction(7, 5), 11)])


CHECKS: dict[str, Callable[[Exercise, str], str | None]] = {
    "area": check_area,
    "right_triangle": check_right_triangle,
    "polygon": check_polygon,
    "clock": check_clock,
    "calendar": check_calendar,
    "induction": check_induction,
}
"""Solvers by family."""
