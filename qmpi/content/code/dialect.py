"""Writes a program in a language: what all languages share.

Theory of operation. A dialect is made for one document and holds its layout (indent, braces,
quotes). Expressions become one string by precedence, with no needless brackets; statements become
lines. Languages override what differs; those with braces share most of it.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from qmpi.content.code.template import Node
from qmpi.content.counter import Draw

_WEIGHTS = {
    "or": 1,
    "and": 2,
    "<": 4,
    "<=": 4,
    ">": 4,
    ">=": 4,
    "==": 4,
    "!=": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "%": 6,
}
_BITS = frozenset({"&", "|", "^", "<<", ">>"})
TIGHT = 9
"""Weight of an operand that only a name, a number or a call may be."""


class Dialect:
    """A language, laid out in one way.

    Attributes:
        name: of the language, as checkers know it.
        camel: names are camelCase.
        lacks: features of shapes that it cannot write.
        remark: what begins a comment.
        spelled: how operators are written where not as in the program.
        types: how types are written.
        ending: of a simple statement.
        lists: brackets and separator of a printed list.
    """

    name: ClassVar[str] = ""
    camel: ClassVar[bool] = True
    lacks: ClassVar[frozenset[str]] = frozenset()
    remark: ClassVar[str] = "// "
    spelled: ClassVar[dict[str, str]] = {"and": "&&", "or": "||"}
    types: ClassVar[dict[str, str]] = {}
    ending: ClassVar[str] = ";"
    truths: ClassVar[tuple[str, str]] = ("false", "true")
    lists: ClassVar[tuple[str, str, str]] = ("[", ", ", "]")

    def __init__(self, draw: Draw) -> None:
        """Choose a layout.

        Args:
            draw: chance.
        """
        self.draw = draw
        self.indent = "  " if draw.word() & 1 else "    "
        self.quote = '"'
        self.allman = False
        self.owner = "self."
        self.signatures: dict[str, Sequence[Sequence[str]]] = {}
        self.mutated: frozenset[str] = frozenset()
        self.result = "int"

    # Expressions.

    def expr(self, node: Node, weight: int = 0) -> str:
        """Return an expression as text.

        Args:
            node: the expression.
            weight: of the operator around it; a lighter one inside gets brackets.
        """
        kind = type(node)
        if kind is str:
            return node
        if kind is not list:
            return self._number(node, weight)
        op = node[0]
        own = _WEIGHTS.get(op)
        if own is None:
            if op in _BITS:
                text = f"{self.expr(node[1], TIGHT)} {op} {self.expr(node[2], TIGHT)}"
                return f"({text})" if weight else text
            return getattr(self, "_op_" + op)(node, weight)
        if op == "/":
            return self._divided(node, weight)
        text = f"{self.expr(node[1], own)} {self.spelled.get(op, op)} {self.expr(node[2], own + 1)}"
        return f"({text})" if own < weight else text

    def _number(self, value: int, weight: int) -> str:
        """Return a number or truth value as text."""
        if value is True or value is False:
            return self.truths[value]
        return f"({value})" if value < 0 and weight > 4 else str(value)

    def _divided(self, node: Node, weight: int) -> str:
        """Return a quotient of whole numbers, rounded down."""
        text = f"{self.expr(node[1], 6)} / {self.expr(node[2], 7)}"
        return f"({text})" if weight > 6 else text

    def _text(self, value: str) -> str:
        """Return a text in quotes."""
        return f"{self.quote}{value}{self.quote}"

    def _args(self, nodes: Sequence[Node], called: str) -> str:
        """Return arguments of a call, with commas between them."""
        del called
        return ", ".join([self.expr(node) for node in nodes])

    def _op_s(self, node: Node, _: int) -> str:
        return self._text(node[1])

    def _op_not(self, node: Node, weight: int) -> str:
        del weight
        return "!" + self.expr(node[1], TIGHT)

    def _op_neg(self, node: Node, weight: int) -> str:
        text = "-" + self.expr(node[1], TIGHT)
        return f"({text})" if weight > 4 else text

    def _op_at(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1], TIGHT)}[{self.expr(node[2])}]"

    def _op_call(self, node: Node, _: int) -> str:
        return f"{node[1]}({self._args(node[2:], node[1])})"

    def _op_m(self, node: Node, _: int) -> str:
        target = self.owner if node[1] == "self" else node[1] + "."
        return f"{target}{node[2]}({self._args(node[3:], node[2])})"

    def _op_f(self, node: Node, _: int) -> str:
        return self.owner + node[1]

    def _op_same(self, node: Node, weight: int) -> str:
        return self.expr(["==", node[1], node[2]], weight)

    def _op_either(self, node: Node, weight: int) -> str:
        check, then, other = self.expr(node[1], 1), self.expr(node[2], 1), self.expr(node[3], 1)
        text = f"{check} ? {then} : {other}"
        return f"({text})" if weight else text

    # Statements.

    def _open(self, out: list[str], pad: str, head: str) -> None:
        """Write the head of a block."""
        if self.allman:
            out.append(pad + head)
            out.append(pad + "{")
        else:
            out.append(f"{pad}{head} {{")

    def _close(self, out: list[str], pad: str) -> None:
        """Write the end of a block."""
        out.append(pad + "}")

    def body(self, nodes: Sequence[Node], out: list[str], pad: str) -> None:
        """Write statements.

        Args:
            nodes: the statements.
            out: lines, added to.
            pad: indent.
        """
        for node in nodes:
            getattr(self, _METHODS[node[0]])(node, out, pad)

    def _block(self, nodes: Sequence[Node], out: list[str], pad: str, head: str) -> None:
        """Write a head and the statements under it."""
        self._open(out, pad, head)
        self.body(nodes, out, pad + self.indent)
        self._close(out, pad)

    def _st_set(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}{self._place(node[1])} = {self._owned(node[2])}{self.ending}")

    def _st_aug(self, node: Node, out: list[str], pad: str) -> None:
        if node[1] == "/":
            self._st_set(["set", node[2], ["/", node[2], node[3]]], out, pad)
            return
        place = self._place(node[2])
        out.append(f"{pad}{place} {node[1]}= {self.expr(node[3])}{self.ending}")

    def _place(self, node: Node) -> str:
        """Return what is assigned to."""
        return self.expr(node)

    def _owned(self, node: Node) -> str:
        """Return a value that is kept."""
        return self.expr(node)

    def _st_ret(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}return {self._owned(node[1])}{self.ending}")

    def _st_do(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}{self.expr(node[1])}{self.ending}")

    def _st_break(self, _: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}break{self.ending}")

    def _st_note(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}{self.remark}{node[1]}")

    def _head(self, word: str, check: Node) -> str:
        """Return the head of an if or while."""
        return f"{word} ({self.expr(check)})"

    def _st_if(self, node: Node, out: list[str], pad: str) -> None:
        self._open(out, pad, self._head("if", node[1]))
        self.body(node[2], out, pad + self.indent)
        other = node[3]
        while len(other) == 1 and other[0][0] == "if":
            self._between(out, pad, self._head("else if", other[0][1]))
            self.body(other[0][2], out, pad + self.indent)
            other = other[0][3]
        if other:
            self._between(out, pad, "else")
            self.body(other, out, pad + self.indent)
        self._close(out, pad)

    def _between(self, out: list[str], pad: str, head: str) -> None:
        """Write the end of one branch and the head of the next."""
        if self.allman:
            self._close(out, pad)
            self._open(out, pad, head)
        else:
            out.append(f"{pad}}} {head} {{")

    def _st_while(self, node: Node, out: list[str], pad: str) -> None:
        self._block(node[2], out, pad, self._head("while", node[1]))

    def _counted(self, node: Node, kind: str) -> str:
        """Return the three parts of a counting loop.

        Args:
            node: the loop.
            kind: what declares its variable.
        """
        name, step = node[1], node[4]
        ahead = type(step) is not int or step > 0
        if step in {1, -1}:
            last = name + ("++" if ahead else "--")
        else:
            last = f"{name} += {self.expr(step)}" if ahead else f"{name} -= {-step}"
        low, high = self.expr(node[2]), self.expr(node[3], 5)
        return f"{kind}{name} = {low}; {name} {'<' if ahead else '>'} {high}; {last}"

    # Programs.

    def remember(self, unit: dict[str, Any]) -> None:
        """Note what calls must know of the functions.

        Args:
            unit: the program.
        """
        for function in unit["functions"]:
            self.signatures[function[1]] = function[2]
        for made in unit["classes"]:
            for method in made[3]:
                self.signatures[method[1]] = method[2]

    def _notes(self, lines: Sequence[str], out: list[str], pad: str) -> None:
        """Write a comment of one or more lines above something."""
        out.extend(f"{pad}{self.remark}{line}" for line in lines)

    def heading(self, lines: Sequence[str]) -> list[str]:
        """Return the comment that opens a file."""
        out: list[str] = []
        self._notes(lines, out, "")
        return out

    def function(self, node: Node, out: list[str], pad: str = "") -> None:
        """Write a function.

        Args:
            node: ["fn", name, params, result, body, doc].
            out: lines, added to.
            pad: indent.
        """
        raise NotImplementedError

    def made(self, node: Node, out: list[str]) -> None:
        """Write a class: ["class", name, fields, methods, doc]."""
        raise NotImplementedError

    def whole(self, unit: dict[str, Any], lines: Sequence[str]) -> list[str]:
        """Return a file: heading, classes, functions, main part.

        Args:
            unit: the program.
            lines: of the comment that opens it.
        """
        raise NotImplementedError


def mass_of(nodes: Sequence[Node]) -> int:
    """Return the number of statements, those inside of others included.

    Args:
        nodes: statements.
    """
    mass = len(nodes)
    for node in nodes:
        kind = node[0]
        if kind == "if":
            mass += mass_of(node[2]) + mass_of(node[3])
        elif kind in _HOLDING:
            mass += mass_of(node[-1])
    return mass


def changed(nodes: Sequence[Node], found: dict[str, None] | None = None) -> dict[str, None]:
    """Return the names that statements assign to after they are declared.

    Args:
        nodes: the statements.
        found: names found so far, added to.
    """
    found = {} if found is None else found
    for node in nodes:
        kind = node[0]
        if kind == "if":
            changed(node[2], found)
            changed(node[3], found)
        elif kind in {"while", "for", "each", "chars"}:
            changed(node[-1], found)
        else:
            target = node[_TARGETS[kind]] if kind in _TARGETS else ""
            while type(target) is list and target[0] == "at":
                target = target[1]
            if type(target) is str:
                found[target] = None
    return found


_HOLDING = frozenset({"while", "for", "each", "chars"})
_TARGETS = {"set": 1, "aug": 2, "push": 1, "pop": 2, "put": 1}
_METHODS = {
    kind: "_st_" + ("note" if kind == "#" else kind)
    for kind in (
        *("let", "set", "aug", "if", "while", "for", "each", "chars", "ret"),
        *("push", "pop", "put", "print", "fail", "do", "break", "#"),
    )
}
