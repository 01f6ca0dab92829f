"""Solvers of everyday quantities: money grows year by year, jobs are done hour by hour."""

import re
from collections.abc import Callable
from fractions import Fraction
from itertools import product

from qmpi.content.exercise import Exercise, question_of, steps_of
from qmpi.content.verify.formula import numbers_of, steps_fault


def _told(exercise: Exercise, key: str, found: object) -> None:
    if exercise.certificate[key] != found:
        raise ValueError(f"the certificate has another {key} than {found}")


def check_interest(exercise: Exercise, answer: str) -> str | None:
    """Check compound interest by adding each year's interest.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    rates = [int(rate) for rate in re.findall(r"(\d+)%", question)]
    start = re.search(r"(\d+) crowns", question)
    if start is None:
        return "the question names no sum"
    _told(exercise, "start", int(start[1]))
    _told(exercise, "rates", tuple(rates))
    value = Fraction(start[1])
    for rate in rates:
        value += value * rate / 100
    if value != Fraction(answer):
        return f"the money grows to {value}, not {answer}"
    return steps_fault(steps_of(exercise.text)) or _ends(exercise, answer)


def _ends(exercise: Exercise, answer: str) -> str | None:
    steps = steps_of(exercise.text)
    reached = not steps or steps[-1].endswith(f" = {answer}")
    return None if reached else f"the steps do not end in {answer}"


def check_percent_chain(exercise: Exercise, answer: str) -> str | None:
    """Check rises and falls by adding and taking hundredths.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    moves = re.findall(r"(rises|grows|goes up|falls|sinks) by (\d+)%", question)
    changes = [int(n) * (-1 if verb in ("falls", "sinks") else 1) for verb, n in moves]
    start = numbers_of(question)[0]
    _told(exercise, "start", start)
    _told(exercise, "changes", tuple(changes))
    value = Fraction(start)
    for change in changes:
        value += Fraction(change, 100) * value
    if str(value) != answer:
        return f"the value becomes {value}, not {answer}"
    return steps_fault(steps_of(exercise.text)) or _ends(exercise, answer)


def check_mixture(exercise: Exercise, answer: str) -> str | None:
    """Check a mixture by pouring in one solution after the other.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    parts = re.findall(r"(\d+) litres of (\d+)%", question_of(exercise.text))
    _told(exercise, "volumes", tuple(int(volume) for volume, _ in parts))
    _told(exercise, "strengths", tuple(int(strength) for _, strength in parts))
    held, strength = Fraction(0), Fraction(0)
    for volume, own in parts:
        # The strength moves towards the new solution's by that one's share.
        held += int(volume)
        strength += (int(own) - strength) * int(volume) / held
    if str(strength) != answer:
        return f"the mixture has {strength} per cent, not {answer}"
    return steps_fault(steps_of(exercise.text)) or _ends(exercise, answer)


def check_work_rate(exercise: Exercise, answer: str) -> str | None:
    """Check shared work: in the time answered, the parts done add up to one job.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    hours = numbers_of(question_of(exercise.text))
    _told(exercise, "hours", tuple(hours))
    done = sum(Fraction(answer) / n for n in hours)
    if done != 1 or str(Fraction(answer)) != answer:
        return f"in {answer} hours {done} of the job is done"
    steps = steps_of(exercise.text)
    for n, step in zip(hours[1:], steps, strict=False):
        if f" + 1/{n} = " not in step:
            return f"the step {step!r} does not add who needs {n} hours"
    return steps_fault(steps) or _ends(exercise, answer)


_SIZES = {
    "weeks": 604800, "days": 86400, "hours": 3600, "minutes": 60, "seconds": 1,
    "kilometres": 1000000, "metres": 1000, "centimetres": 10, "millimetres": 1,
    "miles": 63360, "yards": 36, "feet": 12, "inches": 1,
    "tonnes": 1000000000, "kilograms": 1000000, "grams": 1000, "milligrams": 1,
    "gallons": 256, "quarts": 64, "pints": 32, "cups": 16, "tablespoons": 1,
    "gross": 144, "dozens": 12, "pieces": 1,
}  # fmt: skip


def check_unit_conversion(exercise: Exercise, answer: str) -> str | None:
    """Check units by a table of their sizes.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    parts = re.findall(r"(\d+) ([a-z]+)", question_of(exercise.text))
    _told(exercise, "numbers", tuple(int(number) for number, _ in parts))
    total, last = answer.split(" ")
    if _SIZES[last] != 1 or not re.search(rf"(in|many) {last}\b", question_of(exercise.text)):
        return f"the question does not ask for {last}"
    values = [int(number) * _SIZES[unit] for number, unit in parts]
    if str(sum(values)) != total:
        return f"the parts add up to {sum(values)}, not {answer}"
    return steps_fault(steps_of(exercise.text)) or _ends(exercise, total)


def check_powers_logs(exercise: Exercise, answer: str) -> str | None:
    """Check logarithms and roots by counting divisions and trying bases.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    terms = re.findall(r"(\d+) (log|root)_(\d+)\((\d+)\)", question_of(exercise.text))
    values = list[int]()
    for times, kind, index, whole in terms:
        rest, found = int(whole), 0
        if kind == "log":
            while rest % int(index) == 0 and rest > 1:
                rest, found = rest // int(index), found + 1
            if rest != 1:
                return f"{whole} is no power of {index}"
        else:
            found = next(n for n in range(1, 1000) if n ** int(index) >= rest)
            if found ** int(index) != rest:
                return f"{whole} is no power to {index}"
        values.append(int(times) * found)
    _told(exercise, "values", tuple(values))
    if str(sum(values)) != answer:
        return f"the terms add up to {sum(values)}, not {answer}"
    steps = steps_of(exercise.text)
    for (times, _, index, whole), step in zip(terms, steps, strict=False):
        numbers = numbers_of(step)
        if numbers[2] != int(whole) or numbers[3] != int(times) or int(index) not in numbers[:2]:
            return f"the step {step!r} is not about {whole}"
    return steps_fault(steps) or _ends(exercise, answer)


def check_estimation(exercise: Exercise, answer: str) -> str | None:
    """Check bounds by trying every corner of the ranges.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    values = [int(value) for value in re.findall(r"\b[p-t] is (\d+)", question)]
    pairs = re.findall(r"\(?(-?\d+)\)?([p-t])\b", question)
    _told(exercise, "values", tuple(values))
    _told(exercise, "factors", tuple(int(factor) for factor, _ in pairs))
    if [name for _, name in pairs] != re.findall(r"\b([p-t]) is \d", question):
        return "the question asks for other numbers than it gives"
    corners = [
        sum(int(f) * (v + side) for (f, _), v, side in zip(pairs, values, sides, strict=True))
        for sides in product((Fraction(-1, 2), Fraction(1, 2)), repeat=len(values))
    ]
    high = re.search("exceed|upper", question) is not None
    expected = max(corners) if high else min(corners)
    if expected != Fraction(answer):
        return f"the bound is {expected}, not {answer}"
    return steps_fault(steps_of(exercise.text)) or _ends(exercise, answer)


CHECKS: dict[str, Callable[[Exercise, str], str | None]] = {
    "interest": check_interest,
    "percent_chain": check_percent_chain,
    "mixture": check_mixture,
    "work_rate": check_work_rate,
    "unit_conversion": check_unit_conversion,
    "powers_logs": check_powers_logs,
    "estimation": check_estimation,
}
"""Solvers by family."""
