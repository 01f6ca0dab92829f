"""Solvers of polynomial problems: both sides are computed at more points than their degree."""

import re
from collections.abc import Callable
from fractions import Fraction

from qmpi.content.exercise import Exercise, question_of, steps_of
from qmpi.content.verify.formula import evaluate, steps_fault

_POINTS = (*range(-7, 8), Fraction(7, 5))


def _letter(exercise: Exercise) -> str:
    return str(exercise.certificate["letter"])


def _same(left: str, right: str, letter: str) -> bool:
    return all(evaluate(left, {letter: x}) == evaluate(right, {letter: x}) for x in _POINTS)


def _asked(exercise: Exercise, *keys: str) -> bool:
    question = question_of(exercise.text)
    shown = [str(exercise.certificate[key]) for key in keys]
    outside = question
    for part in shown:
        outside = outside.replace(part, "", 1)
    # What the certificate names is all there is: no further digit stands around it.
    return all(part in question for part in shown) and not re.search(r"\d", outside)


def _worlds(letter: str) -> list[dict[str, Fraction]]:
    return [{letter: x} for x in (Fraction(2), Fraction(-3), Fraction(7, 5), Fraction(11))]


def check_polynomial_product(exercise: Exercise, answer: str) -> str | None:
    """Check a product at many points.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    letter = _letter(exercise)
    if not _asked(exercise, "product"):
        return "the question asks for another product than the certificate"
    if "(" in answer or not _same(str(exercise.certificate["product"]), answer, letter):
        return f"the product is not {answer}"
    return steps_fault(steps_of(exercise.text), _worlds(letter))


def check_polynomial_division(exercise: Exercise, answer: str) -> str | None:
    """Check quotient and remainder by multiplying back.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    letter = _letter(exercise)
    if not _asked(exercise, "whole", "divisor"):
        return "the question asks for another division than the certificate"
    found = re.fullmatch(r"quotient (.*), remainder (.*)", answer)
    if found is None:
        return "the answer names no quotient and remainder"
    whole, divisor = str(exercise.certificate["whole"]), str(exercise.certificate["divisor"])
    if _degree(found[2], letter) >= _degree(divisor, letter):
        return f"the remainder {found[2]} is too long for {divisor}"
    if not _same(f"({found[1]})({divisor}) + {found[2]}", whole, letter):
        return f"the answer, multiplied back, is not {whole}"
    return steps_fault(steps_of(exercise.text), _worlds(letter))


def _degree(text: str, letter: str) -> int:
    powers = re.findall(rf"{letter}(?:\^(\d+))?", text)
    return max((int(power or 1) for power in powers), default=0)


def check_quadratic(exercise: Exercise, answer: str) -> str | None:
    """Check roots by trying whole numbers.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    letter, question = _letter(exercise), question_of(exercise.text)
    if not _asked(exercise, "equation"):
        return "the question asks for another equation than the certificate"
    left, right = str(exercise.certificate["equation"]).split(" = ")
    if max(_degree(left, letter), _degree(right, letter)) != 2:
        return "the equation is not quadratic"
    difference = f"({left}) - ({right})"
    # Three values fix the parabola; then every whole number is tried.
    below, at, above = (evaluate(difference, {letter: x}) for x in (-1, 0, 1))
    curve, slope = (above + below) / 2 - at, (above - below) / 2
    roots = [x for x in range(-113, 114) if (curve * x + slope) * x + at == 0]
    if re.search(r"larger|greater", question):
        roots = roots[-1:]
    elif re.search(r"smaller|lesser", question):
        roots = roots[:1]
    if " and ".join(map(str, roots)) != answer:
        return f"the solutions are {roots}, not {answer}"
    return steps_fault(steps_of(exercise.text), _worlds(letter))


def check_factoring(exercise: Exercise, answer: str) -> str | None:
    """Check that linear factors multiply back.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    letter, shown = _letter(exercise), str(exercise.certificate["polynomial"])
    if not _asked(exercise, "polynomial"):
        return "the question asks for another polynomial than the certificate"
    if not re.fullmatch(rf"\d*(\({letter}( [-+] \d+)?\))+", answer):
        return f"{answer} is no product of linear factors"
    if not _same(shown, answer, letter):
        return f"{answer} is not {shown}"
    return steps_fault(steps_of(exercise.text), _worlds(letter))


_LAWS = {
    "distributive law": 0,
    "spreading the factor": 0,
    "by distributivity": 0,
    "commutative law": 1,
    "reordering the terms": 1,
    "by commutativity": 1,
    "like terms": 2,
    "collecting equal powers": 2,
    "by collection": 2,
}


def check_simplification(exercise: Exercise, answer: str) -> str | None:
    """Check each line of a simplification and the law it names.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    letter, before = _letter(exercise), str(exercise.certificate["expression"])
    if not _asked(exercise, "expression"):
        return "the question asks for another expression than the certificate"
    if not _same(before, answer, letter) or len(_terms(answer)) > 2 or "(" in answer:
        return f"{before} is not {answer}"
    steps = steps_of(exercise.text)
    for step in steps:
        law, _, line = step.partition(": ")
        left, _, right = line.partition(" = ")
        if left != before:
            return f"the step {step!r} does not go on from {before}"
        if not _lawful(_LAWS.get(law), left, right):
            return f"the step {step!r} does not follow by its law"
        before = right
    if steps and before != answer:
        return f"the steps end in {before}"
    return steps_fault(steps, _worlds(letter))


def _terms(text: str) -> list[str]:
    spread = re.sub(r"\([^()]*\)", lambda found: found[0].replace(" ", ""), text)
    signed = spread.replace(" - ", " -").replace(" + ", " ")
    return sorted(signed.split(" "))


def _lawful(law: int | None, left: str, right: str) -> bool:
    if law == 0:
        return left.count("(") == right.count("(") + 1
    if law == 1:
        return _terms(left) == _terms(right)
    return law == 2 and len(_terms(left)) >= len(_terms(right)) and "(" not in left


_INEQUALITY = re.compile(r"(.*) (<=|>=|<|>) (.*)")


def check_inequality(exercise: Exercise, answer: str) -> str | None:
    """Check a bound by trying numbers on both sides of it and on it.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    letter, asked = _letter(exercise), str(exercise.certificate["inequality"])
    if not _asked(exercise, "inequality"):
        return "the question asks for another inequality than the certificate"
    bound = re.fullmatch(rf"{letter} (?:<=|>=|<|>) (-?\d+)", answer)
    if bound is None:
        return f"{answer} is no bound"
    middle = int(bound[1])
    points = [
        Fraction(middle) + shift for shift in (-9, -1, Fraction(-1, 97), 0, Fraction(1, 97), 1)
    ]
    expected = [_true(asked, letter, x) for x in points]
    for line in [answer, *steps_of(exercise.text)]:
        if [_true(line, letter, x) for x in points] != expected:
            return f"{line} does not say the same as {asked}"
    return None


def _true(line: str, letter: str, value: Fraction) -> bool:
    found = _INEQUALITY.fullmatch(line)
    if found is None:
        raise ValueError(f"{line!r} is no inequality")
    left, right = evaluate(found[1], {letter: value}), evaluate(found[3], {letter: value})
    return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[
        found[2]
    ]


CHECKS: dict[str, Callable[[Exercise, str], str | None]] = {
    "polynomial_product": check_polynomial_product,
    "polynomial_division": check_polynomial_division,
    "quadratic": check_quadratic,
    "factoring": check_factoring,
    "simplification": check_simplification,
    "inequality": check_inequality,
}
"""Solvers by family."""
