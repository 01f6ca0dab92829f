"""Arithmetic families: the world is a computation, the text states it and works it out step by step."""

from fractions import Fraction
from math import gcd

from qmpi.content.counter import Draw
from qmpi.content.document import ANSWER_MARK, Document
from qmpi.content.words import GOODS, NAMES, PLACES

OPENINGS = (
    "Work out {}.",
    "Find the value of {}.",
    "What is {}?",
    "Compute {} and show each step.",
    "Evaluate {} from the left, brackets first.",
    "{} has to be simplified to one number.",
)
LINKS = ("so", "which leaves", "hence", "this gives", "that is", "therefore")


def _size(level: int) -> int:
    return 10 + level * level // 2


def expression(draw: Draw, level: int) -> Document:
    """Nested sums and products of whole numbers, reduced bracket by bracket.

    Args:
        draw: randomness of the address.
        level: 1 to 100: more brackets, larger numbers.

    Returns:
        The document.
    """
    text, value = str(draw.between(1, _size(level))), 0
    value = int(text)
    steps: list[str] = []
    for _ in range(1 + level // 8):
        other = draw.between(2, _size(level))
        sign = draw.choice("+-*" if abs(value) < 10**9 else "+-")
        before, value = value, {"+": value + other, "-": value - other, "*": value * other}[sign]
        text = f"({text} {sign} {other})"
        steps.append(f"{before} {sign} {other} = {value}")
    said = draw.choice(OPENINGS).format(text)
    worked = f"; {draw.choice(LINKS)} ".join(steps)
    body = f"{said}\n{worked}.\n{ANSWER_MARK} {value}"
    return Document("expression", level, body, str(value), (("expression", text),))


def fractions(draw: Draw, level: int) -> Document:
    """A sum of fractions brought to one denominator.

    Args:
        draw: randomness of the address.
        level: more and larger fractions.

    Returns:
        The document.
    """
    terms = [
        Fraction(draw.between(1, 5 + level), draw.between(2, 9 + level))
        for _ in range(2 + level // 20)
    ]
    total, lines = terms[0], [f"Start with {terms[0]}."]
    for term in terms[1:]:
        common = total.denominator * term.denominator // gcd(total.denominator, term.denominator)
        left, right = (x.numerator * (common // x.denominator) for x in (total, term))
        total += term
        lines.append(
            f"Over {common}: {left}/{common} + {right}/{common} = {left + right}/{common}, "
            f"{draw.choice(LINKS)} {total}."
        )
    listed = " + ".join(map(str, terms))
    lines.insert(0, draw.choice(OPENINGS).format(listed))
    lines.append(f"{ANSWER_MARK} {total}")
    return Document("fractions", level, "\n".join(lines), str(total), (("sum", listed),))


def remainders(draw: Draw, level: int) -> Document:
    """A power modulo a number, by repeated squaring.

    Args:
        draw: randomness of the address.
        level: larger exponents and moduli.

    Returns:
        The document.
    """
    base, exponent = draw.between(2, 20 + level), draw.between(3, 6 + 3 * level)
    modulus = draw.between(5, 30 + 10 * level)
    lines = [
        draw.choice(
            (
                "What remains when {b}^{e} is divided by {m}?",
                "Reduce {b}^{e} modulo {m}.",
                "Find {b}^{e} mod {m} by squaring.",
            )
        ).format(b=base, e=exponent, m=modulus)
    ]
    result, square = 1, base % modulus
    for place, bit in enumerate(reversed(f"{exponent:b}")):
        if bit == "1":
            lines.append(f"Bit {place} is set: {result} * {square} = {result * square % modulus}.")
            result = result * square % modulus
        square = square * square % modulus
    lines.append(f"{ANSWER_MARK} {result}")
    facts = (("base", str(base)), ("exponent", str(exponent)), ("modulus", str(modulus)))
    return Document("remainders", level, "\n".join(lines), str(result), facts)


def shopping(draw: Draw, level: int) -> Document:
    """A bill with amounts, prices and a discount.

    Args:
        draw: randomness of the address.
        level: more goods.

    Returns:
        The document.
    """
    who, where = draw.choice(NAMES), draw.choice(PLACES)
    bought = [
        (good, draw.between(2, 5 + level), draw.between(1, 20 + 2 * level))
        for good in draw.sample(GOODS, 2 + min(6, level // 12))
    ]
    off = draw.between(0, 3 + level)
    listed = ", ".join(f"{count} {good} at {price} each" for good, count, price in bought)
    total = sum(count * price for _, count, price in bought) - off
    ask = draw.choice(
        (
            f"{who} goes to {where} and buys {listed}. A coupon takes {off} off the bill.",
            f"At {where}, {who} puts into a basket: {listed}. The till deducts {off}.",
            f"{who}'s list for {where} reads {listed}; {off} is given back at the end.",
        )
    )
    works = [f"{count} * {price} = {count * price} for the {good}" for good, count, price in bought]
    question = draw.choice(("What is there to pay?", "How much is paid?", "What does it cost?"))
    body = f"{ask} {question}\n{'; '.join(works)}; less {off}.\n{ANSWER_MARK} {total}"
    bill = " ".join(f"{count}x{price}" for _, count, price in bought)
    return Document("shopping", level, body, str(total), (("bill", bill), ("off", str(off))))


def meeting(draw: Draw, level: int) -> Document:
    """Two travellers move towards each other; when do they meet?

    Args:
        draw: randomness of the address.
        level: larger numbers, a head start from level 30 on.

    Returns:
        The document.
    """
    one, two = draw.sample(NAMES, 2)
    start, goal = draw.sample(PLACES, 2)
    fast, slow = draw.between(2, 9 + level), draw.between(2, 9 + level)
    hours = draw.between(1, 4 + level // 4)
    lead = draw.between(1, 3) if level >= 30 else 0
    distance = (fast + slow) * hours + fast * lead
    early = f" {one} leaves {lead} hours earlier." if lead else ""
    ask = draw.choice(
        (
            f"{one} walks from {start} at {fast} km an hour, {two} from {goal} at {slow}.{early} "
            f"The way is {distance} km. How many hours after {two} starts do they meet?",
            f"Between {start} and {goal} lie {distance} km. {one} covers {fast} km an hour and {two}, "
            f"coming the other way, {slow}.{early} After how many hours of {two}'s walk do they meet?",
        )
    )
    first = (
        f"Before {two} starts, {fast * lead} km are done, so {distance - fast * lead} are left. "
    )
    body = (
        f"{ask}\n{first if lead else ''}Together they close {fast} + {slow} = {fast + slow} km an hour; "
        f"{distance - fast * lead} / {fast + slow} = {hours}.\n{ANSWER_MARK} {hours}"
    )
    facts = (
        ("distance", str(distance)),
        ("fast", str(fast)),
        ("slow", str(slow)),
        ("lead", str(lead)),
    )
    return Document("meeting", level, body, str(hours), facts)
