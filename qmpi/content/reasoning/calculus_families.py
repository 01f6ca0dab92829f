"""Derivatives, integrals, functions in pieces, matrices, determinants, systems, vectors."""

from collections.abc import Sequence

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.notation import bracketed, polynomial, ratio
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scenes import scene

_LETTERS = "xyztuvw"
Rows = Sequence[Sequence[int]]


def _polynomial(draw: Draw, level: int) -> list[int]:
    largest = 9 + level // 3
    found = [draw.between(-largest, largest) for _ in range(1 + grown(draw, level, 2, 6))]
    return [*found[:-1], draw.between(2, largest)]


_SLOPE = (
    "At {letter} = {at}, what is the slope of {}?",
    "Differentiate {} and give the value at {letter} = {at}.",
    "How fast does {} change at {letter} = {at}?",
    "What does the derivative of {} equal at {letter} = {at}?",
)
_DERIVE = (
    "Differentiate {}.",
    "What is the derivative of {} with respect to {letter}?",
    "Find the slope of {} as a function of {letter}.",
    "Give the rate of change of {} for every {letter}.",
)


def derivative(draw: Draw, level: int) -> Problem:
    """The derivative of a polynomial, as a function or at a place.

    Args:
        draw: chance.
        level: 1 to 100; more terms and larger numbers.

    Returns:
        The problem.
    """
    letter, value = draw.choice(_LETTERS), _polynomial(draw, level)
    shown, slope = polynomial(value, letter), [n * a for n, a in enumerate(value)][1:]
    steps, parts = list[str](), list[str]()
    for power in range(len(value) - 1, 0, -1):
        if value[power]:
            tail = "" if power == 1 else polynomial([0] * (power - 1) + [1], letter)
            part = f"{power} * {bracketed(value[power])}{tail}"
            parts.append(part)
            steps.append(f"{part} = {polynomial([0] * (power - 1) + [slope[power - 1]], letter)}")
    answer = polynomial(slope, letter)
    steps.append(f"{' + '.join(parts)} = {answer}")
    place = draw.between(2, 5 + level // 12) * (-1 if draw.below(2) else 1)
    if draw.below(2):
        question = draw.choice(_SLOPE).format(shown, letter=letter, at=place)
        number = sum(a * place**n for n, a in enumerate(slope))
        ends = ("", f" * {bracketed(place)}")
        terms = [
            bracketed(a) + (ends[n] if n < 2 else f"{ends[1]}^{n}")
            for n, a in enumerate(slope)
            if a
        ]
        steps.append(f"{' + '.join(terms)} = {number}")
        answer = str(number)
    else:
        question = draw.choice(_DERIVE).format(shown, letter=letter)
    world: Certificate = {"polynomial": shown, "letter": letter, "answer": answer}
    return lay_out(draw, scene(draw) + question, steps, answer, world)


_INTEGRAL = (
    "Integrate {} over {letter} from {a} to {b}.",
    "What is the integral of {} from {letter} = {a} to {letter} = {b}?",
    "Find the signed area under {} between {letter} = {a} and {letter} = {b}.",
    "The rate is {} at time {letter}. How much gathers from {letter} = {a} to {letter} = {b}?",
)


def integral(draw: Draw, level: int) -> Problem:
    """The definite integral of a polynomial, as a fraction.

    Args:
        draw: chance.
        level: 1 to 100; more terms and larger numbers.

    Returns:
        The problem.
    """
    letter, value = draw.choice(_LETTERS), _polynomial(draw, level)[:6]
    shown, low = polynomial(value, letter), draw.between(2, 5 + level // 25)
    high = low + draw.between(1, 3 + level // 25)
    if draw.below(2):
        low, high = -high, -low
    steps, ends = list[str](), list[tuple[int, int]]()
    for name, end in (("upper end", high), ("lower end", low)):
        terms = [(a, n + 1) for n, a in enumerate(value) if a]
        bottom = 60
        top = sum(a * end**n * (bottom // n) for a, n in terms)
        written = [f"{bracketed(a)} * {bracketed(end)}^{n} / {n}" for a, n in terms]
        ends.append((top, bottom))
        steps.append(f"{name}: {' + '.join(written)} = {_reduced(top, bottom)}")
    shown_ends = [_reduced(*end) for end in ends]
    answer = _reduced(ends[0][0] - ends[1][0], 60)
    steps.append(f"{shown_ends[0]} - ({shown_ends[1]}) = {answer}")
    question = draw.choice(_INTEGRAL).format(shown, letter=letter, a=low, b=high)
    world: Certificate = {
        "polynomial": shown,
        "letter": letter,
        "low": low,
        "high": high,
        "answer": answer,
    }
    return lay_out(draw, scene(draw) + question, steps, answer, world)


def _reduced(top: int, bottom: int) -> str:
    for prime in (2, 2, 3, 5):
        if top % prime == 0 and bottom % prime == 0:
            top, bottom = top // prime, bottom // prime
    return ratio(top, bottom)


_PIECES = (
    "A function f is {}. What is {}?",
    "Let f be {}. Compute {}.",
    "The graph of f follows {}. Find {}.",
    "Someone draws f as {}. Which number is {}?",
)


def piecewise(draw: Draw, level: int) -> Problem:
    """Values of a function that is given in pieces, added up.

    Args:
        draw: chance.
        level: 1 to 100; more pieces and more values.

    Returns:
        The problem.
    """
    letter, count = draw.choice("xtuv"), grown(draw, level, 2, 6)
    cuts = sorted(draw.sample(range(-20 - level // 5, 21 + level // 5), count - 1))
    pieces = [
        [draw.between(-20, 20), draw.between(-9, 9), draw.below(2)][: 2 + (draw.below(100) < level)]
        for _ in range(count)
    ]
    told = [f"{polynomial(pieces[0], letter)} where {letter} < {cuts[0]}"]
    told += [
        f"{polynomial(pieces[n], letter)} where {cuts[n - 1]} <= {letter} < {cuts[n]}"
        for n in range(1, count - 1)
    ]
    told.append(f"{polynomial(pieces[-1], letter)} where {letter} >= {cuts[-1]}")
    count_of = grown(draw, level, 2, 7)
    places = [draw.between(2, 40) * (-1 if draw.below(2) else 1) for _ in range(count_of)]
    steps, values = list[str](), list[int]()
    for place in places:
        n = sum(cut <= place for cut in cuts)
        values.append(sum(a * place**power for power, a in enumerate(pieces[n])))
        region = f"{place} < {cuts[n]}" if n < count - 1 else f"{place} >= {cuts[-1]}"
        if 0 < n < count - 1:
            region = f"{cuts[n - 1]} <= {region}"
        terms = [
            str(a) if p == 0 else f"{bracketed(a)} * {bracketed(place)}" + ("^2" if p == 2 else "")
            for p, a in enumerate(pieces[n])
            if a or p == 0
        ]
        since = draw.choice(("since", "as", "here"))
        steps.append(f"{since} {region}, {' + '.join(terms)} = {values[-1]}")
    answer = str(sum(values))
    steps.append(" + ".join(map(bracketed, values)) + f" = {answer}")
    sums = " + ".join(f"f({place})" for place in places)
    question = draw.choice(_PIECES).format("; ".join(told), sums)
    world: Certificate = {
        "letter": letter,
        "pieces": "; ".join(told),
        "places": tuple(places),
        "answer": answer,
    }
    return lay_out(draw, scene(draw) + question, steps, answer, world)


def _rows(draw: Draw, height: int, width: int, largest: int) -> list[list[int]]:
    return [[draw.between(-largest, largest) for _ in range(width)] for _ in range(height)]


def _written(rows: Rows) -> str:
    return f"[{'; '.join(' '.join(map(str, row)) for row in rows)}]"


_DETERMINANT = (
    "What is the determinant of {}?",
    "Compute det {}.",
    "By what factor (with sign) does {} scale areas or volumes?",
    "Evaluate the determinant of the matrix {}.",
    "Rows are split by semicolons in {}. Which determinant does it have?",
)


def determinant(draw: Draw, level: int) -> Problem:
    """A determinant of two, three or four rows, along the first row.

    Args:
        draw: chance.
        level: 1 to 100; more rows, larger numbers.

    Returns:
        The problem.
    """
    size = grown(draw, level, 2, 4) if level > 10 else 2
    rows = _rows(draw, size, size, 20 + level // 4)
    steps = list[str]()
    answer = str(_expanded(rows, steps))
    world: Certificate = {"matrix": _written(rows), "answer": answer}
    question = draw.choice(_DETERMINANT).format(_written(rows))
    return lay_out(draw, scene(draw) + question, steps, answer, world)


def _expanded(rows: Rows, steps: list[str]) -> int:
    if len(rows) == 2:
        (a, b), (c, d) = rows
        value = a * d - b * c
        product = f"{a} * {bracketed(d)} - {bracketed(b)} * {bracketed(c)}"
        steps.append(f"{_written(rows)}: {product} = {value}")
        return value
    minors = list[tuple[int, int]]()
    for n, number in enumerate(rows[0]):
        minor = [[*row[:n], *row[n + 1 :]] for row in rows[1:]]
        minors.append((number if n % 2 == 0 else -number, _expanded(minor, steps)))
    value = sum(a * b for a, b in minors)
    terms = " + ".join(f"{bracketed(a)} * {bracketed(b)}" for a, b in minors)
    steps.append(f"{_written(rows)}: {terms} = {value}")
    return value


_PRODUCT = (
    "Multiply {} by {}.",
    "What is {} times {}?",
    "Compute the matrix product of {} and {}.",
    "First {1} acts, then {0}. Which matrix does both?",
    "Find the product {} * {}.",
)


def matrix_product(draw: Draw, level: int) -> Problem:
    """The product of two matrices, entry by entry.

    Args:
        draw: chance.
        level: 1 to 100; larger matrices and numbers.

    Returns:
        The problem.
    """
    height, inner, width = (grown(draw, level, 2, 4) for _ in range(3))
    left, right = (
        _rows(draw, height, inner, 9 + level // 3),
        _rows(draw, inner, width, 9 + level // 3),
    )
    steps, product = list[str](), list[list[int]]()
    for row in left:
        product.append([])
        for column in zip(*right, strict=True):
            value = sum(a * b for a, b in zip(row, column, strict=True))
            terms = [f"{bracketed(a)} * {bracketed(b)}" for a, b in zip(row, column, strict=True)]
            steps.append(f"{' + '.join(terms)} = {value}")
            product[-1].append(value)
    shown = [_written(left), _written(right)]
    answer = _written(product)
    world: Certificate = {"left": shown[0], "right": shown[1], "answer": answer}
    question = draw.choice(_PRODUCT).format(*shown)
    return lay_out(draw, scene(draw) + question, steps, answer, world)


_SYSTEM = (
    "Solve {} for {}.",
    "Given {}, what are {}?",
    "Numbers satisfy {}. Find {}.",
    "Which values of {1} fulfil {0}?",
    "Three scales, or fewer, show {}. Work out {}.",
)


def linear_system(draw: Draw, level: int) -> Problem:
    """Two to four linear equations, solved by elimination.

    Args:
        draw: chance.
        level: 1 to 100; more unknowns, larger numbers.

    Returns:
        The problem.
    """
    letters = draw.choice(("xyzwv", "uvwts", "pqrst", "klmnp"))[: grown(draw, level, 2, 5)]
    size, largest = len(letters), 9 + level // 4
    roots = [draw.between(1, largest) * (-1 if draw.below(2) else 1) for _ in letters]
    # Upper triangle with whole pivots first; adding earlier rows then hides it.
    rows = [
        [0] * n + [draw.between(1, 4)] + [draw.between(-6, 6) for _ in range(size - n - 1)]
        for n in range(size)
    ]
    mixed, factors = [list(rows[0])], [0]
    for n in range(1, size):
        factor = draw.between(1, 3) * (-1 if draw.below(2) else 1)
        mixed.append([a + factor * b for a, b in zip(rows[n], mixed[0], strict=True)])
        factors.append(factor)
    shown = [_equation(row, letters, roots) for row in mixed]
    steps = list[str]()
    for n in range(1, size):
        left, right = _equation(rows[n], letters, roots).split(" = ")
        own, first = shown[n].split(" = "), shown[0].split(" = ")
        sign = f"- {factors[n]} * " if factors[n] > 0 else f"+ {-factors[n]} * "
        steps.append(f"({own[0]}) {sign}({first[0]}) = {left}")
        steps.append(f"{own[1]} {sign}{bracketed(int(first[1]))} = {right}, so {left} = {right}")
    steps += [f"{letters[n]} = {roots[n]}" for n in range(size - 1, -1, -1)]
    draw.shuffle(shown)
    answer = ", ".join(f"{a} = {b}" for a, b in zip(letters, roots, strict=True))
    told = f"{', '.join(shown[:-1])} and {shown[-1]}"
    world: Certificate = {"equations": tuple(shown), "letters": letters, "answer": answer}
    question = draw.choice(_SYSTEM).format(told, ", ".join(letters))
    return lay_out(draw, scene(draw) + question, steps, answer, world)


def _equation(row: Sequence[int], letters: str, roots: Sequence[int]) -> str:
    text = ""
    for number, letter in zip(row, letters, strict=True):
        if number:
            size = "" if abs(number) == 1 else str(abs(number))
            text += f" {'-' if number < 0 else '+'} {size}{letter}"
    left = text[3:] if text[1] == "+" else f"-{text[3:]}"
    return f"{left} = {sum(a * b for a, b in zip(row, roots, strict=True))}"


_VECTORS = {
    "dot": ("What is the dot product of {} and {}?", "Find the scalar product of {} and {}."),
    "square": (
        "A walk goes along {} and then along {}. What is the square of the distance to its start?",
        "Add {} and {}; what is the squared length of the sum?",
    ),
    "gap": (
        "What is the square of the distance between the points {} and {}?",
        "Two lamps hang at {} and {}. How large is their distance, squared?",
    ),
}


def vectors(draw: Draw, level: int) -> Problem:
    """Products, sums and distances of vectors.

    Args:
        draw: chance.
        level: 1 to 100; more dimensions, larger numbers.

    Returns:
        The problem.
    """
    size, largest = grown(draw, level, 3, 9), 20 + level
    first, second = _rows(draw, 2, size, largest)
    kind = draw.choice(tuple(_VECTORS))
    pairs = list(zip(first, second, strict=True))
    if kind == "dot":
        steps, numbers = list[str](), [a * b for a, b in pairs]
        steps = [f"{a} * {bracketed(b)} = {a * b}" for a, b in pairs]
    else:
        sign = 1 if kind == "square" else -1
        parts = [a + sign * b for a, b in pairs]
        numbers = [part * part for part in parts]
        sum_of = "+" if sign > 0 else "-"
        steps = [
            f"{a} {sum_of} {bracketed(b)} = {part}"
            + (f", {bracketed(part)} * {bracketed(part)} = {c}" if c else "")
            for (a, b), part, c in zip(pairs, parts, numbers, strict=True)
        ]
    answer = str(sum(numbers))
    steps.append(f"{' + '.join(map(bracketed, numbers))} = {answer}")
    shown = [f"<{', '.join(map(str, vector))}>" for vector in (first, second)]
    world: Certificate = {"first": tuple(first), "second": tuple(second), "answer": answer}
    question = draw.choice(_VECTORS[kind]).format(*shown)
    return lay_out(draw, scene(draw) + question, steps, answer, world)


FAMILIES: dict[str, Family] = {
    "derivative": derivative,
    "integral": integral,
    "piecewise": piecewise,
    "determinant": determinant,
    "matrix_product": matrix_product,
    "linear_system": linear_system,
    "vectors": vectors,
}
"""Families by name."""
