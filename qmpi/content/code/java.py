"""Java."""

from collections.abc import Sequence
from typing import Any, ClassVar

from qmpi.content.code.dialect import Dialect
from qmpi.content.code.template import Node
from qmpi.content.counter import Draw


class Java(Dialect):
    """Java: static methods in one class, or an object of a nested class."""

    name: ClassVar[str] = "java"
    types: ClassVar[dict[str, str]] = {
        "int": "int",
        "bool": "boolean",
        "str": "String",
        "ints": "List<Integer>",
        "strs": "List<String>",
        "map": "Map<String, Integer>",
        "void": "void",
    }

    def __init__(self, draw: Draw) -> None:
        """Choose a layout.

        Args:
            draw: chance.
        """
        super().__init__(draw)
        style = draw.word()
        self.allman = style & 7 == 0
        self._access = ("static ", "private static ", "public static ")[(style >> 3) % 3]
        self.owner = "this." if style >> 8 & 1 else ""
        self.shell = "Main"

    def expr(self, node: Node, weight: int = 0) -> str:
        """Return an expression as text."""
        # Items of lists are objects: == would compare references.
        if type(node) is list and node[0] in {"==", "!="} and _boxed(node[1]) and _boxed(node[2]):
            turned = "!" if node[0] == "!=" else ""
            return f"{turned}{self.expr(node[1], 9)}.equals({self.expr(node[2])})"
        return super().expr(node, weight)

    def _op_at(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1], 9)}.get({self.expr(node[2])})"

    def _op_len(self, node: Node, _: int) -> str:
        return self.expr(node[1], 9) + ".size()"

    def _op_size(self, node: Node, _: int) -> str:
        return self.expr(node[1], 9) + ".length()"

    def _op_min(self, node: Node, _: int) -> str:
        return f"Math.{node[0]}({self.expr(node[1])}, {self.expr(node[2])})"

    _op_max = _op_min

    def _op_abs(self, node: Node, _: int) -> str:
        return f"Math.abs({self.expr(node[1])})"

    def _op_list(self, node: Node, _: int) -> str:
        return f"List.of({', '.join([self.expr(part) for part in node[2:]])})"

    def _op_copy(self, node: Node, _: int) -> str:
        return f"new ArrayList<>({self.expr(node[1])})"

    def _op_map(self, _: Node, __: int) -> str:
        return "new HashMap<>()"

    def _op_get(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1])}.getOrDefault({self.expr(node[2])}, {self.expr(node[3])})"

    def _op_has(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1])}.containsKey({self.expr(node[2])})"

    def _op_new(self, node: Node, _: int) -> str:
        return f"new {node[1]}()"

    def _op_cat(self, node: Node, weight: int) -> str:
        text = f"{self.expr(node[1], 5)} + {self.expr(node[2], 6)}"
        return f"({text})" if weight > 5 else text

    def _op_str(self, node: Node, _: int) -> str:
        return f"String.valueOf({self.expr(node[1])})"

    def _op_char(self, node: Node, _: int) -> str:
        return f"String.valueOf({self.expr(node[1], 9)}.charAt({self.expr(node[2])}))"

    def _op_code(self, node: Node, weight: int) -> str:
        text = f"{self.expr(node[1], 9)}.charAt(0) - 97"
        return f"({text})" if weight > 4 else text

    def _op_upper(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1], 9)}.toUpperCase()"

    def _op_lower(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1], 9)}.toLowerCase()"

    def _op_same(self, node: Node, weight: int) -> str:
        del weight
        return f"{self.expr(node[1], 9)}.equals({self.expr(node[2])})"

    def _owned(self, node: Node) -> str:
        if type(node) is list and node[0] == "list":
            return f"new ArrayList<>({self.expr(node)})" if node[2:] else "new ArrayList<>()"
        return self.expr(node)

    def _st_let(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}{self.types.get(node[2], node[2])} {node[1]} = {self._owned(node[3])};")

    def _st_set(self, node: Node, out: list[str], pad: str) -> None:
        target = node[1]
        if type(target) is list and target[0] == "at":
            held, place = self.expr(target[1]), self.expr(target[2])
            out.append(f"{pad}{held}.set({place}, {self.expr(node[2])});")
        else:
            super()._st_set(node, out, pad)

    def _st_aug(self, node: Node, out: list[str], pad: str) -> None:
        target = node[2]
        if type(target) is list and target[0] == "at":
            self._st_set(["set", target, [node[1], target, node[3]]], out, pad)
        else:
            super()._st_aug(node, out, pad)

    def _st_for(self, node: Node, out: list[str], pad: str) -> None:
        self._block(node[5], out, pad, f"for ({self._counted(node, 'int ')})")

    def _st_each(self, node: Node, out: list[str], pad: str) -> None:
        kind = "String" if node[2] == "strs" else "int"
        self._block(node[4], out, pad, f"for ({kind} {node[1]} : {self.expr(node[3])})")

    def _st_chars(self, node: Node, out: list[str], pad: str) -> None:
        self._block(node[3], out, pad, f'for (String {node[1]} : {self.expr(node[2])}.split(""))')

    def _st_push(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}{self.expr(node[1])}.add({self.expr(node[2])});")

    def _st_pop(self, node: Node, out: list[str], pad: str) -> None:
        held = self.expr(node[2])
        out.append(f"{pad}int {node[1]} = {held}.remove({held}.size() - 1);")

    def _st_put(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}{self.expr(node[1])}.put({self.expr(node[2])}, {self.expr(node[3])});")

    def _st_fail(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}throw new IllegalArgumentException({self.expr(node[1])});")

    def _st_print(self, node: Node, out: list[str], pad: str) -> None:
        joined = " + ".join([self.expr(value, 6) for _, value in node[1:]])
        out.append(f"{pad}System.out.println({joined});")

    def function(self, node: Node, out: list[str], pad: str = "") -> None:
        """Write a method; a static one unless `pad` says that it lies in a nested class."""
        if not pad:
            pad = self.indent
        if node[5]:
            if len(node[5]) == 1:
                out.append(f"{pad}/** {node[5][0]} */")
            else:
                out.append(f"{pad}/**")
                out.extend(f"{pad} * {line}" for line in node[5])
                out.append(f"{pad} */")
        params = ", ".join([f"{self.types[kind]} {name}" for name, kind in node[2]])
        access = self._access if len(pad) == len(self.indent) else ""
        self._block(node[4], out, pad, f"{access}{self.types[node[3]]} {node[1]}({params})")

    def made(self, node: Node, out: list[str]) -> None:
        """Write a class, nested in that of the file."""
        pad = self.indent
        inside = pad + pad
        if node[4]:
            out.append(f"{pad}/** {node[4][0]} */")
        self._open(out, pad, f"static class {node[1]}")
        for name, kind, first in node[2]:
            out.append(f"{inside}{self.types[kind]} {name} = {self._owned(first)};")
        for method in node[3]:
            out.append("")
            self.function(method, out, inside)
        out.append(pad + "}")

    def whole(self, unit: dict[str, Any], lines: Sequence[str]) -> list[str]:
        """Return a file: imports, one class with all in it."""
        out = self.heading(lines)
        inner: list[str] = []
        for made in unit["classes"]:
            self.made(made, inner)
            inner.append("")
        for function in unit["functions"]:
            self.function(function, inner)
            inner.append("")
        if unit["main"]:
            head = "public static void main(String[] args)"
            self._block(unit["main"], inner, self.indent, head)
        else:
            inner.pop()
        if any("List" in line or "Map" in line for line in inner):
            out += ["import java.util.*;", ""]
        self._open(out, "", f"public class {unit.get('shell', self.shell)}")
        out += inner
        out.append("}")
        return out


def _boxed(node: Node) -> bool:
    return type(node) is list and node[0] in {"at", "get"}
