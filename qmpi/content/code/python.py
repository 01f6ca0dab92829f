"""Python."""

from collections.abc import Sequence
from typing import Any, ClassVar

from qmpi.content.code.dialect import Dialect
from qmpi.content.code.template import Node
from qmpi.content.counter import Draw

_HINTED = frozenset({"ints", "strs", "map"})
"""Types of variables that are worth a hint."""


class Python(Dialect):
    """Python, with or without type hints, with either quote."""

    name: ClassVar[str] = "python"
    camel: ClassVar[bool] = False
    remark: ClassVar[str] = "# "
    spelled: ClassVar[dict[str, str]] = {}
    ending: ClassVar[str] = ""
    truths: ClassVar[tuple[str, str]] = ("False", "True")
    types: ClassVar[dict[str, str]] = {
        "int": "int",
        "bool": "bool",
        "str": "str",
        "ints": "list[int]",
        "strs": "list[str]",
        "map": "dict[str, int]",
        "void": "None",
    }

    def __init__(self, draw: Draw) -> None:
        """Choose a layout.

        Args:
            draw: chance.
        """
        super().__init__(draw)
        style = draw.word()
        self.quote = "'" if style & 1 else '"'
        self.hints = bool(style & 2)
        self.joined = bool(style & 4)
        self.guarded = style >> 3 & 3

    def _divided(self, node: Node, weight: int) -> str:
        text = f"{self.expr(node[1], 6)} // {self.expr(node[2], 7)}"
        return f"({text})" if weight > 6 else text

    def _st_aug(self, node: Node, out: list[str], pad: str) -> None:
        op = "//" if node[1] == "/" else node[1]
        out.append(f"{pad}{self.expr(node[2])} {op}= {self.expr(node[3])}")

    def _op_not(self, node: Node, weight: int) -> str:
        text = "not " + self.expr(node[1], 3)
        return f"({text})" if weight > 2 else text

    def _op_either(self, node: Node, weight: int) -> str:
        check, then, other = self.expr(node[1], 1), self.expr(node[2], 1), self.expr(node[3], 1)
        text = f"{then} if {check} else {other}"
        return f"({text})" if weight else text

    def _op_len(self, node: Node, _: int) -> str:
        return f"len({self.expr(node[1])})"

    _op_size = _op_len

    def _op_min(self, node: Node, _: int) -> str:
        return f"{node[0]}({self.expr(node[1])}, {self.expr(node[2])})"

    _op_max = _op_min

    def _op_abs(self, node: Node, _: int) -> str:
        return f"abs({self.expr(node[1])})"

    def _op_list(self, node: Node, _: int) -> str:
        return f"[{', '.join([self.expr(part) for part in node[2:]])}]"

    def _op_copy(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1])}[:]" if self.joined else f"list({self.expr(node[1])})"

    def _op_map(self, _: Node, __: int) -> str:
        return "{}"

    def _op_get(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1])}.get({self.expr(node[2])}, {self.expr(node[3])})"

    def _op_has(self, node: Node, weight: int) -> str:
        text = f"{self.expr(node[2], 5)} in {self.expr(node[1], 5)}"
        return f"({text})" if weight > 3 else text

    def _op_new(self, node: Node, _: int) -> str:
        return f"{node[1]}()"

    def _op_cat(self, node: Node, weight: int) -> str:
        text = f"{self.expr(node[1], 5)} + {self.expr(node[2], 6)}"
        return f"({text})" if weight > 5 else text

    def _op_str(self, node: Node, _: int) -> str:
        return f"str({self.expr(node[1])})"

    def _op_char(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1], 9)}[{self.expr(node[2])}]"

    def _op_code(self, node: Node, weight: int) -> str:
        text = f"ord({self.expr(node[1])}) - 97"
        return f"({text})" if weight > 4 else text

    def _op_upper(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1], 9)}.{node[0]}()"

    _op_lower = _op_upper

    def _st_let(self, node: Node, out: list[str], pad: str) -> None:
        hint = f": {self.types[node[2]]}" if self.hints and node[2] in _HINTED else ""
        out.append(f"{pad}{node[1]}{hint} = {self.expr(node[3])}")

    def _open(self, out: list[str], pad: str, head: str) -> None:
        out.append(f"{pad}{head}:")

    def _close(self, out: list[str], pad: str) -> None:
        """Blocks end where their indent does."""

    def _between(self, out: list[str], pad: str, head: str) -> None:
        out.append(f"{pad}{head.replace('else if', 'elif', 1)}:")

    def _head(self, word: str, check: Node) -> str:
        return f"{word} {self.expr(check)}"

    def _st_for(self, node: Node, out: list[str], pad: str) -> None:
        low, high, step = node[2], self.expr(node[3]), node[4]
        if step != 1:
            span = f"{self.expr(low)}, {high}, {self.expr(step)}"
        else:
            span = high if low == 0 else f"{self.expr(low)}, {high}"
        self._block(node[5], out, pad, f"for {node[1]} in range({span})")

    def _st_each(self, node: Node, out: list[str], pad: str) -> None:
        self._block(node[4], out, pad, f"for {node[1]} in {self.expr(node[3])}")

    def _st_chars(self, node: Node, out: list[str], pad: str) -> None:
        self._block(node[3], out, pad, f"for {node[1]} in {self.expr(node[2])}")

    def _st_push(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}{self.expr(node[1])}.append({self.expr(node[2])})")

    def _st_pop(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}{node[1]} = {self.expr(node[2])}.pop()")

    def _st_put(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}{self.expr(node[1])}[{self.expr(node[2])}] = {self.expr(node[3])}")

    def _st_fail(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}raise ValueError({self.expr(node[1])})")

    def _st_print(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}print({self._pieces(node[1:])})")

    def _pieces(self, parts: Sequence[Node]) -> str:
        """Return the arguments of print for literal and computed pieces."""
        if len(parts) == 1:
            return self.expr(parts[0][1])
        if len(parts) == 2 and not self.joined and parts[0][1][1].endswith(" "):
            return f"{self._text(parts[0][1][1][:-1])}, {self.expr(parts[1][1])}"
        made: list[str] = []
        for kind, value in parts:
            if kind == "lit":
                made.append(value[1])
            else:
                # Before 3.12 an f-string may not hold its own quote: the other one inside.
                inner = self.expr(value)
                made.append("{" + inner.replace(self.quote, "\"'"[self.quote == '"']) + "}")
        return f"f{self.quote}{''.join(made)}{self.quote}"

    def _param(self, param: Sequence[str]) -> str:
        """Return a parameter, with its type where this document has hints."""
        return f"{param[0]}: {self.types[param[1]]}" if self.hints else param[0]

    def function(self, node: Node, out: list[str], pad: str = "") -> None:
        """Write a function or, indented, a method."""
        params = [self._param(param) for param in node[2]]
        if pad:
            params.insert(0, "self")
        arrow = f" -> {self.types[node[3]]}" if self.hints else ""
        out.append(f"{pad}def {node[1]}({', '.join(params)}){arrow}:")
        inside = pad + self.indent
        doc = node[5]
        if len(doc) == 1:
            out.append(f'{inside}"""{doc[0]}"""')
        elif doc:
            out.append(f'{inside}"""{doc[0]}')
            out.append("")
            rest = doc[2:] if not doc[1] else doc[1:]
            out.extend(inside + line if line else "" for line in rest)
            out.append(f'{inside}"""')
        self.body(node[4], out, inside)

    def made(self, node: Node, out: list[str]) -> None:
        """Write a class."""
        pad = self.indent
        out.append(f"class {node[1]}:")
        if node[4]:
            out.append(f'{pad}"""{node[4][0]}"""')
            out.append("")
        out.append(f"{pad}def __init__(self){' -> None' if self.hints else ''}:")
        for name, kind, first in node[2]:
            hint = f": {self.types[kind]}" if self.hints and kind in {"ints", "map"} else ""
            out.append(f"{pad}{pad}self.{name}{hint} = {self.expr(first)}")
        for method in node[3]:
            out.append("")
            self.function(method, out, pad)

    def heading(self, lines: Sequence[str]) -> list[str]:
        """Return the docstring of a module."""
        if len(lines) == 1:
            return [f'"""{lines[0]}"""', ""]
        return ['"""' + lines[0], "", *lines[1:], '"""', ""] if lines else []

    def whole(self, unit: dict[str, Any], lines: Sequence[str]) -> list[str]:
        """Return a module: docstring, classes, functions, main part."""
        out = self.heading(lines)
        for made in unit["classes"]:
            self.made(made, out)
            out.append("")
        for function in unit["functions"]:
            self.function(function, out)
            out.append("")
        main = unit["main"]
        if not main:
            out.pop()
        elif self.guarded == 0:
            out.append('if __name__ == "__main__":')
            self.body(main, out, self.indent)
        else:
            self.body(main, out, "")
        return out
