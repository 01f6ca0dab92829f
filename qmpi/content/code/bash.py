"""Bash: whole numbers, lists as last arguments, results by echo."""

from collections.abc import Sequence
from typing import Any, ClassVar

from qmpi.content.code.dialect import Dialect
from qmpi.content.code.template import Node
from qmpi.content.counter import Draw


class Bash(Dialect):
    """Bash."""

    name: ClassVar[str] = "bash"
    camel: ClassVar[bool] = False
    remark: ClassVar[str] = "# "
    ending: ClassVar[str] = ""
    truths: ClassVar[tuple[str, str]] = ("0", "1")
    lacks: ClassVar[frozenset[str]] = frozenset(
        {"map", "join", "text", "strs", "str", "give ints", "give str", "give strs", "fail"}
    )

    def __init__(self, draw: Draw) -> None:
        """Choose a layout.

        Args:
            draw: chance.
        """
        super().__init__(draw)
        self._keyword = "function " if draw.word() & 1 else ""
        self._local = ""
        self._top = ""

    def _op_at(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1])}[{self.expr(node[2])}]"

    def _op_len(self, node: Node, _: int) -> str:
        return f"${{#{self.expr(node[1])}[@]}}"

    def _op_min(self, node: Node, weight: int) -> str:
        op = "<" if node[0] == "min" else ">"
        return self._op_either(["either", [op, node[1], node[2]], node[1], node[2]], weight)

    _op_max = _op_min

    def _op_abs(self, node: Node, weight: int) -> str:
        inner = node[1]
        return self._op_either(["either", ["<", inner, 0], ["neg", inner], inner], weight)

    def _op_either(self, node: Node, weight: int) -> str:
        check, then, other = self.expr(node[1]), self.expr(node[2], 1), self.expr(node[3], 1)
        text = f"({check}) ? {then} : {other}"
        return f"({text})" if weight else text

    def _op_call(self, node: Node, _: int) -> str:
        return f"$({self._called(node)})"

    def _called(self, node: Node) -> str:
        pairs = list(zip(node[2:], self.signatures[node[1]], strict=True))
        words = [self._value(part) for part, (_, kind) in pairs if kind != "ints"]
        for part, (_, kind) in pairs:
            if kind == "ints":
                written = type(part) is list
                words += map(str, part[2:]) if written else [f'"${{{part}[@]}}"']
        return " ".join([node[1], *words])

    def _value(self, node: Node) -> str:
        if type(node) is int:
            return str(node)
        if type(node) is str:
            return "$" + node
        if type(node) is list and node[0] == "call":
            return self._op_call(node, 0)
        if type(node) is list and node[0] == "s":
            return self._text(node[1])
        return f"$(( {self.expr(node)} ))"

    def _st_let(self, node: Node, out: list[str], pad: str) -> None:
        value = node[3]
        if node[2] == "ints":
            items = (
                f'"${{{value[1]}[@]}}"'
                if value[0] == "copy"
                else " ".join([self._value(part) for part in value[2:]])
            )
            out.append(f"{pad}{self._local}{node[1]}=({items})")
        else:
            out.append(f"{pad}{self._local}{node[1]}={self._value(value)}")

    def _st_set(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}{self.expr(node[1])}={self._value(node[2])}")

    def _st_aug(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}(( {self.expr(node[2])} {node[1]}= {self.expr(node[3])} ))")

    def _st_ret(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}echo {self._value(node[1])}")
        if pad != self._top:
            out.append(f"{pad}return")

    def _open(self, out: list[str], pad: str, head: str) -> None:
        out.append(f"{pad}{head} {{")

    def _st_if(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}if (( {self.expr(node[1])} )); then")
        self.body(node[2], out, pad + self.indent)
        other = node[3]
        while len(other) == 1 and other[0][0] == "if":
            out.append(f"{pad}elif (( {self.expr(other[0][1])} )); then")
            self.body(other[0][2], out, pad + self.indent)
            other = other[0][3]
        if other:
            out.append(pad + "else")
            self.body(other, out, pad + self.indent)
        out.append(pad + "fi")

    def _repeat(self, nodes: Sequence[Node], out: list[str], pad: str, head: str) -> None:
        out.append(f"{pad}{head}; do")
        self.body(nodes, out, pad + self.indent)
        out.append(pad + "done")

    def _st_while(self, node: Node, out: list[str], pad: str) -> None:
        self._repeat(node[2], out, pad, f"while (( {self.expr(node[1])} ))")

    def _st_for(self, node: Node, out: list[str], pad: str) -> None:
        self._repeat(node[5], out, pad, f"for (( {self._counted(node, '')} ))")

    def _st_each(self, node: Node, out: list[str], pad: str) -> None:
        head = f'for {node[1]} in "${{{self.expr(node[3])}[@]}}"'
        self._repeat(node[4], out, pad, head)

    def _st_push(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}{self.expr(node[1])}+=({self._value(node[2])})")

    def _st_pop(self, node: Node, out: list[str], pad: str) -> None:
        held = self.expr(node[2])
        out.append(f"{pad}{self._local}{node[1]}=${{{held}[-1]}}")
        out.append(f'{pad}unset "{held}[-1]"')

    def _st_break(self, _: Node, out: list[str], pad: str) -> None:
        out.append(pad + "break")

    def _st_print(self, node: Node, out: list[str], pad: str) -> None:
        made = "".join(
            [value[1] if kind == "lit" else self._value(value) for kind, value in node[1:]]
        )
        out.append(f'{pad}echo "{made}"')

    def function(self, node: Node, out: list[str], pad: str = "") -> None:
        """Write a function."""
        self._notes(node[5], out, pad)
        out.append(f"{self._keyword}{node[1]}() {{")
        inside = self.indent
        numbers = [name for name, kind in node[2] if kind != "ints"]
        listed = [name for name, kind in node[2] if kind == "ints"]
        if numbers:
            given = " ".join([f"{name}=${place}" for place, name in enumerate(numbers, 1)])
            out.append(f"{inside}local {given}")
        if listed:
            if numbers:
                out.append(f"{inside}shift {len(numbers)}")
            out.append(f'{inside}local {listed[0]}=("$@")')
        self._local, self._top = "local ", inside
        self.body(node[4], out, inside)
        self._local = self._top = ""
        out.append("}")

    def whole(self, unit: dict[str, Any], lines: Sequence[str]) -> list[str]:
        """Return a script: heading, functions, main part."""
        out = ["#!/usr/bin/env bash", *self.heading(lines)]
        for function in unit["functions"]:
            self.function(function, out)
            out.append("")
        self.body(unit["main"], out, "")
        return out
