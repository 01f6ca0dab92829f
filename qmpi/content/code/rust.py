"""Rust."""

from collections.abc import Sequence
from typing import Any, ClassVar

from qmpi.content.code.dialect import Dialect, changed
from qmpi.content.code.template import Node
from qmpi.content.counter import Draw


class Rust(Dialect):
    """Rust: borrowed parameters, owned variables."""

    name: ClassVar[str] = "rust"
    camel: ClassVar[bool] = False
    lacks: ClassVar[frozenset[str]] = frozenset({"give strs"})
    types: ClassVar[dict[str, str]] = {
        "int": "i64",
        "bool": "bool",
        "str": "String",
        "ints": "Vec<i64>",
        "strs": "Vec<String>",
        "map": "HashMap<String, i64>",
        "void": "",
    }
    borrowed: ClassVar[dict[str, str]] = {
        "str": "&str",
        "ints": "&[i64]",
        "strs": "&[&str]",
        "map": "&HashMap<String, i64>",
    }

    def __init__(self, draw: Draw) -> None:
        """Choose a layout.

        Args:
            draw: chance.
        """
        super().__init__(draw)
        style = draw.word()
        self.indent = "    "
        self._public = "pub " if style & 1 else ""
        self._tail = bool(style & 2)
        self._end = ""

    def _args(self, nodes: Sequence[Node], called: str) -> str:
        made: list[str] = []
        for node, (_, kind) in zip(nodes, self.signatures[called], strict=True):
            text = self.expr(node)
            if kind in self.borrowed and not (type(node) is list and node[0] == "s"):
                text = "&" + text.removeprefix("vec!")
            made.append(text)
        return ", ".join(made)

    def _op_at(self, node: Node, _: int) -> str:
        place = node[2]
        if type(place) is int:
            return f"{self.expr(node[1], 9)}[{place}]"
        return f"{self.expr(node[1], 9)}[{self._place_in(place)}]"

    def _place_in(self, place: Node) -> str:
        return f"{self.expr(place, 9)} as usize"

    def _op_len(self, node: Node, weight: int) -> str:
        text = f"{self.expr(node[1], 9)}.len() as i64"
        return f"({text})" if weight else text

    _op_size = _op_len

    def _op_min(self, node: Node, _: int) -> str:
        # A literal has no type yet, so the method would not be found on it.
        first, second = node[1], node[2]
        if type(first) is int:
            first, second = second, first
        return f"{self.expr(first, 9)}.{node[0]}({self.expr(second)})"

    _op_max = _op_min

    def _op_abs(self, node: Node, _: int) -> str:
        return f"({self.expr(node[1])}).abs()"

    def _op_list(self, node: Node, _: int) -> str:
        return f"vec![{', '.join([self.expr(part) for part in node[2:]])}]"

    def _op_copy(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1])}.to_vec()"

    def _op_map(self, _: Node, __: int) -> str:
        return "HashMap::new()"

    def _key(self, node: Node) -> str:
        if type(node) is list and node[0] == "s":
            return self.expr(node)
        return f"&*{self.expr(node, 9)}"

    def _op_get(self, node: Node, _: int) -> str:
        fallback = self.expr(node[3], 9)
        return f"*{self.expr(node[1])}.get({self._key(node[2])}).unwrap_or(&{fallback})"

    def _op_has(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1])}.contains_key({self._key(node[2])})"

    def _op_new(self, node: Node, _: int) -> str:
        return f"{node[1]}::new()"

    def _op_cat(self, node: Node, _: int) -> str:
        parts = [node[1], node[2]]
        while type(parts[0]) is list and parts[0][0] == "cat":
            parts[:1] = parts[0][1:]
        inner = ", ".join([self.expr(part) for part in parts])
        return f'format!("{"{}" * len(parts)}", {inner})'

    def _op_str(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1], 9)}.to_string()"

    def _op_char(self, node: Node, _: int) -> str:
        place = node[2]
        where = str(place) if type(place) is int else self._place_in(place)
        return f"{self.expr(node[1], 9)}.chars().nth({where}).unwrap().to_string()"

    def _op_code(self, node: Node, weight: int) -> str:
        text = f"{self.expr(node[1], 9)}.as_bytes()[0] as i64 - 97"
        return f"({text})" if weight else text

    def _op_upper(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1], 9)}.to_uppercase()"

    def _op_lower(self, node: Node, _: int) -> str:
        return f"{self.expr(node[1], 9)}.to_lowercase()"

    def _op_either(self, node: Node, weight: int) -> str:
        check, then, other = self.expr(node[1]), self.expr(node[2]), self.expr(node[3])
        text = f"if {check} {{ {then} }} else {{ {other} }}"
        return f"({text})" if weight else text

    def _owned(self, node: Node) -> str:
        if type(node) is list and node[0] == "s":
            return f"String::from({self.expr(node)})"
        if type(node) is str and self.result == "str":
            return f"{node}.to_string()"
        return self.expr(node)

    def _st_let(self, node: Node, out: list[str], pad: str) -> None:
        word = "let mut" if node[1] in self.mutated else "let"
        hint = ": i64" if node[2] == "int" and type(node[3]) is int else ""
        if node[2] == "ints" and type(node[3]) is list and node[3][0] == "list":
            hint = ": Vec<i64>"
        elif node[2] == "map":
            hint = ": HashMap<String, i64>"
        value = self._owned(node[3]) if node[2] == "str" else self.expr(node[3])
        if node[2] == "str" and type(node[3]) is str:
            value = node[3] + ".to_string()"
        out.append(f"{pad}{word} {node[1]}{hint} = {value};")

    def _st_set(self, node: Node, out: list[str], pad: str) -> None:
        value = node[2]
        text = self.expr(value)
        if type(value) is list and value[0] == "s":
            text = f"String::from({text})"
        out.append(f"{pad}{self.expr(node[1])} = {text};")

    def _st_ret(self, node: Node, out: list[str], pad: str) -> None:
        # The last expression of a function needs no `return`; nobody writes one there.
        if self._tail and pad == self._end:
            out.append(f"{pad}{self._owned(node[1])}")
        else:
            out.append(f"{pad}return {self._owned(node[1])};")

    def _head(self, word: str, check: Node) -> str:
        return f"{word} {self.expr(check)}"

    def _st_for(self, node: Node, out: list[str], pad: str) -> None:
        low, high, step = self.expr(node[2], 1), self.expr(node[3], 1), node[4]
        if step == 1:
            span = f"{low}..{high}"
        elif type(step) is int and step < 0:
            span = f"({self.expr(node[3], 5)} + 1..={self.expr(node[2], 5)}).rev()"
            span += f".step_by({-step})" if step != -1 else ""
        else:
            by = str(step) if type(step) is int else self._place_in(step)
            span = f"({low}..{high}).step_by({by})"
        self._block(node[5], out, pad, f"for {node[1]} in {span}")

    def _st_each(self, node: Node, out: list[str], pad: str) -> None:
        self._block(node[4], out, pad, f"for &{node[1]} in {self.expr(node[3])}.iter()")

    def _st_chars(self, node: Node, out: list[str], pad: str) -> None:
        over = f"{self.expr(node[2])}.chars().map(|c| c.to_string())"
        self._block(node[3], out, pad, f"for {node[1]} in {over}")

    def _st_push(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}{self.expr(node[1])}.push({self.expr(node[2])});")

    def _st_pop(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}let {node[1]} = {self.expr(node[2])}.pop().unwrap();")

    def _st_put(self, node: Node, out: list[str], pad: str) -> None:
        key, value = self.expr(node[2]), self.expr(node[3])
        # The value may read the map, which must not be borrowed twice.
        if type(node[3]) is list:
            out.append(f"{pad}let entry = {value};")
            value = "entry"
        out.append(f"{pad}{self.expr(node[1])}.insert({key}.to_string(), {value});")

    def _st_fail(self, node: Node, out: list[str], pad: str) -> None:
        out.append(f"{pad}panic!({self.expr(node[1])});")

    def _st_print(self, node: Node, out: list[str], pad: str) -> None:
        form = "".join(
            [
                value[1] if kind == "lit" else ("{:?}" if kind == "ints" else "{}")
                for kind, value in node[1:]
            ]
        )
        values = "".join([", " + self.expr(value) for kind, value in node[1:] if kind != "lit"])
        out.append(f'{pad}println!("{form}"{values});')

    def function(self, node: Node, out: list[str], pad: str = "") -> None:
        """Write a function or, indented, a method."""
        out.extend(f"{pad}/// {line}" if line else f"{pad}///" for line in node[5])
        self.mutated = frozenset(changed(node[4]))
        params = [
            f"{'mut ' if name in self.mutated else ''}{name}: "
            + (self.borrowed.get(kind) or self.types[kind])
            for name, kind in node[2]
        ]
        if pad:
            params.insert(0, "&mut self")
        arrow = f" -> {self.types[node[3]]}" if node[3] != "void" else ""
        self.result = node[3]
        self._end = pad + self.indent
        head = f"{(pad and 'pub ') or self._public}fn {node[1]}({', '.join(params)}){arrow}"
        self._block(node[4], out, pad, head)
        self.result, self._end = "int", "-"

    def made(self, node: Node, out: list[str]) -> None:
        """Write a struct and its methods."""
        pad = self.indent
        out.extend(f"/// {line}" for line in node[4][:1])
        out.append(f"{self._public}struct {node[1]} {{")
        out.extend(f"{pad}{name}: {self.types[kind]}," for name, kind, _ in node[2])
        out += ["}", "", f"impl {node[1]} {{", f"{pad}{self._public}fn new() -> Self {{"]
        given = ", ".join([f"{name}: {self._first(kind, first)}" for name, kind, first in node[2]])
        out += [f"{pad}{pad}{node[1]} {{ {given} }}", pad + "}"]
        for method in node[3]:
            out.append("")
            self.function(method, out, pad)
        out.append("}")

    def _first(self, kind: str, first: Node) -> str:
        return self._owned(first) if kind == "str" else self.expr(first)

    def whole(self, unit: dict[str, Any], lines: Sequence[str]) -> list[str]:
        """Return a file: heading, imports, structs, functions, main."""
        out = self.heading(lines)
        inner: list[str] = []
        for made in unit["classes"]:
            self.made(made, inner)
            inner.append("")
        for function in unit["functions"]:
            self.function(function, inner)
            inner.append("")
        if unit["main"]:
            self.mutated = frozenset(changed(unit["main"])) | frozenset(unit.get("objects", ()))
            self._block(unit["main"], inner, "", "fn main()")
        else:
            inner.pop()
        if any("HashMap" in line for line in inner):
            out += ["use std::collections::HashMap;", ""]
        return out + inner
