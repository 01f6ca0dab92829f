"""Tables of numbers, and sentences about what stands in them.

Theory of operation. Rows are drawn; columns are functions of the row's number from a small family.
Below the table sums, extremes and counts are stated, each a fact that a checker works out again
from the rows alone.
"""

from math import gcd, isqrt

from qmpi.content.english.prose import Prose
from qmpi.content.level import sized
from qmpi.content.mathematics.lemma_words import ASIDE
from qmpi.content.page import Page

COLUMNS: tuple[str, ...] = (
    "square",
    "cube",
    "root",
    "digits",
    "divisors",
    "mod",
    "gcd",
    "double",
    "triangle",
)


def value(column: str, n: int, constant: int) -> int:
    """Return what stands in a column for a number.

    Args:
        column: one of `COLUMNS`.
        n: >= 1.
        constant: modulus or partner, >= 2.

    Returns:
        A whole number.
    """
    match column:
        case "square":
            return n * n
        case "cube":
            return n**3
        case "root":
            return isqrt(n)
        case "digits":
            return sum(map(int, str(n)))
        case "divisors":
            return sum(2 - (d * d == n) for d in range(1, isqrt(n) + 1) if n % d == 0)
        case "mod":
            return n % constant
        case "gcd":
            return gcd(n, constant)
        case "double":
            return 2 * n + constant
        case _:
            return n * (n + 1) // 2


_TITLES = {
    "square": "n^2",
    "cube": "n^3",
    "root": "floor of root n",
    "digits": "sum of digits",
    "divisors": "divisors",
    "mod": "n mod {}",
    "gcd": "gcd(n, {})",
    "double": "2n + {}",
    "triangle": "n(n+1)/2",
}


def write_table(page: Page) -> None:
    """A table, statements about it, a question.

    Args:
        page: empty.
    """
    page.genre = "table"
    draw, prose = page.draw, Prose(page, "idea")
    constant = draw.between(2, 9 + page.budget.steps)
    columns = draw.sample(COLUMNS, sized(draw, page.budget.structure, 2, 5))
    most = 20 + 40 * page.budget.steps
    rows = sorted({draw.between(2, most) for _ in range(sized(draw, page.budget.entities, 4, 24))})
    page.world = {"constant": constant, "columns": list(columns), "rows": list(rows)}
    page.say(f"{prose.title()}\n\n{prose.paragraph(2 + draw.below(3), ASIDE)}\n\n")
    bar = draw.choice((" | ", ", ", "\t", " ; "))
    for place, column in enumerate(("n", *columns)):
        page.say(bar if place else "")
        title = _TITLES.get(column, column).format(constant)
        page.fact("title", title, place)
    page.say("\n")
    for number, n in enumerate(rows):
        cells = [str(n), *(str(value(column, n, constant)) for column in columns)]
        page.fact("row", bar.join(cells), number)
        page.say("\n")
    page.say("\n")
    for _ in range(sized(draw, page.budget.distractors, 2, 8)):
        _statement(page, prose, columns, rows, constant)
    page.trim()
    page.say("\n\n")
    _question(page, columns, rows, constant)


def _statement(
    page: Page, prose: Prose, columns: list[str], rows: list[int], constant: int
) -> None:
    draw = page.draw
    place = draw.below(len(columns))
    values = [value(columns[place], n, constant) for n in rows]
    kind = draw.choice(("sum", "largest", "smallest", "even"))
    number = {
        "sum": sum(values),
        "largest": max(values),
        "smallest": min(values),
        "even": sum(v % 2 == 0 for v in values),
    }[kind]
    words = {
        "sum": ("adds up to", "sums to", "comes to"),
        "largest": ("goes up to", "has the maximum", "never exceeds"),
        "smallest": ("begins at", "has the minimum", "is never below"),
        "even": ("counts even entries:", "has so many even ones:"),
    }[kind]
    page.say(f"{prose.sentence(ASIDE)} The {prose.word('a')} column ")
    page.fact("column", _TITLES[columns[place]].format(constant), place)
    page.say(f" {draw.choice(words)} ")
    page.fact(kind, str(number), place)
    page.say(". ")


def _question(page: Page, columns: list[str], rows: list[int], constant: int) -> None:
    draw = page.draw
    place, number = draw.below(len(columns)), draw.below(len(rows))
    page.say(draw.choice(("What would the table give for n = ", "Extend the table to n = ")))
    n = rows[number] + draw.between(1, 50)
    page.fact("asked", str(n), n)
    page.say(", column ")
    page.fact("column", _TITLES[columns[place]].format(constant), place)
    page.say(f"?\n{draw.choice(('Answer: ', 'So: ', 'It gives '))}")
    page.fact("answer", str(value(columns[place], n, constant)), place, n)
    page.say("\n")
