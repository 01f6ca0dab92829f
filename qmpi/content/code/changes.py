"""Changes a program: a planted bug, or another way to write the same.

Theory of operation. A program is nested lists, so a change is a copy with one place made different.
A bug swaps an operator or moves a constant by one, as slips do. A rewriting keeps the meaning by
rules that hold for every program: a condition and its branches turned round, a sum written out, a
counting loop as a while, a result given a name, a variable renamed.
"""

from collections.abc import Sequence

from qmpi.content.code.dialect import changed
from qmpi.content.code.template import Node
from qmpi.content.counter import Draw

_SLIPS = {
    "<": ("<=", ">"),
    "<=": ("<", ">="),
    ">": (">=", "<"),
    ">=": (">", "<="),
    "==": ("!=",),
    "!=": ("==",),
    "+": ("-", "*"),
    "-": ("+",),
    "*": ("+",),
    "min": ("max",),
    "max": ("min",),
    "and": ("or",),
    "or": ("and",),
    "/": ("%",),
    "%": ("/",),
}
_OPPOSITE = {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}
_SWAPPED = ("let", "aug", "set", "ret", "if", "while", "push", "print")


def copied(node: Node) -> Node:
    """Return a program that shares no list with another."""
    return [copied(part) for part in node] if type(node) is list else node


def _places(node: Node, found: list[tuple[Node, int]]) -> None:
    """Collect lists and positions at which an operator or a number stands."""
    kind = node[0]
    if kind in {"s", "#", "list", "print", "fail"}:
        return
    first = 1
    if kind in _SLIPS:
        found.append((node, 0))
    elif kind == "aug":
        found.append((node, 1))
        first = 2
    elif kind in {"let", "for"}:
        first = 3 if kind == "let" else 2
    for place in range(first, len(node)):
        part = node[place]
        if type(part) is list and part:
            for inner in part if type(part[0]) is list else (part,):
                _places(inner, found)
        elif type(part) is int and not (kind == "for" and place == 4):
            found.append((node, place))


def slipped(draw: Draw, function: Node) -> Node:
    """Return a function with one slip in it.

    Args:
        draw: chance.
        function: ["fn", ...]; not changed.

    Returns:
        A copy in which one operator or number differs.
    """
    made = copied(function)
    found: list[tuple[Node, int]] = []
    for node in made[4]:
        _places(node, found)
    if not found:
        return made
    holder, place = draw.choice(found)
    old = holder[place]
    if type(old) is int:
        holder[place] = old + 1 if old < 2 or draw.word() & 1 else old - 1
    else:
        holder[place] = draw.choice(_SLIPS.get(old, ("+",)))
    return made


def _negated(check: Node) -> Node:
    if check[0] in _OPPOSITE:
        return [_OPPOSITE[check[0]], *check[1:]]
    return check[1] if check[0] == "not" else ["not", check]


def _counters(nodes: Sequence[Node], found: list[str]) -> None:
    for node in nodes:
        if node[0] in {"for", "each", "chars", "while"}:
            if node[0] != "while":
                found.append(node[1])
            _counters(node[-1], found)
        elif node[0] == "if":
            _counters(node[2], found)
            _counters(node[3], found)


class Rewriter:
    """Writes statements in another way that means the same."""

    def __init__(self, draw: Draw, function: Node) -> None:
        """Look at the function.

        Args:
            draw: chance.
            function: ["fn", ...].
        """
        self.draw = draw
        counters: list[str] = []
        _counters(function[4], counters)
        self._single = {name for name in counters if counters.count(name) == 1}

    def body(self, nodes: Sequence[Node]) -> list[Node]:
        """Return statements that do the same.

        Args:
            nodes: statements; not changed.
        """
        out: list[Node] = []
        for node in nodes:
            out += self._one(node)
        return out

    def _one(self, node: Node) -> list[Node]:
        kind = node[0]
        if kind == "aug":
            place = copied(node[2])
            return [["set", place, [node[1], copied(place), copied(node[3])]]]
        if kind == "set" and type(node[2]) is list and node[2][0] in {"+", "-", "*"}:
            op, left, right = node[2]
            if left == node[1]:
                return [["aug", op, copied(node[1]), copied(right)]]
        if kind == "if" and type(node[1]) is list:
            then, other = self.body(node[2]), self.body(node[3])
            if other and self.draw.below(3):
                return [["if", _negated(copied(node[1])), other, then]]
            return [["if", copied(node[1]), then, other]]
        if kind == "for":
            return self._counted(node)
        if kind in {"while", "each", "chars"}:
            return [[*copied(node[:-1]), self.body(node[-1])]]
        return [copied(node)]

    def _counted(self, node: Node) -> list[Node]:
        _, name, low, high, step, body = node
        inner = self.body(body)
        # A while reads its bound each time, so the bound must stay what it was.
        fixed = type(high) is int or (type(high) is str and high not in changed(body))
        if step == 1 and fixed and name in self._single:
            inner.append(["aug", "+", name, 1])
            check = ["<", name, copied(high)]
            return [["let", name, "int", copied(low)], ["while", check, inner]]
        return [["for", name, copied(low), copied(high), copied(step), inner]]


def renamed(node: Node, old: str, new: str) -> Node:
    """Return a program in which a variable has another name.

    Args:
        node: statements or expressions; not changed.
        old: name of the variable; texts and comments are left alone.
        new: a name not in use.
    """
    if type(node) is list:
        if node and (node[0] == "s" or node[0] == "#"):
            return list(node)
        return [renamed(part, old, new) for part in node]
    return new if node == old and type(node) is str else node
