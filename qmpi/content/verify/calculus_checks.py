"""Solvers of calculus and linear algebra.

Derivatives come from Newton's differences, integrals from Boole's rule (exact up to degree five),
determinants from the sum over permutations, systems by trying whole numbers from the last equation.
"""

import re
from collections.abc import Callable
from fractions import Fraction
from itertools import permutations
from math import comb, prod

from qmpi.content.exercise import Exercise, question_of, steps_of
from qmpi.content.verify.formula import evaluate, numbers_of, steps_fault


def _unasked(exercise: Exercise, *keys: str) -> str | None:
    question = question_of(exercise.text)
    for key in keys:
        if f"{exercise.certificate[key]}" not in question:
            return f"the question has another {key} than the certificate"
    return None


def check_derivative(exercise: Exercise, answer: str) -> str | None:
    """Check a derivative by Newton's differences.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    letter, shown = str(exercise.certificate["letter"]), str(exercise.certificate["polynomial"])
    if fault := _unasked(exercise, "polynomial"):
        return fault
    outside = question_of(exercise.text).replace(shown, "", 1)
    places = numbers_of(outside)
    if len(places) > 1:
        return "the question names more than one place"
    for place in places or range(-2, 7):
        slope = _slope(shown, letter, place)
        if slope != evaluate(answer, {letter: place} if not places else {}):
            return f"the slope of {shown} at {place} is {slope}, not {answer}"
    return steps_fault(steps_of(exercise.text), [{letter: x} for x in (2, -3, Fraction(7, 5))])


def _slope(shown: str, letter: str, place: int) -> Fraction:
    values = [evaluate(shown, {letter: place + n}) for n in range(9)]
    slope = Fraction(0)
    for order in range(1, 9):
        difference = sum((-1) ** (order - n) * comb(order, n) * values[n] for n in range(order + 1))
        slope += Fraction((-1) ** (order + 1), order) * difference
    return slope


def check_integral(exercise: Exercise, answer: str) -> str | None:
    """Check an integral by Boole's rule.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    letter, shown = str(exercise.certificate["letter"]), str(exercise.certificate["polynomial"])
    if fault := _unasked(exercise, "polynomial"):
        return fault
    low, high = numbers_of(question_of(exercise.text).replace(shown, "", 1))
    if (low, high) != (exercise.certificate["low"], exercise.certificate["high"]):
        return "the question has other ends than the certificate"
    width = Fraction(high - low, 4)
    values = [evaluate(shown, {letter: low + n * width}) for n in range(5)]
    weighed = sum(weight * v for weight, v in zip((7, 32, 12, 32, 7), values, strict=True))
    if str(weighed * (high - low) / 90) != answer:
        return f"the integral is {weighed * (high - low) / 90}, not {answer}"
    steps = steps_of(exercise.text)
    for end, step in zip((high, low), steps, strict=False):
        if any(int(at or plain) != end for at, plain in _POWERS.findall(step)):
            return f"the step {step!r} puts in another end than {end}"
    return steps_fault(steps)


_POWERS = re.compile(r"(?:\((-\d+)\)|(?<!\d)(\d+))\^")
_PIECE = re.compile(r"([^;]*?) where (?:(-?\d+) <= )?([a-z]) (<|>=) (-?\d+)")


def check_piecewise(exercise: Exercise, answer: str) -> str | None:
    """Check values of a function given in pieces.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    letter = str(exercise.certificate["letter"])
    body = re.search(
        r"f (?:is|be|as) ([^.]* where [^.]*)\. |follows ([^.]* where [^.]*)\. ", question
    )
    places = [int(place) for place in re.findall(r"f\((-?\d+)\)", question)]
    if body is None or tuple(places) != exercise.certificate["places"]:
        return "the question asks for other values than the certificate"
    if fault := _unasked(exercise, "pieces"):
        return fault
    found = [_piece_at(body[1] or body[2], letter, place) for place in places]
    values = [value for value, _ in found]
    if str(sum(values)) != answer:
        return f"the values {values} add up to {sum(values)}, not {answer}"
    steps = steps_of(exercise.text)
    for place, step, (value, bounds) in zip(places, steps, found, strict=False):
        region, _, terms = step.partition(", ")
        if sorted(numbers_of(region)) != sorted([place, *bounds]):
            return f"the step {step!r} names another piece than that at {place}"
        at = [int(a or b) for a, b in re.findall(r"\* (?:\((-\d+)\)|(\d+))", terms)]
        if any(number != place for number in at) or not step.endswith(f" = {value}"):
            return f"the step {step!r} is not the value at {place}"
    return steps_fault(steps)


def _piece_at(body: str, letter: str, place: int) -> tuple[Fraction, list[int]]:
    fitting = list[tuple[Fraction, list[int]]]()
    for formula, low, name, sign, bound in _PIECE.findall(body):
        inside = place < int(bound) if sign == "<" else place >= int(bound)
        if name == letter and inside and (not low or place >= int(low)):
            value = evaluate(formula.strip(), {letter: place})
            fitting.append((value, [int(cut) for cut in (low, bound) if cut]))
    if len(fitting) != 1:
        raise ValueError(f"{len(fitting)} pieces hold at {place}")
    return fitting[0]


def _matrix(text: str) -> list[list[int]]:
    return [[int(number) for number in row.split()] for row in text.strip("[]").split(";")]


def _determinant(rows: list[list[int]]) -> int:
    total = 0
    for order in permutations(range(len(rows))):
        turned = sum(a > b for n, a in enumerate(order) for b in order[n + 1 :])
        total += (-1) ** turned * prod(rows[n][column] for n, column in enumerate(order))
    return total


def check_determinant(exercise: Exercise, answer: str) -> str | None:
    """Check a determinant by the sum over permutations.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    if fault := _unasked(exercise, "matrix"):
        return fault
    rows = _matrix(str(exercise.certificate["matrix"]))
    if str(_determinant(rows)) != answer:
        return f"the determinant is {_determinant(rows)}, not {answer}"
    for step in steps_of(exercise.text):
        shown, _, line = step.partition(": ")
        minor = _matrix(shown)
        if not all(any(_within(row, whole) for whole in rows) for row in minor):
            return f"{shown} is no part of the matrix"
        if [int(n) for n in re.findall(r"-?\d+", line.replace(" - ", " "))] != _laplace(minor):
            return f"the step {step!r} takes other numbers than {_laplace(minor)}"
        if fault := steps_fault([line]):
            return fault
    return None


def _laplace(rows: list[list[int]]) -> list[int]:
    whole = _determinant(rows)
    if len(rows) == 2:
        return [rows[0][0], rows[1][1], rows[0][1], rows[1][0], whole]
    used = list[int]()
    for n, number in enumerate(rows[0]):
        minor = [row[:n] + row[n + 1 :] for row in rows[1:]]
        used += [(-1) ** n * number, _determinant(minor)]
    return [*used, whole]


def _within(row: list[int], whole: list[int]) -> bool:
    rest = iter(whole)
    return all(number in rest for number in row)


def check_matrix_product(exercise: Exercise, answer: str) -> str | None:
    """Check a product of matrices by sending unit vectors through both.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    if fault := _unasked(exercise, "left", "right"):
        return fault
    left, right = (_matrix(str(exercise.certificate[key])) for key in ("left", "right"))
    columns = list[list[int]]()
    for n in range(len(right[0])):
        image = [row[n] for row in right]
        columns.append([sum(map(int.__mul__, row, image)) for row in left])
    if [list(row) for row in zip(*columns, strict=True)] != _matrix(answer):
        return f"the product has the columns {columns}, not {answer}"
    steps = steps_of(exercise.text)
    entries = [number for row in _matrix(answer) for number in row]
    if steps and [int(step.rpartition(" = ")[2]) for step in steps] != entries:
        return "the steps give other entries than the answer"
    for number, step in enumerate(steps):
        row, column = divmod(number, len(right[0]))
        used = [n for a, b in zip(left[row], right, strict=True) for n in (a, b[column])]
        if [int(n) for n in re.findall(r"-?\d+", step)[:-1]] != used:
            return f"the step {step!r} takes other numbers than {used}"
    return steps_fault(steps)


def check_linear_system(exercise: Exercise, answer: str) -> str | None:
    """Check a solution by putting it in, and that there is no other by the rank.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    letters, told = str(exercise.certificate["letters"]), exercise.certificate["equations"]
    question = question_of(exercise.text)
    if not isinstance(told, tuple) or any(str(line) not in question for line in told):
        return "the question has other equations than the certificate"
    if question.count(" = ") != len(told):
        return "the question has more equations than the certificate"
    found = dict(part.split(" = ") for part in answer.split(", "))
    if "".join(found) != letters:
        return "the answer names other unknowns"
    world = {letter: Fraction(value) for letter, value in found.items()}
    if fault := steps_fault([str(line) for line in told], (world,)):
        return fault
    rows = list[list[int]]()
    for line in told:
        left = str(line).partition(" = ")[0]
        units = [{b: int(a == b) for b in letters} for a in letters]
        rows.append([int(evaluate(left, unit)) for unit in units])
    if _determinant(rows) == 0:
        return "the equations have more than one solution"
    # Lines with brackets change an equation and hold for any numbers, the others for the solution.
    others = [{c: Fraction(k * n * n + 3) for n, c in enumerate(letters)} for k in (1, 2)]
    for step in steps_of(exercise.text):
        if fault := steps_fault([step], [world, *others] if step.startswith("(") else [world]):
            return fault
    return None


def check_vectors(exercise: Exercise, answer: str) -> str | None:
    """Check products and lengths of vectors.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    first, second = (numbers_of(inner) for inner in re.findall(r"<([^>]*)>", question))
    if (tuple(first), tuple(second)) != tuple(exercise.certificate[k] for k in ("first", "second")):
        return "the question has other vectors than the certificate"
    steps, pairs = steps_of(exercise.text), list(zip(first, second, strict=True))
    inner, lengths = sum(a * b for a, b in pairs), sum(a * a + b * b for a, b in pairs)
    value = inner if re.search("dot|scalar", question) else lengths + 2 * inner
    value = lengths - 2 * inner if "distance between" in question or "lamps" in question else value
    if str(value) != answer:
        return f"the vectors give {value}, not {answer}"
    for (a, b), step in zip(pairs, steps, strict=False):
        if [int(n) for n in re.findall(r"-?\d+", step)[:2]] != [a, b]:
            return f"the step {step!r} takes other numbers than {a} and {b}"
    return steps_fault(steps)


CHECKS: dict[str, Callable[[Exercise, str], str | None]] = {
    "derivative": check_derivative,
    "integral": check_integral,
    "piecewise": check_piecewise,
    "determinant": check_determinant,
    "matrix_product": check_matrix_product,
    "linear_system": check_linear_system,
    "vectors": check_vectors,
}
"""Solvers by family."""
