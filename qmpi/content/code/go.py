"""Go."""

from collections.abc import Sequence
from typing import Any, ClassVar

from qmpi.content.code.dialect import Dialect
from qmpi.content.code.template import Node
from qmpi.content.counter import Draw


class Go(Dialect):
    """Go."""

    name: ClassVar[str] = "go"
    ending: ClassVar[str] = ""
    lacks: ClassVar[frozenset[str]] = frozenset({"either"})
    lists: ClassVar[tuple[str, str, str]] = ("[", " ", "]")
    types: ClassVar[dict[str, str]] = {
        "int": "int",
        "bool": "bool",
        "str": "string",
        "ints": "[]int",
        "strs": "[]string",
        "map": "map[string]int",
        "void": "",
    }

    def __init__(self, draw: Draw) -> None:
        """Choose a layout.

        Args:
            draw: chance.
        """
        super().__init__(draw)
        self.indent = "\t"
        style = draw.word()
        self._receiver = ("it", "s", "me", "p")[style & 3]
        self.owner = self._receiver + "."
        self._formatted = bool(style & 4)

    def _op_len(self, node: Node, _: int) -> str:
        return f"len({self.expr(node[1])})"

    _op_size = _op_len

    def _op_min(self, node: Node, _: int) -> str:
        return f"{node[0]}({self.expr(node[1])}, {self.expr(node[2])})"

    _op_max = _op_min

    def _op_abs(self, node: Node, _: int) -> str:
        inner = node[1]
        if type(inner) is list and inner[0] == "-":
            turned = self.expr(["-", inner[2], inner[1]])
        else:
            turned = self.expr(["neg", inner])
        return f"max({self.expr(inner)}, {turned})"

    def _op_list(self, node: Node, _: int) -> str:
        return f"{self.types[node[1]]}{{{', '.join([self.expr(part) for part in node[2:]])}}}"

    def _op_copy(self, node: Node, _: int) -> str:
        return f"append([]int{{}}, {self.expr(node[1])}...)"

    def _op_map(self, _: Node, __: int) -> str:
        return "map[string]int{}"

    def _op_get(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1])}[{self.expr(node[2])}]"

    def _op_new(self, node: Node, _: int) -> str:
        return f"new{node[1]}()"

    def _op_cat(self, node: Node, weight: int) -> str:
        text = f"{self.expr(node[1], 5)} + {self.expr(node[2], 6)}"
        return f"({text})" if weight > 5 else text

    def _op_str(self, node: Node, _: int) -> str:
        return f"fmt.Sprint({self.expr(node[1])})"

    def _op_char(self, node: Node, _: int) -> str:
        return f"string({self.expr(node[1])}[{self.expr(node[2])}])"

    def _op_code(self, node: Node, weight: int) -> str:
        text = f"int({self.expr(node[1])}[0]) - 97"
        return f"({text})" if weight > 4 else text

    def _op_upper(self, node: Node, _: int) -> str:
        return f"strings.ToUpper({self.expr(node[1])})"

    def _op_lower(self, node: Node, _: int) -> str:
        return f"strings.ToLower({self.expr(node[1])})"

    def _st_let(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}{node[1]} := {self.expr(node[3])}")

    def _head(self, word: str, check: Node) -> str:
        return f"{'for' if word == 'while' else word} {self.expr(check)}"

    def _st_for(self, node: Node, out: list[str], pad: str) -> None:
        text = self._counted(node, "").replace(" = ", " := ", 1)
        self._block(node[5], out, pad, f"for {text}")

    def _st_each(self, node: Node, out: list[str], pad: str) -> None:
        self._block(node[4], out, pad, f"for _, {node[1]} := range {self.expr(node[3])}")

    def _st_chars(self, node: Node, out: list[str], pad: str) -> None:
        over = f'strings.Split({self.expr(node[2])}, "")'
        self._block(node[3], out, pad, f"for _, {node[1]} := range {over}")

    def _st_push(self, node: Node, out: list[str], pad: str) -> None:
        held = self.expr(node[1])
        out.append(f"{pad}{held} = append({held}, {self.expr(node[2])})")

    def _st_pop(self, node: Node, out: list[str], pad: str) -> None:
        held = self.expr(node[2])
        out.append(f"{pad}{node[1]} := {held}[len({held})-1]")
        out.append(f"{pad}{held} = {held}[:len({held})-1]")

    def _st_put(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}{self.expr(node[1])}[{self.expr(node[2])}] = {self.expr(node[3])}")

    def _st_fail(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}panic({self.expr(node[1])})")

    def _st_print(self, node: Node, out: list[str], pad: str) -> None:
        parts = node[1:]
        if len(parts) == 1:
            out.append(f"{pad}fmt.Println({self.expr(parts[0][1])})")
            return
        if len(parts) == 2 and not self._formatted and parts[0][1][1].endswith(" "):
            label = self._text(parts[0][1][1][:-1])
            out.append(f"{pad}fmt.Println({label}, {self.expr(parts[1][1])})")
            return
        form = "".join([value[1] if kind == "lit" else "%v" for kind, value in parts])
        values = "".join([", " + self.expr(value) for kind, value in parts if kind != "lit"])
        out.append(f'{pad}fmt.Printf("{form}\\n"{values})')

    def function(self, node: Node, out: list[str], pad: str = "") -> None:
        """Write a function; `pad` holds the receiver of a method."""
        doc = node[5]
        if doc:
            out.append(f"// {node[1]}: {doc[0]}")
            out.extend(f"// {line}".rstrip() for line in doc[1:])
        params = ", ".join([f"{name} {self.types[kind]}" for name, kind in node[2]])
        given = self.types[node[3]]
        head = f"func {pad}{node[1]}({params}){' ' + given if given else ''}"
        self._block(node[4], out, "", head)

    def made(self, node: Node, out: list[str]) -> None:
        """Write a struct, its maker and its methods."""
        out.extend(f"// {node[1]}: {line}" for line in node[4][:1])
        out.append(f"type {node[1]} struct {{")
        out.extend(f"\t{name} {self.types[kind]}" for name, kind, _ in node[2])
        given = ", ".join([f"{name}: {self.expr(first)}" for name, _, first in node[2]])
        out += [
            "}",
            "",
            f"func new{node[1]}() *{node[1]} {{",
            f"\treturn &{node[1]}{{{given}}}",
            "}",
        ]
        for method in node[3]:
            out.append("")
            self.function(method, out, f"({self._receiver} *{node[1]}) ")

    def whole(self, unit: dict[str, Any], lines: Sequence[str]) -> list[str]:
        """Return a file: heading, package, imports, types, functions, main."""
        inner: list[str] = []
        for made in unit["classes"]:
            self.made(made, inner)
            inner.append("")
        for function in unit["functions"]:
            self.function(function, inner)
            inner.append("")
        if unit["main"]:
            self._block(unit["main"], inner, "", "func main()")
        else:
            inner.pop()
        out = self.heading(lines)
        out.append("package " + ("main" if unit["main"] else unit.get("shell", "main").lower()))
        needed = [name for name in ("fmt", "strings") if any(name + "." in line for line in inner)]
        if needed:
            out += ["", *[f'import "{name}"' for name in needed]]
        return [*out, "", *inner]

    def _op_has(self, node: Node, weight: int) -> str:
        # Values put into maps are never zero where a shape asks for presence.
        text = f"{self.expr(node[1])}[{self.expr(node[2])}] != 0"
        return f"({text})" if weight > 3 else text
