"""Polynomials: products, division, roots, factors. The solution is drawn, the question follows."""

from collections.abc import Sequence

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.notation import bracketed, polynomial
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scenes import scene

_LETTERS = "xyztuvw"


def _coefficients(draw: Draw, degree: int, largest: int) -> list[int]:
    found = [draw.between(-largest, largest) for _ in range(degree)]
    return [*found, draw.between(1, 3 + largest // 4)]


def _multiplied(left: Sequence[int], right: Sequence[int]) -> list[int]:
    product = [0] * (len(left) + len(right) - 1)
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            product[i + j] += a * b
    return product


_EXPAND = (
    "Expand {}.",
    "Multiply out {}.",
    "Write {} without brackets.",
    "What is {} as a sum of powers of {letter}?",
    "Remove the brackets in {} and collect like powers.",
)


def polynomial_product(draw: Draw, level: int) -> Problem:
    """A product of polynomials, multiplied out.

    Args:
        draw: chance.
        level: 1 to 100; higher degrees, more factors.

    Returns:
        The problem.
    """
    letter, largest = draw.choice(_LETTERS), 9 + level // 5
    count = grown(draw, level, 2, 4)
    factors = [_coefficients(draw, grown(draw, level, 1, 3), largest) for _ in range(count)]
    shown = "".join(f"({polynomial(factor, letter)})" for factor in factors)
    steps, value = list[str](), factors[0]
    for factor in factors[1:]:
        right = polynomial(factor, letter)
        parts = list[str]()
        for power, number in enumerate(value):
            if number:
                term = polynomial([0] * power + [number], letter)
                part = polynomial(_multiplied([0] * power + [number], factor), letter)
                steps.append(f"{term} * ({right}) = {part}")
                parts.append(f"({part})")
        left, value = polynomial(value, letter), _multiplied(value, factor)
        joined = " + ".join(parts)
        steps.append(f"({left})({right}) = {joined} = {polynomial(value, letter)}")
    answer = polynomial(value, letter)
    question = draw.choice(_EXPAND).format(shown, letter=letter)
    world: Certificate = {"product": shown, "letter": letter, "answer": answer}
    return lay_out(draw, scene(draw) + question, steps, answer, world)


_DIVIDE = (
    "Divide {} by {}; give quotient and remainder.",
    "What are quotient and remainder when {} is divided by {}?",
    "Carry out the long division of {} by {}.",
    "Split {} into a multiple of {} and a rest of lower degree; name both.",
)


def polynomial_division(draw: Draw, level: int) -> Problem:
    """Quotient and remainder of two polynomials, by long division.

    Args:
        draw: chance.
        level: 1 to 100; higher degrees.

    Returns:
        The problem.
    """
    letter, largest = draw.choice(_LETTERS), 6 + level // 8
    divisor = [*_coefficients(draw, 1 + draw.below(1 + level // 34), largest)[:-1], 1]
    quotient = _coefficients(draw, grown(draw, level, 1, 5), largest)
    rest = [draw.between(-largest, largest) for _ in range(len(divisor) - 1)]
    whole = _multiplied(quotient, divisor)
    whole = [a + (rest[n] if n < len(rest) else 0) for n, a in enumerate(whole)]
    shown, by = polynomial(whole, letter), polynomial(divisor, letter)
    steps, left = list[str](), list(whole)
    for power in range(len(quotient) - 1, -1, -1):
        number = left[power + len(divisor) - 1]
        if number == 0:
            continue
        before, term = polynomial(left, letter), polynomial([0] * power + [number], letter)
        for n, a in enumerate(divisor):
            left[power + n] -= number * a
        steps.append(f"({before}) - ({term})({by}) = {polynomial(left, letter)}")
    answer = f"quotient {polynomial(quotient, letter)}, remainder {polynomial(rest, letter)}"
    question = draw.choice(_DIVIDE).format(f"({shown})", f"({by})")
    world: Certificate = {"whole": shown, "divisor": by, "letter": letter, "answer": answer}
    return lay_out(draw, scene(draw) + question, steps, answer, world)


_ROOTS = (
    ("Solve {} for {letter}.", "both"),
    ("For which values of {letter} is {}?", "both"),
    ("Find all {letter} with {}.", "both"),
    ("What is the larger solution of {}?", "larger"),
    ("Which is the greater root of {}?", "larger"),
    ("What is the smaller solution of {}?", "smaller"),
    ("Give the lesser root of {}.", "smaller"),
)


def quadratic(draw: Draw, level: int) -> Problem:
    """A quadratic equation with two whole roots.

    Args:
        draw: chance.
        level: 1 to 100; larger roots, terms on both sides.

    Returns:
        The problem.
    """
    letter, largest = draw.choice(_LETTERS), 12 + level
    low, high = sorted(draw.sample([n for n in range(-largest, largest + 1) if n], 2))
    lead = draw.between(1, 2 + level // 12)
    a, b, c = lead, -lead * (low + high), lead * low * high
    right = [0, 0, 0]
    if draw.below(100) < level + 20:
        right = [draw.between(-largest, largest) for _ in range(2 + draw.below(2))]
        right += [0] * (3 - len(right))
    left = [c + right[0], b + right[1], a + right[2]]
    equation = f"{polynomial(left, letter)} = {polynomial(right, letter)}"
    ask, kind = draw.choice(_ROOTS)
    answers = {"both": f"{low} and {high}", "larger": str(high), "smaller": str(low)}
    steps = (
        [f"({polynomial(left, letter)}) - ({polynomial(right, letter)}) = "] if any(right) else []
    )
    steps = [line + polynomial([c, b, a], letter) for line in steps]
    steps += _root_steps(draw, (a, b, c), (low, high), letter)
    answer = answers[kind]
    world: Certificate = {"equation": equation, "letter": letter, "answer": answer}
    question = ask.format(equation, letter=letter)
    return lay_out(draw, scene(draw) + question, steps, answer, world)


def _root_steps(
    draw: Draw, numbers: tuple[int, int, int], roots: tuple[int, int], letter: str
) -> list[str]:
    a, b, c = numbers
    low, high = roots
    if b == 0 or draw.below(2):
        factors = f"({polynomial([-low, 1], letter)})({polynomial([-high, 1], letter)})"
        lead = f"{a}" if a > 1 else ""
        sums = f"{low} + {bracketed(high)} = {low + high}"
        products = f"{low} * {bracketed(high)} = {low * high}"
        factored = f"{polynomial([c, b, a], letter)} = {lead}{factors}"
        return [f"{sums} and {products}", factored]
    root = a * (high - low)
    square = f"{bracketed(b)}^2 - 4 * {a} * {bracketed(c)} = {root * root} = {root}^2"
    ends = [f"({-b} {sign} {root}) / {2 * a}" for sign in "+-"]
    return [f"discriminant: {square}", f"{ends[0]} = {high}", f"{ends[1]} = {low}"]


_FACTORS = (
    "Factor {} completely.",
    "Write {} as a product of linear factors.",
    "Into which linear factors does {} fall?",
    "Decompose {} into factors of degree one.",
    "Find the complete factorisation of {}.",
)


def factoring(draw: Draw, level: int) -> Problem:
    """A polynomial with whole roots, written as a product.

    Args:
        draw: chance.
        level: 1 to 100; higher degrees and larger roots.

    Returns:
        The problem.
    """
    letter, largest = draw.choice(_LETTERS), 7 + level // 9
    roots = sorted(draw.between(-largest, largest) for _ in range(grown(draw, level, 2, 6)))
    lead = draw.between(2, 9) if draw.below(3) == 0 else 1
    value = [1]
    for root in roots:
        value = _multiplied(value, [-root, 1])
    shown = polynomial([lead * a for a in value], letter)
    steps, head, rest = list[str](), "", value
    if lead > 1:
        head = str(lead)
        steps.append(f"{shown} = {lead}({polynomial(value, letter)})")
    for root in roots[:-1]:
        if rest[0] and abs(root) > 1:
            steps.append(_tried(rest, root))
        rest = _divided(rest, root)
        factor = polynomial([-root, 1], letter)
        head += f"({factor})"
        steps.append(f"{shown} = {head}({polynomial(rest, letter)})")
    answer = (str(lead) if lead > 1 else "") + "".join(
        f"({polynomial([-root, 1], letter)})" for root in roots
    )
    world: Certificate = {"polynomial": shown, "letter": letter, "answer": answer}
    question = draw.choice(_FACTORS).format(shown)
    return lay_out(draw, scene(draw) + question, steps, answer, world)


def _tried(value: Sequence[int], root: int) -> str:
    terms = [str(value[0])]
    for power, number in enumerate(value):
        if power and number:
            times = f"^{power}" if power > 1 else ""
            terms.append(f"{bracketed(number)} * {bracketed(root)}{times}")
    return f"{' + '.join(terms)} = 0"


def _divided(value: Sequence[int], root: int) -> list[int]:
    # Horner's scheme, from the highest coefficient down.
    carried, quotient = 0, list[int]()
    for number in reversed(value):
        carried = carried * root + number
        quotient.append(carried)
    return quotient[-2::-1]


_SIMPLIFY = (
    "Simplify {}, naming the rule of each step.",
    "Bring {} to its shortest form and say which law is used.",
    "Which shortest form has {}?",
    "Reduce {} to at most two terms, law by law.",
    "Show step by step what {} equals.",
)
_LAWS = (
    ("distributive law", "spreading the factor", "by distributivity"),
    ("commutative law", "reordering the terms", "by commutativity"),
    ("like terms", "collecting equal powers", "by collection"),
)


def simplification(draw: Draw, level: int) -> Problem:
    """A linear expression with brackets, simplified law by law.

    Args:
        draw: chance.
        level: 1 to 100; more brackets and larger numbers.

    Returns:
        The problem.
    """
    letter, largest = draw.choice(_LETTERS), 9 + level // 2
    parts = list[tuple[int, int, int]]()
    for _ in range(grown(draw, level, 2, 8)):
        factor = draw.between(2, 4 + largest // 4) * (-1 if draw.below(3) == 0 else 1)
        shift = draw.between(1, largest) * (-1 if draw.below(2) else 1)
        parts.append((factor, draw.between(1, 3 + largest // 4), shift))
    flat = list[tuple[int, int]]()
    chain = [_mixed(parts, flat, letter)]
    while parts:
        factor, slope, shift = parts.pop(0)
        flat += [(1, factor * slope), (0, factor * shift)]
        chain.append(_mixed(parts, flat, letter))
    ordered = sorted(flat, key=lambda term: -term[0])
    laws = [draw.choice(_LAWS[0])] * (len(chain) - 1)
    chain.append(_mixed([], ordered, letter))
    slope, shift = sum(n for p, n in flat if p), sum(n for p, n in flat if not p)
    answer = polynomial([shift, slope], letter)
    chain.append(answer)
    laws += [draw.choice(_LAWS[1]), draw.choice(_LAWS[2])]
    steps = [f"{law}: {a} = {b}" for law, a, b in zip(laws, chain, chain[1:], strict=False)]
    world: Certificate = {"expression": chain[0], "letter": letter, "answer": answer}
    question = draw.choice(_SIMPLIFY).format(chain[0])
    return lay_out(draw, scene(draw) + question, steps, answer, world)


def _mixed(parts: list[tuple[int, int, int]], flat: list[tuple[int, int]], letter: str) -> str:
    terms = [(n, polynomial([0] * power + [abs(n)], letter)) for power, n in flat]
    terms += [(f, f"{abs(f)}({polynomial([s, a], letter)})") for f, a, s in parts]
    text = "".join(f" - {body}" if sign < 0 else f" + {body}" for sign, body in terms)
    return text[3:] if text.startswith(" + ") else f"-{text[3:]}"


_INEQUALITY = (
    "Solve {} for {letter}.",
    "For which {letter} does {} hold?",
    "Which numbers {letter} satisfy {}?",
    "Find the range of {letter} in which {}.",
    "Bring {} into the form of a bound on {letter}.",
)
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def inequality(draw: Draw, level: int) -> Problem:
    """A chain of linear terms on both sides of an inequality.

    Args:
        draw: chance.
        level: 1 to 100; more terms and larger numbers.

    Returns:
        The problem.
    """
    letter, sign, largest = draw.choice(_LETTERS), draw.choice(tuple(_TURNED)), 9 + level
    bound = draw.between(-largest, largest)
    sides = list[list[int]]()
    for _ in range(2 * grown(draw, level, 1, 4)):
        sides.append([draw.between(-largest, largest), draw.between(2, 3 + largest // 4)])
    left, right = sides[::2], sides[1::2]
    slope = sum(s for _, s in left) - sum(s for _, s in right)
    if slope == 0:
        left[0][1] += 1
        slope = 1
    # The last constant on the right makes the bound a whole number.
    right[-1][0] += sum(c for c, _ in left) - sum(c for c, _ in right) + slope * bound
    shown = [" + ".join(f"({polynomial(p, letter)})" for p in side) for side in (left, right)]
    totals = [[sum(c for c, _ in side), sum(s for _, s in side)] for side in (left, right)]
    steps = [f"{polynomial(totals[0], letter)} {sign} {polynomial(totals[1], letter)}"]
    steps.append(f"{polynomial([0, slope], letter)} {sign} {totals[1][0] - totals[0][0]}")
    answer = f"{letter} {sign if slope > 0 else _TURNED[sign]} {bound}"
    if slope != 1:
        steps.append(answer)
    asked = f"{shown[0]} {sign} {shown[1]}"
    world: Certificate = {"inequality": asked, "letter": letter, "answer": answer}
    question = draw.choice(_INEQUALITY).format(asked, letter=letter)
    return lay_out(draw, scene(draw) + question, steps, answer, world)


FAMILIES: dict[str, Family] = {
    "polynomial_product": polynomial_product,
    "polynomial_division": polynomial_division,
    "quadratic": quadratic,
    "factoring": factoring,
    "simplification": simplification,
    "inequality": inequality,
}
"""Families by name."""
