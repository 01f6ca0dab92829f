"""Fills the holes of a shape: expressions, conditions and statements over the variables in reach.

Theory of operation. Sizes keep numbers small: an expression multiplies two variables at most once,
so with data below a thousand no language wraps around. `natural` is closed under +, *, max, min, %,
// and masks, hence never negative, and may stand left of % and //, whose meaning differs between
languages below zero. What these rules miss the interpreter refuses, and the shape is grown again.
"""

from collections.abc import Sequence

from qmpi.content.code.template import Node
from qmpi.content.code.words import Words
from qmpi.content.counter import Draw

_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_ORDERS = ("<", "<=", ">", ">=", "<", ">")


class Grower:
    """Fills holes for one function or class.

    Attributes:
        draw: chance.
        words: names and texts.
        names: name in this program of each role of the shape.
        depth: levels of nesting that expressions may have, 1 to 4.
        filling: per cent of places for extra statements that are used.
        masks: bit operators may be used.
        fields: name of each field and method of the class around.
        helpers: name and number of parameters of functions that may be called.
    """

    __slots__ = (
        "_product",
        "depth",
        "draw",
        "fields",
        "filling",
        "helpers",
        "masks",
        "names",
        "words",
    )

    def __init__(self, draw: Draw, words: Words, depth: int, filling: int, *, masks: bool) -> None:
        """Start without names.

        Args:
            draw: chance.
            words: names and texts.
            depth: levels of nesting in expressions, 1 to 4.
            filling: 0 to 100.
            masks: whether bit operators may be used.
        """
        self.draw = draw
        self.words = words
        self.names: dict[str, str] = {}
        self.depth = depth
        self.filling = filling
        self.masks = masks
        self.fields: dict[str, str] = {}
        self.helpers: list[tuple[str, int]] = []
        self._product = False

    def constant(self) -> int:
        """Return a number as programs hold them: mostly small, sometimes of three digits."""
        word = self.draw.word()
        kind, rest = word & 7, word >> 3
        if kind < 4:
            return 2 + rest % 11
        return 11 + rest % 89 if kind < 7 else 100 + rest % 900

    def natural(self, names: Sequence[Node]) -> Node:
        """Return an integer expression that is not negative if the variables are not.

        Args:
            names: variables it may use.
        """
        self._product = False
        return self._natural(names, self.draw.between(1, self.depth))

    def _natural(self, names: Sequence[Node], depth: int) -> Node:
        draw = self.draw
        if depth <= 0:
            return draw.choice(names)
        kind = draw.below(16)
        left = self._natural(names, depth - 1 - (kind & 1))
        if kind < 5:
            right = self._natural(names, depth - 2) if kind < 2 else self.constant()
            return self.either_way("+", left, right)
        if kind < 8:
            return self._times(names, left, depth)
        if kind < 13:
            if kind < 10:
                return ["%", left, 2 + self.constant()]
            if kind < 12:
                return ["/", left, draw.between(2, 9)]
            return ["abs", ["-", left, self.constant()]]
        if kind < 15 or not self.masks:
            return [("min", "max")[kind & 1], left, self.constant()]
        return [draw.choice("&|^"), left, draw.between(1, 63)]

    def _times(self, names: Sequence[Node], left: Node, depth: int) -> Node:
        if self._product or depth > 2:
            return self.either_way("+", left, self.draw.choice(names))
        self._product = True
        if self.draw.below(3):
            return self.either_way("*", left, self.draw.between(2, 12))
        return ["*", left, self.draw.choice(names)]

    def signed(self, names: Sequence[Node]) -> Node:
        """Return an integer expression.

        Args:
            names: variables it may use.
        """
        kind = self.draw.below(4)
        if kind == 3 and self.helpers:
            return self.helped(names)
        first = self.natural(names)
        if kind == 0:
            return ["-", first, self.constant()]
        if kind == 1:
            return ["-", first, self.draw.choice(names)]
        return ["-", self.constant(), first] if kind == 2 else first

    def helped(self, names: Sequence[Node]) -> Node:
        """Return a call of an earlier function.

        Args:
            names: variables that may be its arguments.
        """
        name, count = self.draw.choice(self.helpers)
        args = [self.draw.choice(names) for _ in range(count - 1)]
        return ["call", name, *args, self.draw.between(1, 9)]

    def condition(self, names: Sequence[Node]) -> Node:
        """Return a condition that is true of some values and false of others.

        Args:
            names: variables it may use.
        """
        draw = self.draw
        kind = draw.below(10)
        if kind < 3:
            divisor = draw.between(2, 7)
            return self.compared(
                ("==", "!=")[kind & 1],
                ["%", self._natural(names, draw.below(2)), divisor],
                draw.below(divisor),
            )
        if kind < 7 or self.depth < 2:
            left = self._natural(names, draw.below(self.depth))
            return self.compared(draw.choice(_ORDERS), left, self.constant())
        if kind == 7 and len(names) > 1:
            first, second = draw.sample(names, 2)
            return self.compared(draw.choice(_ORDERS), first, second)
        first = self.compared(draw.choice(_ORDERS), draw.choice(names), self.constant())
        divisor = draw.between(2, 6)
        second = self.compared("!=", ["%", draw.choice(names), divisor], draw.below(divisor))
        return [("and", "or")[draw.word() & 1], first, second]

    def phrase(self, _: Sequence[Node]) -> Node:
        """Return a text of one or two words."""
        return ["s", self.words.phrase()]

    def complaint(self) -> Node:
        """Return the text of an error."""
        return ["s", self.words.complaint()]

    def either_way(self, op: str, left: Node, right: Node) -> Node:
        """Return a sum or product, its sides in either order.

        Args:
            op: an operator that commutes.
            left: an operand.
            right: the other.
        """
        return [op, right, left] if self.draw.below(4) == 0 else [op, left, right]

    def compared(self, op: str, left: Node, right: Node) -> Node:
        """Return a comparison, now and then read from the other side.

        Args:
            op: "<", "<=", ">", ">=", "==" or "!=".
            left: an operand.
            right: the other.
        """
        if self.draw.below(6) == 0:
            return [_TURNED[op], right, left]
        return [op, left, right]

    def augmented(self, op: str, place: Node, value: Node) -> Node:
        """Return `place op= value`, or the same written out.

        Args:
            op: of the assignment.
            place: variable, field or item.
            value: right side.
        """
        if self.draw.below(4) == 0:
            return ["set", place, [op, place, value]]
        return ["aug", op, place, value]

    def fill(self, names: Sequence[str]) -> list[Node]:
        """Return further statements on a running total.

        Args:
            names: the total first, then variables that are never negative.

        Returns:
            None, or up to two statements nested as deep as the budget allows.
        """
        if not self.draw.chance(self.filling):
            return []
        made = [self._filler(names[0], names[1:], self.depth)]
        if self.draw.chance(self.filling // 2):
            made.append(self._filler(names[0], names[1:], 1))
        return made

    def _filler(self, total: str, names: Sequence[str], depth: int) -> Node:
        draw = self.draw
        kind = draw.below(6)
        if kind == 0 and self.helpers:
            return self.augmented("+", total, self.helped(names or [total]))
        if kind < 3 or depth < 2:
            return self.augmented("+", total, self.natural(names))
        check = self.condition(names)
        inner = [self._filler(total, names, depth - 1)]
        if kind < 5:
            other = [self.augmented("+", total, self.constant())] if kind == 3 else []
            return ["if", check, inner, other]
        return ["if", check, inner, [self._filler(total, names, depth - 1)]]
