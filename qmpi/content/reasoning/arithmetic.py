"""Arithmetic in symbols: expressions, fractions, remainders, linear equations.

Theory of operation: simulate first, then write down. Where a question needs a solution of a certain
form (an exact quotient, a whole root) the solution is drawn and the question is built around it.
"""

from math import gcd

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.problem import Problem, grown, lay_out

Tree = int | tuple[str, "Tree", "Tree"]
"""A number, or (operator, left, right)."""

_RANK = {"+": 1, "-": 1, "*": 2, "/": 2}
_TIMES = (("*", "/"), ("*", "/"), ("\N{MULTIPLICATION SIGN}", "\N{DIVISION SIGN}"))


def expression(draw: Draw, level: int) -> Problem:
    """A whole-number expression, evaluated one operation a line.

    Args:
        draw: chance.
        level: 1 to 100; more operations and longer numbers.

    Returns:
        The problem.
    """
    size = grown(draw, level, 1, 14)
    largest = 10 ** grown(draw, level, 1, 4) - 1
    tree, value = _grow(draw, size, largest)
    signs = draw.choice(_TIMES)
    shown = _written(tree, signs)
    ask = draw.choice(
        (
            "Compute {}.",
            "Evaluate {}.",
            "What is {}?",
            "Work out {}.",
            "Find the value of {}.",
            "Simplify {} to one number.",
            "How much is {}?",
        )
    )
    chain = [shown]
    while not isinstance(tree, int):
        tree = _reduced(tree)
        chain.append(_written(tree, signs))
    world: Certificate = {"expression": shown, "answer": str(value)}
    return lay_out(draw, ask.format(shown), _chain_lines(draw, chain), str(value), world)


def _chain_lines(draw: Draw, chain: list[str]) -> list[str]:
    if draw.below(3) == 0:
        return [" = ".join(chain)]
    return [f"{chain[0]} = {chain[1]}", *(f"= {later}" for later in chain[2:])]


def _grow(draw: Draw, size: int, largest: int) -> tuple[Tree, int]:
    if size == 0:
        number = draw.between(1, largest)
        return number, number
    kind = draw.below(8)
    if kind == 0:
        divisor = draw.between(2, 12)
        left, value = _exact_multiple(draw, size - 1, largest, divisor)
        return ("/", left, divisor), value // divisor
    share = draw.below(size)
    left, left_value = _grow(draw, share, largest)
    right, right_value = _grow(draw, size - 1 - share, largest)
    if kind < 3 and abs(left_value * right_value) < 10**9:
        return ("*", left, right), left_value * right_value
    if kind < 6:
        return ("+", left, right), left_value + right_value
    return ("-", left, right), left_value - right_value


def _exact_multiple(draw: Draw, size: int, largest: int, divisor: int) -> tuple[Tree, int]:
    # The value is mended by a summand, so that the divisor goes into it.
    if size == 0:
        value = divisor * draw.between(1, largest)
        return value, value
    tree, value = _grow(draw, size - 1, largest)
    missing = -value % divisor + divisor * draw.below(9)
    return (("+", tree, missing), value + missing) if missing else (tree, value)


def _apply(sign: str, left: int, right: int) -> int:
    match sign:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case _:
            return left // right  # exact by construction


def _reduced(tree: Tree) -> Tree:
    if isinstance(tree, int):
        return tree
    # The leftmost operation whose operands are both numbers.
    sign, left, right = tree
    if not isinstance(left, int):
        return sign, _reduced(left), right
    if not isinstance(right, int):
        return sign, left, _reduced(right)
    return _apply(sign, left, right)


def _written(tree: Tree, signs: tuple[str, str]) -> str:
    if isinstance(tree, int):
        return str(tree)
    sign, left, right = tree
    shown = signs[0] if sign == "*" else signs[1] if sign == "/" else sign
    return f"{_operand(left, sign, signs, 0)} {shown} {_operand(right, sign, signs, 1)}"


def _operand(tree: Tree, parent: str, signs: tuple[str, str], right: int) -> str:
    text = _written(tree, signs)
    if isinstance(tree, int):
        return f"({text})" if tree < 0 else text
    # A right operand of equal rank needs brackets after "-" and "/"; after "+" and "*" they
    # do no harm.
    return f"({text})" if _RANK[tree[0]] < _RANK[parent] + right else text


def fractions(draw: Draw, level: int) -> Problem:
    """A chain of sums, differences, products and quotients of fractions.

    Args:
        draw: chance.
        level: 1 to 100; more terms and larger denominators.

    Returns:
        The problem.
    """
    terms = 1 + grown(draw, level, 1, 8)
    largest = grown(draw, level, 6, 60)
    top, bottom = _fraction(draw, largest)
    shown, steps = f"{top}/{bottom}", list[str]()
    for _ in range(terms - 1):
        other_top, other_bottom = _fraction(draw, largest)
        sign = draw.choice("++--*:")
        # Written left to right, each step in brackets, so that no rule of precedence is needed.
        opened = f"({shown})" if " " in shown else shown
        shown = f"{opened} {sign} {other_top}/{other_bottom}"
        before = f"{top}/{bottom} {sign} {other_top}/{other_bottom}"
        middle, top, bottom = _combined(sign, (top, bottom), (other_top, other_bottom))
        steps.append(f"{before} = {middle} = {top}/{bottom}")
    answer = str(top) if bottom == 1 else f"{top}/{bottom}"
    ask = draw.choice(
        (
            "Compute {} as a fraction in lowest terms.",
            "What is {} in lowest terms?",
            "Simplify {}.",
            "Write {} as one reduced fraction.",
            "Reduce {} to lowest terms.",
        )
    )
    world: Certificate = {"expression": shown, "answer": answer}
    return lay_out(draw, ask.format(shown), steps, answer, world)


def _fraction(draw: Draw, largest: int) -> tuple[int, int]:
    bottom = draw.between(2, largest)
    return draw.between(1, 2 * bottom), bottom


def _combined(sign: str, left: tuple[int, int], right: tuple[int, int]) -> tuple[str, int, int]:
    (a, b), (c, d) = left, right
    if sign == "*":
        top, bottom, middle = a * c, b * d, f"{a * c}/{b * d}"
    elif sign == ":":
        top, bottom, middle = a * d, b * c, f"{a}/{b} * {d}/{c}"
    else:
        bottom = b * d // gcd(b, d)
        e, f = a * (bottom // b), c * (bottom // d)
        top = e + f if sign == "+" else e - f
        middle = f"{e}/{bottom} {sign} {f}/{bottom}"
    common = gcd(top, bottom)
    return middle, top // common, bottom // common


def modular(draw: Draw, level: int) -> Problem:
    """The remainder of a power, by squaring.

    Args:
        draw: chance.
        level: 1 to 100; larger exponents and moduli.

    Returns:
        The problem.
    """
    modulus = draw.between(3, 10 + 10 * level)
    base = draw.between(2, 9 + 3 * level)
    exponent = draw.between(2, 3 + 2 * level)
    steps = [f"{base} = {base % modulus} (mod {modulus})"]
    power, known = 1, base % modulus
    powers = {1: known}
    while power * 2 <= exponent:
        square = known * known
        power, known = power * 2, square % modulus
        powers[power] = known
        steps.append(f"{base}^{power} = {square} = {known} (mod {modulus})")
    rest, value = exponent - power, known
    while rest:
        power //= 2
        if power <= rest:
            product = value * powers[power]
            rest -= power
            value = product % modulus
            steps.append(f"{base}^{exponent - rest} = {product} = {value} (mod {modulus})")
    ask = draw.choice(
        (
            "What is the remainder when {b}^{e} is divided by {m}?",
            "Compute {b}^{e} mod {m}.",
            "Find {b}^{e} modulo {m}.",
            "Divide {b}^{e} by {m}. What is left over?",
            "Which number from 0 to {last} is congruent to {b}^{e} modulo {m}?",
        )
    )
    question = ask.format(b=base, e=exponent, m=modulus, last=modulus - 1)
    world: Certificate = {
        "base": base,
        "exponent": exponent,
        "modulus": modulus,
        "answer": str(value),
    }
    return lay_out(draw, question, steps, str(value), world)


def equation(draw: Draw, level: int) -> Problem:
    """A linear equation with a whole root.

    Args:
        draw: chance.
        level: 1 to 100; larger numbers, then brackets.

    Returns:
        The problem.
    """
    largest = 9 + 2 * level
    letter = draw.choice("xyznmtkp")
    root = draw.between(-largest, largest)
    slope, other = _two_slopes(draw, largest)
    shift = draw.between(-largest, largest)
    # slope * (root + shift) = other * root + constant fixes the constant.
    constant = slope * (root + shift) - other * root
    left = f"{slope}({letter}{_signed(shift)})" if shift else f"{slope}{letter}"
    right = _linear(other, letter, constant)
    opened = _linear(slope, letter, slope * shift)
    difference = slope - other
    steps = [f"{opened} = {right}"] if shift else []
    if other and shift:
        moved = _linear(difference, letter, slope * shift)
        steps.append(f"{moved} = {constant}")
    steps.append(f"{_linear(difference, letter, 0)} = {constant - slope * shift}")
    if difference != 1:
        steps.append(f"{letter} = {root}")
    ask = draw.choice(
        (
            "Solve {} = {} for {}.",
            "If {} = {}, what is {}?",
            "Given {} = {}, find {}.",
            "The equation {} = {} has one solution. Which value of {} is it?",
        )
    )
    world: Certificate = {"left": left, "right": right, "letter": letter, "answer": str(root)}
    return lay_out(draw, ask.format(left, right, letter), steps, str(root), world)


def _two_slopes(draw: Draw, largest: int) -> tuple[int, int]:
    slope = draw.between(2, largest)
    other = draw.between(-largest, largest) if draw.below(2) else 0
    return slope, other if other != slope else other - 1


def _signed(number: int) -> str:
    return f" + {number}" if number >= 0 else f" - {-number}"


def _linear(slope: int, letter: str, constant: int) -> str:
    if slope == 0:
        return str(constant)
    head = {1: letter, -1: f"-{letter}"}.get(slope, f"{slope}{letter}")
    return head + _signed(constant) if constant else head
