"""JavaScript and TypeScript."""

from collections.abc import Sequence
from typing import Any, ClassVar

from qmpi.content.code.dialect import Dialect, changed
from qmpi.content.code.template import Node
from qmpi.content.counter import Draw


class JavaScript(Dialect):
    """JavaScript, with or without semicolons, with either quote."""

    name: ClassVar[str] = "javascript"
    spelled: ClassVar[dict[str, str]] = {"and": "&&", "or": "||", "==": "===", "!=": "!=="}
    typed: ClassVar[bool] = False

    def __init__(self, draw: Draw) -> None:
        """Choose a layout.

        Args:
            draw: chance.
        """
        super().__init__(draw)
        style = draw.word()
        self.quote = "'" if style & 1 else '"'
        self._end = ";" if style & 6 else ""
        self.allman = style >> 3 & 7 == 0
        self._arrow = style >> 6 & 3 == 0
        self._export = "export " if style >> 8 & 3 == 0 else ""
        self.owner = "this."

    @property
    def ending(self) -> str:  # type: ignore[override]
        """What ends a simple statement."""
        return self._end

    def _type(self, kind: str) -> str:
        return f": {self.types[kind]}" if self.typed else ""

    def _divided(self, node: Node, weight: int) -> str:
        del weight
        return f"Math.floor({self.expr(node[1], 6)} / {self.expr(node[2], 7)})"

    def _op_len(self, node: Node, _: int) -> str:
        return self.expr(node[1], 9) + ".length"

    _op_size = _op_len

    def _op_min(self, node: Node, _: int) -> str:
        return f"Math.{node[0]}({self.expr(node[1])}, {self.expr(node[2])})"

    _op_max = _op_min

    def _op_abs(self, node: Node, _: int) -> str:
        return f"Math.abs({self.expr(node[1])})"

    def _op_list(self, node: Node, _: int) -> str:
        return f"[{', '.join([self.expr(part) for part in node[2:]])}]"

    def _op_copy(self, node: Node, _: int) -> str:
        return f"[...{self.expr(node[1])}]"

    def _op_map(self, _: Node, __: int) -> str:
        return "new Map<string, number>()" if self.typed else "new Map()"

    def _op_get(self, node: Node, _: int) -> str:
        return f"({self.expr(node[1])}.get({self.expr(node[2])}) ?? {self.expr(node[3], 7)})"

    def _op_has(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1])}.has({self.expr(node[2])})"

    def _op_new(self, node: Node, _: int) -> str:
        return f"new {node[1]}()"

    def _op_cat(self, node: Node, weight: int) -> str:
        text = f"{self.expr(node[1], 5)} + {self.expr(node[2], 6)}"
        return f"({text})" if weight > 5 else text

    def _op_str(self, node: Node, _: int) -> str:
        return f"String({self.expr(node[1])})"

    def _op_char(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1])}[{self.expr(node[2])}]"

    def _op_code(self, node: Node, weight: int) -> str:
        text = f"{self.expr(node[1])}.charCodeAt(0) - 97"
        return f"({text})" if weight > 4 else text

    def _op_upper(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1])}.toUpperCase()"

    def _op_lower(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1])}.toLowerCase()"

    def _st_let(self, node: Node, out: list[str], pad: str) -> None:
        word = "let" if node[1] in self.mutated else "const"
        hint = self._type(node[2]) if node[2] in {"ints", "strs"} else ""
        out.append(f"{pad}{word} {node[1]}{hint} = {self.expr(node[3])}{self._end}")

    def _st_for(self, node: Node, out: list[str], pad: str) -> None:
        self._block(node[5], out, pad, f"for ({self._counted(node, 'let ')})")

    def _st_each(self, node: Node, out: list[str], pad: str) -> None:
        self._block(node[4], out, pad, f"for (const {node[1]} of {self.expr(node[3])})")

    def _st_chars(self, node: Node, out: list[str], pad: str) -> None:
        self._block(node[3], out, pad, f"for (const {node[1]} of {self.expr(node[2])})")

    def _st_push(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}{self.expr(node[1])}.push({self.expr(node[2])}){self._end}")

    def _st_pop(self, node: Node, out: list[str], pad: str) -> None:
        mark = "!" if self.typed else ""
        out.append(f"{pad}const {node[1]} = {self.expr(node[2])}.pop(){mark}{self._end}")

    def _st_put(self, node: Node, out: list[str], pad: str) -> None:
        value = self.expr(node[3])
        out.append(f"{pad}{self.expr(node[1])}.set({self.expr(node[2])}, {value}){self._end}")

    def _st_fail(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}throw new Error({self.expr(node[1])}){self._end}")

    def _st_print(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}console.log({self._pieces(node[1:])}){self._end}")

    def _pieces(self, parts: Sequence[Node]) -> str:
        if len(parts) == 1 and parts[0][0] == "lit":
            return self.expr(parts[0][1])
        made: list[str] = []
        for kind, value in parts:
            if kind == "lit":
                made.append(value[1])
            elif kind == "ints":
                made.append(f'[${{{self.expr(value)}.join(", ")}}]')
            else:
                made.append(f"${{{self.expr(value)}}}")
        return f"`{''.join(made)}`"

    def _params(self, node: Node) -> str:
        return ", ".join([name + self._type(kind) for name, kind in node[2]])

    def function(self, node: Node, out: list[str], pad: str = "") -> None:
        """Write a function or, indented, a method."""
        self._comment(node[5], out, pad)
        self.mutated = frozenset(changed(node[4]))
        given = self._type(node[3])
        if pad:
            head = f"{node[1]}({self._params(node)}){given}"
        elif self._arrow:
            head = f"{self._export}const {node[1]} = ({self._params(node)}){given} =>"
        else:
            head = f"{self._export}function {node[1]}({self._params(node)}){given}"
        if self._arrow and not pad:
            # A line break between arrow and brace is fine, but nobody writes one.
            out.append(f"{pad}{head} {{")
            self.body(node[4], out, pad + self.indent)
            out.append(f"{pad}}}{self._end}")
        else:
            self._block(node[4], out, pad, head)

    def _comment(self, doc: Sequence[str], out: list[str], pad: str) -> None:
        if len(doc) == 1:
            out.append(f"{pad}/** {doc[0]} */")
        elif doc:
            out.append(f"{pad}/**")
            out.extend(f"{pad} * {line}" for line in doc)
            out.append(f"{pad} */")

    def made(self, node: Node, out: list[str]) -> None:
        """Write a class."""
        pad = self.indent
        self._comment(node[4], out, "")
        self._open(out, "", f"{self._export}class {node[1]}")
        for name, kind, first in node[2]:
            hint = self._type(kind) if kind in {"ints", "map"} else ""
            out.append(f"{pad}{name}{hint} = {self.expr(first)};")
        for method in node[3]:
            out.append("")
            self.function(method, out, pad)
        out.append("}")

    def whole(self, unit: dict[str, Any], lines: Sequence[str]) -> list[str]:
        """Return a file: heading, classes, functions, main part."""
        out = self.heading(lines)
        for made in unit["classes"]:
            self.made(made, out)
            out.append("")
        for function in unit["functions"]:
            self.function(function, out)
            out.append("")
        if not unit["main"]:
            out.pop()
        self.mutated = frozenset(changed(unit["main"]))
        self.body(unit["main"], out, "")
        return out


class TypeScript(JavaScript):
    """TypeScript."""

    name: ClassVar[str] = "typescript"
    typed: ClassVar[bool] = True
    types: ClassVar[dict[str, str]] = {
        "int": "number",
        "bool": "boolean",
        "str": "string",
        "ints": "number[]",
        "strs": "string[]",
        "map": "Map<string, number>",
        "void": "void",
    }
