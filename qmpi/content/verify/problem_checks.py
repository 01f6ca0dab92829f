"""Independent solvers: is what a document says true?

Theory of operation. Nothing of the code that made a document is used. Each solver reads the
question back from the rendered text, solves it in another way than the generator did (parse and
compute with exact fractions, count one by one, search all worlds), and compares with the answer in
the text and in the certificate. Then each worked step is checked on its own: an equation must hold,
a row of a table must be right.
"""

import re
from collections.abc import Callable
from fractions import Fraction

from qmpi.content.exercise import Exercise, answer_of, question_of, steps_of
from qmpi.content.verify import calculation_checks, drill_checks
from qmpi.content.verify.evaluate import chain_fault, value_of
from qmpi.content.verify.logic_checks import (
    check_circuit,
    check_knights,
    check_ordering,
    check_syllogism,
    check_truth_table,
)
from qmpi.content.verify.situation_checks import CHECKS


def verify(exercise: Exercise) -> str | None:
    """Check an exercise.

    Args:
        exercise: cut out of a document.

    Returns:
        The first fault in words; None if all it says is true.
    """
    check = _CHECKS.get(exercise.family)
    if check is None:
        return f"there is no solver for the family {exercise.family!r}"
    shown, certified = answer_of(exercise.text), exercise.certificate.get("answer")
    if shown is None:
        return "the last line gives no answer"
    if shown != certified:
        return f"the text answers {shown!r}, the certificate {certified!r}"
    try:
        return check(exercise, shown)
    except (ValueError, LookupError, ArithmeticError, TypeError, StopIteration) as error:
        return f"the text cannot be read back: {error}"


def _check_expression(exercise: Exercise, answer: str) -> str | None:
    found = re.search(
        "[(0-9][-+*/\N{MULTIPLICATION SIGN}\N{DIVISION SIGN}() 0-9]*[0-9][)]*(?=[ .?]|$)",
        question_of(exercise.text),
    )
    if found is None:
        return "there is no expression in the question"
    asked = found.group().strip()
    if asked != exercise.certificate["expression"]:
        return f"the question asks for {asked!r}, the certificate for another expression"
    if value_of(asked) != Fraction(answer):
        return f"{asked} is {value_of(asked)}, not {answer}"
    chain = " ".join(steps_of(exercise.text))
    if chain and not chain.startswith(f"{asked} ="):
        return "the worked steps start from another expression"
    return chain_fault(chain) if chain else None


def _check_fractions(exercise: Exercise, answer: str) -> str | None:
    asked = str(exercise.certificate["expression"])
    if f" {asked}" not in f" {question_of(exercise.text)}":
        return "the question asks for another expression than the certificate"
    # Slashes bind tighter than signs here: each a/b is one number.
    value = value_of(re.sub(r"(\d+)/(\d+)", r"(\1/\2)", asked).replace(":", "/"))
    if str(value) != answer:
        return f"{asked} is {value} in lowest terms, not {answer}"
    for step in steps_of(exercise.text):
        read = re.sub(r"(-?\d+)/(\d+)", r"(\1/\2)", step).replace(":", "/")
        fault = chain_fault(read)
        if fault:
            return fault
        last = step.rpartition(" = ")[2]
        if last != "{}/{}".format(*Fraction(last).as_integer_ratio()):
            return f"the step {step!r} does not end in lowest terms"
    return None


def _check_modular(exercise: Exercise, answer: str) -> str | None:
    question = question_of(exercise.text)
    power = re.search(r"(\d+)\^(\d+)", question)
    if power is None:
        return "there is no power in the question"
    base, exponent = int(power[1]), int(power[2])
    modulus = int(str(exercise.certificate["modulus"]))
    outside = [int(number) for number in re.findall(r"\d+", question.replace(power[0], ""))]
    if modulus not in outside:
        return f"the modulus {modulus} is not in the question"
    rest = 1
    for _ in range(exponent):
        rest = rest * base % modulus
    if rest != int(answer):
        return f"{base}^{exponent} mod {modulus} is {rest}, not {answer}"
    for step in steps_of(exercise.text):
        fault = _congruence_fault(step, modulus)
        if fault:
            return fault
    return None


def _congruence_fault(step: str, modulus: int) -> str | None:
    sides, _, written = step.partition(" (mod ")
    if written != f"{modulus})":
        return f"the step {step!r} is not modulo {modulus}"
    values = set[int]()
    for side in sides.split(" = "):
        base, _, exponent = side.partition("^")
        values.add(pow(int(base), int(exponent or 1), modulus))
    return f"the step {step!r} does not hold" if len(values) != 1 else None


def _check_equation(exercise: Exercise, answer: str) -> str | None:
    letter = str(exercise.certificate["letter"])
    left, right = str(exercise.certificate["left"]), str(exercise.certificate["right"])
    if f"{left} = {right}" not in question_of(exercise.text):
        return "the question asks for another equation than the certificate"
    for line in [f"{left} = {right}", *steps_of(exercise.text)]:
        sides = [value_of(_put(side, letter, answer)) for side in line.split(" = ")]
        if len(sides) != 2 or sides[0] != sides[1]:
            return f"{letter} = {answer} does not solve {line}"
    # A linear equation that also holds one further on holds everywhere and has no single solution.
    further = str(int(answer) + 1)
    if value_of(_put(left, letter, further)) == value_of(_put(right, letter, further)):
        return f"{left} = {right} has more than one solution"
    return None


def _put(side: str, letter: str, value: str) -> str:
    spread = re.sub(rf"(\d)(?=[{letter}(])", r"\1*", side)
    return spread.replace(letter, f"({value})")


def _check_journey(exercise: Exercise, answer: str) -> str | None:
    question = question_of(exercise.text)
    legs = re.findall(r"at (\d+) (\S+) per (\w+) for (\d+) ", question)
    if not legs:
        return "there is no leg in the question"
    # One unit of time after the other, as the vehicle goes.
    distance = hours = 0
    for speed, _, _, time in legs:
        for _ in range(int(time)):
            distance += int(speed)
            hours += 1
    unit, clock = legs[0][1], legs[0][2]
    mean = "average" in question or "mean speed" in question
    number = Fraction(distance, hours if mean else 1)
    expected = f"{number} {unit}" + (f" per {clock}" if mean else "")
    if expected != answer:
        return f"the journey gives {expected}, not {answer}"
    return _equations_fault(steps_of(exercise.text))


def _equations_fault(steps: list[str]) -> str | None:
    for step in steps:
        fault = chain_fault(step)
        if fault:
            return fault
    return None


def _check_ages(exercise: Exercise, answer: str) -> str | None:
    question = question_of(exercise.text)
    relations = re.findall(
        r"(\w+) is (?:(\d+) years (older|younger) than|(twice) as old as) (\w+)\.", question
    )
    total = re.search(r"ogether (?:they )?are (\d+) years", question)
    asked = re.search(r"will (\w+) (?:be in|have reached) (\d+) years", question)
    if total is None or asked is None or not relations:
        return "the question lacks a relation, the sum, or whom it asks for"
    solutions = [
        ages
        for first in range(1, int(total[1]))
        if (ages := _aged(relations, first)) and sum(ages.values()) == int(total[1])
    ]
    if len(solutions) != 1:
        return f"the ages have {len(solutions)} solutions"
    ages = solutions[0]
    if ages[asked[1]] + int(asked[2]) != int(answer):
        return f"{asked[1]} will be {ages[asked[1]] + int(asked[2])}, not {answer}"
    for step in steps_of(exercise.text):
        for name, age in re.findall(r"([A-Z]\w+) is (\d+)\.", step):
            if ages.get(name) != int(age):
                return f"{name} is not {age}"
        if " = " in step:
            fault = chain_fault(step.partition(",")[0])
            if fault:
                return fault
    return None


# Spreads an age through all relations; empty if someone is not born yet.
def _aged(relations: list[tuple[str, str, str, str, str]], first: int) -> dict[str, int]:
    ages = {relations[0][0]: first}
    for _ in relations:
        for who, years, way, _twice, than in relations:
            shift = int(years or 0) * (-1 if way == "younger" else 1)
            if way and than in ages:
                ages[who] = ages[than] + shift
            elif way and who in ages:
                ages[than] = ages[who] - shift
            elif than in ages:
                ages[who] = 2 * ages[than]
            elif who in ages and ages[who] % 2 == 0:
                ages[than] = ages[who] // 2
    people = {name for who, *_, than in relations for name in (who, than)}
    return ages if people == set(ages) and min(ages.values()) > 0 else {}


def _check_money(exercise: Exercise, answer: str) -> str | None:
    question = question_of(exercise.text)
    basket = re.findall(r"(\d+) [a-z ]+ at ([$€£])(\d+)\.(\d\d) each", question)
    paid = re.search(r"pays with [$€£](\d+)\.(\d\d)", question)
    off = re.search(r"takes [$€£](\d+)\.(\d\d) off", question)
    if not basket or paid is None:
        return "the question lacks the goods or the payment"
    left = int(paid[1] + paid[2]) + (int(off[1] + off[2]) if off else 0)
    for count, _, whole, cents in basket:
        for _ in range(int(count)):
            left -= int(whole + cents)
    expected = f"{basket[0][1]}{left // 100}.{left % 100:02d}"
    if expected != answer or left < 0:
        return f"the change is {expected}, not {answer}"
    return _equations_fault(steps_of(exercise.text))


_CHECKS: dict[str, Callable[[Exercise, str], str | None]] = (
    {
        "expression": _check_expression,
        "fractions": _check_fractions,
        "modular": _check_modular,
        "equation": _check_equation,
        "journey": _check_journey,
        "ages": _check_ages,
        "money": _check_money,
        "truth_table": check_truth_table,
        "circuit": check_circuit,
        "ordering": check_ordering,
        "syllogism": check_syllogism,
        "knights": check_knights,
    }
    | CHECKS
    | calculation_checks.CHECKS
    | drill_checks.CHECKS
)
