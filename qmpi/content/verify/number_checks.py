"""Solvers of number theory: divisors are tried, multiples counted, digits searched."""

import re
from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate, pairwise
from math import prod
from operator import mul

import numpy as np

from qmpi.content.exercise import Exercise, question_of, steps_of
from qmpi.content.verify.formula import numbers_of, steps_fault


def check_euclid(exercise: Exercise, answer: str) -> str | None:
    """Check a greatest common divisor or least common multiple by trial.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    numbers = numbers_of(question)
    if tuple(numbers) != exercise.certificate["numbers"]:
        return "the question names other numbers than the certificate"
    found = numbers[0]
    multiple = re.search(r"multiple|every", question) is not None
    pairs = set[str]()
    for number in numbers[1:]:
        pairs.add(f"({found}, {number})")
        found = _multiple(found, number) if multiple else _divisor(found, number)
    if str(found) != answer:
        return f"the numbers {numbers} give {found}, not {answer}"
    steps = steps_of(exercise.text)
    if any(pair not in pairs for pair in re.findall(r"\(\d+, \d+\)", "\n".join(steps))):
        return "a step takes two numbers that do not come up"
    return steps_fault(steps)


def _divisor(left: int, right: int) -> int:
    tried = min(left, right)
    return max(
        other
        for low in range(1, int(tried**0.5) + 1)
        if tried % low == 0
        for other in (low, tried // low)
        if left % other == 0 == right % other
    )


def _multiple(left: int, right: int) -> int:
    high, low = max(left, right), min(left, right)
    value = high
    while value % low:
        value += high
    return value


def check_prime_factors(exercise: Exercise, answer: str) -> str | None:
    """Check factors by trial division.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    (number,) = numbers_of(question)
    if number != exercise.certificate["number"]:
        return "the question names another number than the certificate"
    primes, rest, tried = list[int](), number, 2
    while rest > 1:
        while rest % tried == 0:
            primes.append(tried)
            rest //= tried
        tried += 1
    different = sorted(set(primes))
    if re.search(r"sum of|Add up|add up", question):
        expected = str(sum(different))
    elif re.search(r"[Hh]ow many|ways|Count", question):
        expected = str(prod(primes.count(prime) + 1 for prime in different))
    else:
        powers = [(prime, primes.count(prime)) for prime in different]
        expected = " * ".join(f"{p}^{n}" if n > 1 else f"{p}" for p, n in powers)
    if expected != answer:
        return f"{number} gives {expected}, not {answer}"
    return steps_fault(steps_of(exercise.text))


def check_base_conversion(exercise: Exercise, answer: str) -> str | None:
    """Check a number in two bases.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    bases = [int(base) for base in re.findall(r"base (\d+)", question)]
    shown = re.search(r"([0-9a-z]+) (?:\(base|in base|is in base|from base) \d", question)
    if len(bases) != 2 or shown is None:
        return "the question does not name a numeral and two bases"
    value = int(shown[1], bases[0])
    if (*bases, value) != tuple(exercise.certificate[k] for k in ("source", "target", "value")):
        return "the question asks for another number than the certificate"
    if not re.fullmatch("[1-9a-z][0-9a-z]*", answer) or int(answer, bases[1]) != value:
        return f"{answer} in base {bases[1]} is not {shown[1]} in base {bases[0]}"
    steps = steps_of(exercise.text)
    if any(
        base != str(bases[1])
        for base in re.findall(r"\* (\d+) \+ \d+$", "\n".join(steps), re.MULTILINE)
    ):
        return "a step divides by another number than the base"
    return steps_fault(steps)


_LEFT_OVER = re.compile(
    r"(?:packed by|groups of|rows of|counted by) (\d+) there (?:are|remain) (\d+)"
)
_CLUE = re.compile(r"x leaves (\d+) when divided by (\d+)|x = (\d+) \(mod (\d+)\)")
_CLUE_BACK = re.compile(r"of x by (\d+) (?:is|gives remainder) (\d+)")


def check_chinese_remainder(exercise: Exercise, answer: str) -> str | None:
    """Check remainders by counting up.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    clues = {(int(m), int(r)) for m, r in _LEFT_OVER.findall(question)}
    clues |= {(int(m), int(r)) for m, r in _CLUE_BACK.findall(question)}
    for rest, modulus, other, another in _CLUE.findall(question):
        clues.add((int(modulus or another), int(rest or other)))
    if clues != set(_pairs(exercise)):
        return "the question gives other remainders than the certificate"
    moduli = [modulus for modulus, _ in _pairs(exercise)]
    if prod(moduli) > 2**24:
        return "the moduli are out of reach"
    fitting = np.arange(prod(moduli))
    for modulus, rest in clues:
        fitting = fitting[fitting % modulus == rest]
    found = int(fitting[0])
    if str(found) != answer:
        return f"the smallest number is {found}, not {answer}"
    steps = steps_of(exercise.text)
    spans = [f"x = {found % span} (mod {span})" for span in accumulate(moduli, mul)]
    if steps and [step for step in steps if step.startswith("x")] != spans:
        return f"the steps do not go through {spans}"
    # A line of numbers tries the modulus that the next line about x takes in.
    for step, after in pairwise(steps):
        single = re.fullmatch(r"\d.*\(mod (\d+)\)", step)
        if single and not after.endswith(f" * {single[1]} = {after.rpartition(' ')[2]}"):
            return f"the step {step!r} has another modulus than the next"
    return steps_fault(steps, ({"x": found},))


def _pairs(exercise: Exercise) -> list[tuple[int, int]]:
    moduli, rests = exercise.certificate["moduli"], exercise.certificate["rests"]
    if isinstance(moduli, tuple) and isinstance(rests, tuple):
        return [(int(m), int(r)) for m, r in zip(moduli, rests, strict=True)]
    return []


def check_modular_inverse(exercise: Exercise, answer: str) -> str | None:
    """Check a linear congruence by trying every number.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    asked = re.search(r"(\d+)x = (\d+) \(mod (\d+)\)", question)
    wheel = re.search(
        r"wheel of (\d+) teeth is turned by (\d+) teeth x times .* (\d+) past", question
    )
    if asked is not None:
        factor, wanted, modulus = map(int, asked.groups())
    elif wheel is not None:
        modulus, factor, wanted = map(int, wheel.groups())
    else:
        return "there is no congruence in the question"
    told = tuple(exercise.certificate[k] for k in ("factor", "wanted", "modulus"))
    if told != (factor, wanted, modulus):
        return "the question asks for another congruence than the certificate"
    if sorted(numbers_of(question)) != sorted((factor, wanted, modulus, 1, modulus - 1)):
        return "the question does not bound the answer"
    found = [x for x in range(1, modulus) if (factor * x - wanted) % modulus == 0]
    if [str(x) for x in found] != [answer]:
        return f"the congruence has the solutions {found}"
    steps = steps_of(exercise.text)
    if any(span != str(modulus) for span in re.findall(r"mod (\d+)", "\n".join(steps))):
        return "a step has another modulus"
    return steps_fault(steps)


_PLACES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")
_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven")


def check_digit_puzzle(exercise: Exercise, answer: str) -> str | None:
    """Check a puzzle of digits by searching all numbers.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    counts = [n for n, word in enumerate(_COUNTS) if re.search(rf" {word} digits\.", question)]
    if len(counts) != 1:
        return "the question does not say how many digits there are"
    rules = _digit_rules(question)
    total = re.search(r"All digits add up to (\d+)", question)
    times = re.search(r"first digit times (\d+) is (\d+)", question)
    found = [
        digits
        for digits in _grown([], counts[0], rules)
        if (total is None or sum(digits) == int(total[1]))
        and (times is None or digits[0] * int(times[1]) == int(times[2]))
    ]
    if ["".join(map(str, digits)) for digits in found] != [answer]:
        return f"the digits have the solutions {found[:3]}, the answer is {answer}"
    if exercise.certificate["digits"] != tuple(found[0]):
        return "the certificate has other digits"
    return steps_fault(steps_of(exercise.text), ({"a": Fraction(found[0][0])},))


def _digit_rules(question: str) -> dict[int, tuple[int, int]]:
    # Each digit is `sign` times the digit before it plus a number.
    rules = dict[int, tuple[int, int]]()
    for here, size, way in re.findall(r"The (\w+) digit is (\d) (more|less) than the", question):
        rules[_PLACES.index(here)] = (1, int(size) if way == "more" else -int(size))
    for here in re.findall(r"The (\w+) digit equals the", question):
        rules[_PLACES.index(here)] = (1, 0)
    pairs = r"The (?:\w+) and (\w+) digits (?:add up to|together make|have the sum) (\d+)"
    for here, both in re.findall(pairs, question):
        rules[_PLACES.index(here)] = (-1, int(both))
    return rules


def _grown(digits: list[int], count: int, rules: dict[int, tuple[int, int]]) -> list[list[int]]:
    if len(digits) == count:
        return [digits]
    found = list[list[int]]()
    for digit in range(0 if digits else 1, 10):
        rule = rules.get(len(digits))
        if rule is None or digit == rule[0] * digits[-1] + rule[1]:
            found += _grown([*digits, digit], count, rules)
    return found


CHECKS: dict[str, Callable[[Exercise, str], str | None]] = {
    "euclid": check_euclid,
    "prime_factors": check_prime_factors,
    "base_conversion": check_base_conversion,
    "chinese_remainder": check_chinese_remainder,
    "modular_inverse": check_modular_inverse,
    "digit_puzzle": check_digit_puzzle,
}
"""Solvers by family."""
