"""A theory of an invented operation: definition, table, claims proven or refuted.

Theory of operation. An operation x * y = ax + by + cxy + d on the numbers modulo n is drawn.
Whether it is commutative, associative, has an identity, inverses, idempotents is found by trying
all elements; a claim that fails is refuted by the first counterexample. So every statement of the
text can be tried again.
"""

from qmpi.content.counter import Draw
from qmpi.content.english.prose import Prose
from qmpi.content.level import sized
from qmpi.content.mathematics.lemma_words import ASIDE
from qmpi.content.page import Page

_SYMBOLS = ("\u2218", "*", "\u2297", "\u22c6", "#", "\u25a1", "@", "\u2295")
_HEADS = ("Definition", "Let us define", "Set", "Consider the operation", "We write")


class Operation:
    """A binary operation on 0 .. n-1.

    Attributes:
        size: n.
        terms: a, b, c, d.
        symbol: as written.
    """

    def __init__(self, draw: Draw, size: int) -> None:
        """Draw an operation.

        Args:
            draw: chance.
            size: number of elements, >= 2.
        """
        self.size = size
        self.terms = tuple(draw.below(size) for _ in range(4))
        # Symmetric ones are rare by chance and the most worth a proof.
        if draw.chance(50):
            self.terms = (self.terms[0], self.terms[0], *self.terms[2:])
        self.symbol = draw.choice(_SYMBOLS)

    def apply(self, x: int, y: int) -> int:
        """Return x * y.

        Args:
            x: element.
            y: element.

        Returns:
            Element.
        """
        a, b, c, d = self.terms
        return (a * x + b * y + c * x * y + d) % self.size

    def formula(self) -> str:
        """Return the definition as written.

        Returns:
            As "3x + 2y + xy + 1".
        """
        parts = [
            f"{'' if factor == 1 and name else factor}{name}"
            for factor, name in zip(self.terms, ("x", "y", "xy", ""), strict=True)
            if factor
        ]
        return " + ".join(parts) or "0"

    def not_commuting(self) -> tuple[int, ...] | None:
        """Return the first pair that does not commute.

        Returns:
            Two elements, or None.
        """
        for x in range(self.size):
            for y in range(x):
                if self.apply(x, y) != self.apply(y, x):
                    return (x, y)
        return None

    def not_associating(self) -> tuple[int, ...] | None:
        """Return the first triple that does not associate.

        Returns:
            Three elements, or None.
        """
        apply, every = self.apply, range(self.size)
        for x in every:
            for y in every:
                xy = apply(x, y)
                for z in every:
                    if apply(xy, z) != apply(x, apply(y, z)):
                        return (x, y, z)
        return None

    def identity(self) -> int | None:
        """Return the two-sided identity.

        Returns:
            Element, or None.
        """
        every = range(self.size)
        for e in every:
            if all(self.apply(e, x) == x == self.apply(x, e) for x in every):
                return e
        return None

    def idempotents(self) -> list[int]:
        """Return the elements with x * x = x.

        Returns:
            Elements, rising.
        """
        return [x for x in range(self.size) if self.apply(x, x) == x]


def write_operation(page: Page) -> None:
    """Definition, values, claims and a question.

    Args:
        page: empty.
    """
    page.genre = "theory"
    draw, prose = page.draw, Prose(page, "idea")
    size = sized(draw, page.budget.structure, 3, 12)
    page.say(f"{prose.title()}\n\n{prose.paragraph(1 + draw.below(3), ASIDE)}\n\n")
    operations = [Operation(draw, size) for _ in range(sized(draw, page.budget.entities, 1, 3))]
    page.world = {
        "size": size,
        "operations": [[list(op.terms), op.symbol] for op in operations],
    }
    for number, operation in enumerate(operations):
        _define(page, prose, number, operation)
        parts = [_values, _commutes, _associates, _neutral, _fixed]
        draw.shuffle(parts)
        for part in parts[: sized(draw, page.budget.steps, 2, 5)]:
            part(page, number, operation)
            page.say(f" {prose.paragraph(1 + draw.below(2), ASIDE)}\n")
            prose.shift()
        page.say("\n")
    _question(page, draw.below(len(operations)), operations)


def _define(page: Page, prose: Prose, number: int, operation: Operation) -> None:
    page.say(f"{page.draw.choice(_HEADS)}, {prose.word('r')}: ")
    page.fact(
        "definition",
        f"x {operation.symbol} y = {operation.formula()} (mod {operation.size})",
        number,
    )
    page.say(f", {prose.phrase(ASIDE)}.\n\n")


def _equation(operation: Operation, x: int, y: int) -> str:
    return f"{x} {operation.symbol} {y} = {operation.apply(x, y)}"


def _values(page: Page, number: int, operation: Operation) -> None:
    draw = page.draw
    page.say(draw.choice(("Values: ", "For example, ", "We get ", "Some of its values are ")))
    for place in range(sized(draw, page.budget.entities, 2, 9)):
        page.say(", " if place else "")
        x, y = draw.below(operation.size), draw.below(operation.size)
        page.fact("value", _equation(operation, x, y), number, x, y)
    page.say(".")


def _commutes(page: Page, number: int, operation: Operation) -> None:
    pair = operation.not_commuting()
    page.say(page.draw.choice(("Order. ", "Claim: ", "Does order matter? ", "On order: ")))
    if pair is None:
        page.fact("commutes", "it is commutative", number)
        page.say(", for the formula is the same with x and y exchanged.")
        return
    page.fact("commutes", "it is not commutative", number)
    page.say(", since ")
    page.fact("value", _equation(operation, *pair), number, *pair)
    page.say(" but ")
    page.fact("value", _equation(operation, pair[1], pair[0]), number, pair[1], pair[0])
    page.say(".")


def _associates(page: Page, number: int, operation: Operation) -> None:
    triple = operation.not_associating()
    page.say(page.draw.choice(("Brackets. ", "Claim: ", "May brackets move? ", "On brackets: ")))
    if triple is None:
        page.fact("associates", "it is associative", number)
        page.say(", as one finds by trying all triples.")
        return
    page.fact("associates", "it is not associative", number)
    x, y, z = triple
    sign, apply = operation.symbol, operation.apply
    page.say(": ")
    left = f"({x} {sign} {y}) {sign} {z} = {apply(apply(x, y), z)}"
    page.fact("left", left, number, x, y, z)
    page.say(", while ")
    right = f"{x} {sign} ({y} {sign} {z}) = {apply(x, apply(y, z))}"
    page.fact("right", right, number, x, y, z)
    page.say(".")


def _neutral(page: Page, number: int, operation: Operation) -> None:
    identity = operation.identity()
    page.say(page.draw.choice(("Identity. ", "Neutral element: ", "What leaves all as it is? ")))
    text = "there is none" if identity is None else f"it is {identity}"
    page.fact("identity", text, number)
    page.say(".")


def _fixed(page: Page, number: int, operation: Operation) -> None:
    found = operation.idempotents()
    page.say(page.draw.choice(("Idempotents: ", "Elements equal to their square: ", "Squares. ")))
    page.fact("idempotents", ", ".join(map(str, found)) or "none", number)
    page.say(".")


def _question(page: Page, number: int, operations: list[Operation]) -> None:
    draw, operation = page.draw, operations[number]
    x, y, z = (draw.below(operation.size) for _ in range(3))
    sign, apply = operation.symbol, operation.apply
    page.say(draw.choice(("Exercise. Find ", "What is ", "Compute ", "Question: what is ")))
    page.fact("asked", f"({x} {sign} {y}) {sign} {z}", number, x, y, z)
    page.say(draw.choice(("?\n", " for the operation above.\n", ".\n")))
    page.fact("value", _equation(operation, x, y), number, x, y)
    page.say("\n")
    page.fact("value", _equation(operation, apply(x, y), z), number, apply(x, y), z)
    page.say(f"\n{draw.choice(('Answer: ', 'So: ', 'Result: '))}")
    page.fact("answer", str(apply(apply(x, y), z)), number, x, y, z)
    page.say("\n")
