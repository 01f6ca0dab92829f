"""C."""

from collections.abc import Sequence
from typing import Any, ClassVar

from qmpi.content.code.dialect import Dialect, changed
from qmpi.content.code.template import Node
from qmpi.content.counter import Draw


class C(Dialect):
    """C: lists are arrays of fixed room with a length beside them."""

    name: ClassVar[str] = "c"
    camel: ClassVar[bool] = False
    lacks: ClassVar[frozenset[str]] = frozenset(
        {"map", "join", "text", "strs", "give ints", "give str", "give strs", "fail"}
    )
    truths: ClassVar[tuple[str, str]] = ("0", "1")

    def __init__(self, draw: Draw) -> None:
        """Choose a layout.

        Args:
            draw: chance.
        """
        super().__init__(draw)
        style = draw.word()
        self.allman = style & 3 == 0
        number = ("int", "long", "int")[(style >> 2) % 3]
        self._long = number
        self.types = {  # type: ignore[misc]
            "int": number,
            "bool": "int",
            "str": "const char *",
            "void": "void",
        }
        self._form = "%ld" if number == "long" else "%d"
        self._room = (64, 80, 128)[(style >> 6) % 3]
        self._static = "static " if style >> 9 & 1 else ""
        self._old = bool(style >> 10 & 1)
        self._length = ("_n", "_len", "_count")[(style >> 11) % 3]
        self.remark_ends = " */" if self._old else ""
        self._class = ""
        self.objects: dict[str, str] = {}

    def _note(self, line: str) -> str:
        return f"/* {line} */" if self._old else "// " + line

    def _notes(self, lines: Sequence[str], out: list[str], pad: str) -> None:
        out.extend(pad + self._note(line) for line in lines)

    def _st_note(self, node: Node, out: list[str], pad: str) -> None:
        out.append(pad + self._note(node[1]))

    def _op_f(self, node: Node, _: int) -> str:
        return "self->" + node[1]

    def _op_list(self, node: Node, _: int) -> str:
        items = ", ".join([self.expr(part) for part in node[2:]])
        return f"({self._long}[]){{{items}}}"

    def _op_len(self, node: Node, _: int) -> str:
        held = node[1]
        if type(held) is list and held[0] == "list":
            return str(len(held) - 2)
        return self.expr(node[1]) + self._length

    def _op_min(self, node: Node, weight: int) -> str:
        op = "<" if node[0] == "min" else ">"
        first, second = node[1], node[2]
        return self._op_either(["either", [op, first, second], first, second], weight)

    _op_max = _op_min

    def _op_abs(self, node: Node, _: int) -> str:
        return f"{'l' if self._long == 'long' else ''}abs({self.expr(node[1])})"

    def _args(self, nodes: Sequence[Node], called: str) -> str:
        made: list[str] = []
        for node, (_, kind) in zip(nodes, self.signatures[called], strict=True):
            made.append(self.expr(node))
            if kind == "ints":
                made.append(self._op_len(["len", node], 0))
        return ", ".join(made)

    def _op_m(self, node: Node, _: int) -> str:
        target = "self" if node[1] == "self" else "&" + node[1]
        owner = self._class if node[1] == "self" else self.objects[node[1]]
        rest = self._args(node[3:], node[2])
        return f"{owner.lower()}_{node[2]}({target}{', ' + rest if rest else ''})"

    def _st_let(self, node: Node, out: list[str], pad: str) -> None:
        name, kind, value = node[1], node[2], node[3]
        if kind == "ints":
            self._array(name, value, out, pad)
        elif type(value) is list and value[0] == "new":
            self.objects[name] = value[1]
            out.append(f"{pad}{value[1]} {name} = {value[1].lower()}_new();")
        else:
            space = "" if kind == "str" else " "
            out.append(f"{pad}{self.types[kind]}{space}{name} = {self.expr(value)};")

    def _array(self, name: str, value: Node, out: list[str], pad: str) -> None:
        number, length = self._long, name + self._length
        if value[0] == "copy":
            source = self.expr(value[1])
            out.append(f"{pad}{number} {name}[{self._room}];")
            out.append(f"{pad}{number} {length} = {source}{self._length};")
            out.append(f"{pad}memcpy({name}, {source}, sizeof({number}) * {length});")
            return
        items = ", ".join([self.expr(part) for part in value[2:]]) or "0"
        room = self._room if name in self.mutated else ""
        out.append(f"{pad}{number} {name}[{room}] = {{{items}}};")
        out.append(f"{pad}{number} {length} = {len(value) - 2};")

    def _st_for(self, node: Node, out: list[str], pad: str) -> None:
        self._block(node[5], out, pad, f"for ({self._counted(node, self._long + ' ')})")

    def _st_each(self, node: Node, out: list[str], pad: str) -> None:
        held, place = self.expr(node[3]), "at_" + node[1]
        number = self._long
        head = f"for ({number} {place} = 0; {place} < {held}{self._length}; {place}++)"
        self._open(out, pad, head)
        out.append(f"{pad}{self.indent}{number} {node[1]} = {held}[{place}];")
        self.body(node[4], out, pad + self.indent)
        self._close(out, pad)

    def _st_push(self, node: Node, out: list[str], pad: str) -> None:
        held = self.expr(node[1])
        out.append(f"{pad}{held}[{held}{self._length}++] = {self.expr(node[2])};")

    def _st_pop(self, node: Node, out: list[str], pad: str) -> None:
        held = self.expr(node[2])
        out.append(f"{pad}{self._long} {node[1]} = {held}[--{held}{self._length}];")

    def _st_print(self, node: Node, out: list[str], pad: str) -> None:
        forms = {"lit": "", "int": self._form, "bool": "%d", "str": "%s"}
        form = "".join([value[1] if kind == "lit" else forms[kind] for kind, value in node[1:]])
        values = "".join([", " + self.expr(value) for kind, value in node[1:] if kind != "lit"])
        out.append(f'{pad}printf("{form}\\n"{values});')

    def _params(self, node: Node) -> list[str]:
        made: list[str] = []
        for name, kind in node[2]:
            if kind == "ints":
                made.append(f"const {self._long} *{name}, {self._long} {name}{self._length}")
            else:
                made.append(f"{self.types[kind]}{'' if kind == 'str' else ' '}{name}")
        return made

    def function(self, node: Node, out: list[str], pad: str = "") -> None:
        """Write a function; `pad` holds the name of the class of a method."""
        doc = node[5]
        if len(doc) == 1:
            self._notes(doc, out, "")
        elif doc:
            out.append("/*")
            out.extend(f" * {line}".rstrip() for line in doc)
            out.append(" */")
        params = self._params(node)
        name = node[1]
        if pad:
            params.insert(0, f"{pad} *self")
            name = f"{pad.lower()}_{name}"
        self._class = pad
        self.mutated = frozenset(changed(node[4]))
        head = f"{self._static}{self.types[node[3]]} {name}({', '.join(params) or 'void'})"
        self._block(node[4], out, "", head)

    def made(self, node: Node, out: list[str]) -> None:
        """Write a struct, its maker and its functions."""
        pad, name, number = self.indent, node[1], self._long
        self._notes(node[4][:1], out, "")
        out.append("typedef struct {")
        given: list[str] = []
        for field, kind, first in node[2]:
            if kind == "ints":
                items = [self.expr(part) for part in first[2:]]
                out.append(f"{pad}{number} {field}[{self._room}];")
                out.append(f"{pad}{number} {field}{self._length};")
                given.append(f".{field} = {{{', '.join(items) or '0'}}}")
                given.append(f".{field}{self._length} = {len(items)}")
            else:
                out.append(f"{pad}{self.types[kind]} {field};")
                given.append(f".{field} = {self.expr(first)}")
        out += [f"}} {name};", "", f"{self._static}{name} {name.lower()}_new(void) {{"]
        out += [f"{pad}{name} made = {{{', '.join(given)}}};", f"{pad}return made;", "}"]
        for method in node[3]:
            out.append("")
            self.function(method, out, name)

    def whole(self, unit: dict[str, Any], lines: Sequence[str]) -> list[str]:
        """Return a file: heading, includes, structs, functions, main."""
        inner: list[str] = []
        for made in unit["classes"]:
            self.made(made, inner)
            inner.append("")
        for function in unit["functions"]:
            self.function(function, inner)
            inner.append("")
        if unit["main"]:
            self.mutated = frozenset(changed(unit["main"]))
            self._open(inner, "", "int main(void)")
            self.body(unit["main"], inner, self.indent)
            inner += [f"{self.indent}return 0;", "}"]
        else:
            inner.pop()
        out = self.heading(lines)
        for word, header in (("printf", "stdio"), ("abs(", "stdlib"), ("memcpy", "string")):
            if any(word in line for line in inner):
                out.append(f"#include <{header}.h>")
        return [*out, "", *inner]
