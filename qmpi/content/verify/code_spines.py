"""The rows of tokens of each language, where it says things in its own way."""

from typing import Any

from qmpi.content.verify.code_spine import Node, Spine


class PythonSpine(Spine):
    """Python."""

    def x_either(self, node: Node) -> None:
        """Write `then if check else other`."""
        self.all([node[2], node[1], node[3]])

    def x_has(self, node: Node) -> None:
        """Write `key in map`."""
        self.all([node[2], node[1]])

    def x_code(self, node: Node) -> None:
        """Write the number of a letter."""
        self.expr(node[1])
        self.tokens += [97, "-"]

    def s_aug(self, node: Node) -> None:
        """Write an assignment with an operator."""
        self.all(node[2:4])
        self.tokens.append(node[1] + "=")

    def s_for(self, node: Node) -> None:
        """Write a loop over a range."""
        _, name, low, high, step, body = node
        self.name(name)
        if low != 0 or step != 1:
            self.expr(low)
        self.expr(high)
        if step != 1:
            self.expr(step)
        self.body(body)

    def case(self, call: Node, outcome: Node, *, failed: bool) -> None:
        """Write an assertion."""
        self.expr(call)
        if isinstance(outcome, bool):
            self.tokens += [] if outcome else ["not"]
        elif not failed:
            self.expr(outcome)
            self.tokens.append("==")


class JavaSpine(Spine):
    """Java."""

    def joined(self, node: Node) -> None:
        """Write an operator; items of lists are compared by equals."""
        if node[0] == "!=" and _boxed(node[1]) and _boxed(node[2]):
            super().joined(["==", *node[1:]])
            self.tokens.append("not")
        else:
            super().joined(node)

    def s_aug(self, node: Node) -> None:
        """Write an assignment with an operator; items are set as a whole."""
        if isinstance(node[2], list) and node[2][0] == "at":
            self.s_set(["set", node[2], [node[1], node[2], node[3]]])
        else:
            super().s_aug(node)

    def s_pop(self, node: Node) -> None:
        """Write the removal of the last item."""
        self.all([node[1], node[2]])
        self.joined(["-", node[2], 1])

    def s_print(self, node: Node) -> None:
        """Write pieces joined by plus signs."""
        for place, (_, value) in enumerate(node[1:]):
            self.expr(value)
            if place:
                self.tokens.append("+")

    def case(self, call: Node, outcome: Node, *, failed: bool) -> None:
        """Write an assertion, the value first."""
        if failed or isinstance(outcome, bool):
            self.expr(call)
        else:
            self.all([outcome, call])


def _boxed(node: Node) -> bool:
    return isinstance(node, list) and node[0] in ("at", "get")


class RustSpine(Spine):
    """Rust; inside of macros, which grammars leave flat, operators stand between operands."""

    _flat = False

    def joined(self, node: Node) -> None:
        """Write an operator with two operands."""
        if self._flat:
            self.expr(node[1])
            self.tokens.append(node[0])
            self.expr(node[2])
        else:
            super().joined(node)

    def s_print(self, node: Node) -> None:
        """Write arguments of println."""
        self._flat = True
        super().s_print(node)
        self._flat = False

    def x_min(self, node: Node) -> None:
        """Write a minimum as a method of the first that is no literal."""
        first, second = node[1:3]
        if isinstance(first, int):
            first, second = second, first
        self.expr(first)
        self.tokens.append(node[0])
        self.expr(second)

    x_max = x_min

    def x_cat(self, node: Node) -> None:
        """Write arguments of format."""
        before, self._flat = self._flat, True
        self.all(node[1:])
        self._flat = before

    def s_put(self, node: Node) -> None:
        """Write an insertion; a value that may read the map comes first."""
        if isinstance(node[3], list):
            self.all([node[3], node[1], node[2]])
        else:
            self.all(node[1:4])

    def s_for(self, node: Node) -> None:
        """Write a loop over a range."""
        _, name, low, high, step, body = node
        self.name(name)
        if isinstance(step, int) and step < 0:
            self.joined(["+", high, 1])
            self.expr(low)
            self.all([] if step == -1 else [-step])
        else:
            self.all([low, high] if step == 1 else [low, high, step])
        self.body(body)

    def made(self, node: Node) -> None:
        """Write a struct, its maker and its methods."""
        for name, _, _ in node[2]:
            self.name(name)
        super().made(node)


class GoSpine(Spine):
    """Go."""

    def x_abs(self, node: Node) -> None:
        """Write the larger of a number and its opposite."""
        inner = node[1]
        turned = ["neg", inner]
        if isinstance(inner, list) and inner[0] == "-":
            turned = ["-", inner[2], inner[1]]
        self.x_min(["max", inner, turned])

    def x_get(self, node: Node) -> None:
        """Write an item of a map; what is missing is zero."""
        self.all(node[1:3])

    def x_has(self, node: Node) -> None:
        """Write that an item is not zero."""
        self.all(node[1:3])
        self.tokens += [0, "!="]

    def s_push(self, node: Node) -> None:
        """Write an append."""
        self.all([node[1], node[1], node[2]])

    def s_pop(self, node: Node) -> None:
        """Write the last item, and the list without it."""
        self.all([node[1], node[2]])
        self.joined(["-", node[2], 1])
        self.all([node[2], node[2]])
        self.joined(["-", node[2], 1])

    def made(self, node: Node) -> None:
        """Write a struct, its maker and its methods."""
        for name, _, _ in node[2]:
            self.name(name)
        super().made(node)

    def case(self, call: Node, outcome: Node, *, failed: bool) -> None:
        """Write a comparison with what was got."""
        if failed:
            return
        self.all([call, outcome])
        if not isinstance(outcome, list) or outcome[0] == "s":
            self.tokens += ["!=", "got"]
        else:
            self.tokens += ["not", "got"]


class CSpine(Spine):
    """C; the length of a list counts as another mention of it."""

    def expr(self, node: Node) -> None:
        """Write an expression; truth values are numbers."""
        if isinstance(node, bool):
            self.tokens.append(int(node))
        else:
            super().expr(node)

    def x_min(self, node: Node) -> None:
        """Write a choice."""
        op = "<" if node[0] == "min" else ">"
        self.joined([op, *node[1:3]])
        self.all(node[1:3])

    x_max = x_min

    def x_call(self, node: Node) -> None:
        """Write a call; a list is followed by its length."""
        self.name(node[1])
        for part, kind in zip(node[2:], self._kinds[node[1]], strict=True):
            self.expr(part)
            if kind == "ints":
                self.tokens += [len(part) - 2] if isinstance(part, list) else []
                self.all([part] if isinstance(part, str) else [])

    def x_m(self, node: Node) -> None:
        """Write a call of a function whose first argument is the object."""
        self.name(node[2])
        self.all([*([] if node[1] == "self" else [node[1]]), *node[3:]])

    def s_let(self, node: Node) -> None:
        """Write a declaration; a list has its length beside it."""
        _, name, kind, value = node
        if kind != "ints":
            self.name(name)
            self.expr(value)
        elif value[0] == "copy":
            source = value[1]
            self.all([name, name, source, name, source, name])
            self.tokens.append("*")
        else:
            self.all([name, *(value[2:] or [0]), name, len(value) - 2])

    def s_push(self, node: Node) -> None:
        """Write an item at the length."""
        self.all([node[1], node[1], node[2]])

    def s_pop(self, node: Node) -> None:
        """Write the item before the length."""
        self.all([node[1], node[2], node[2]])

    def s_each(self, node: Node) -> None:
        """Write a loop over places."""
        _, name, _, held, body = node
        place = "at" + name
        self.all([place, 0])
        self.joined(["<", place, held])
        self.all([place, name, held, place])
        self.body(body)

    def param(self, name: str, kind: str) -> None:
        """Write a parameter, and the length of a list."""
        self.all([name, name] if kind == "ints" else [name])

    def made(self, node: Node) -> None:
        """Write a struct, its maker and its functions."""
        for name, kind, _ in node[2]:
            self.param(name, kind)
        for name, kind, first in node[2]:
            self.name(name)
            if kind == "ints":
                self.all([*(first[2:] or [0]), name, len(first) - 2])
            else:
                self.expr(first)
        for method in node[3]:
            self.function(method)

    def case(self, call: Node, outcome: Node, *, failed: bool) -> None:
        """Write an assertion."""
        del failed
        self.expr(call)
        if isinstance(outcome, bool):
            self.tokens += [] if outcome else ["not"]
        else:
            self.expr(outcome)
            self.tokens.append("==")


class BashSpine(CSpine):
    """Bash."""

    def x_abs(self, node: Node) -> None:
        """Write a choice between a number and its opposite."""
        inner = node[1]
        self.joined(["<", inner, 0])
        self.all([["neg", inner], inner])

    def x_call(self, node: Node) -> None:
        """Write a call; lists come last."""
        self.name(node[1])
        pairs = list(zip(node[2:], self._kinds[node[1]], strict=True))
        self.all([part for part, kind in pairs if kind != "ints"])
        self.all([part for part, kind in pairs if kind == "ints"])

    s_let = Spine.s_let
    s_each = Spine.s_each

    def s_push(self, node: Node) -> None:
        """Write a list made longer."""
        self.all(node[1:3])
        self.tokens.append("+=")

    def s_pop(self, node: Node) -> None:
        """Write the last item."""
        self.all([node[1], node[2], -1])

    def s_aug(self, node: Node) -> None:
        """Write an assignment with an operator."""
        self.all(node[2:4])
        self.tokens.append(node[1] + "=")

    def function(self, node: Node) -> None:
        """Write a function; parameters are taken by their places."""
        self.name(node[1])
        numbers = [name for name, kind in node[2] if kind != "ints"]
        listed = [name for name, kind in node[2] if kind == "ints"]
        for place, name in enumerate(numbers, 1):
            self.all([name, place])
        if listed:
            self.all([len(numbers), *listed] if numbers else listed)
        self.body(node[4])


_SPINES: dict[str, type[Spine]] = {
    "python": PythonSpine,
    "java": JavaSpine,
    "rust": RustSpine,
    "go": GoSpine,
    "c": CSpine,
    "bash": BashSpine,
}


def spine_of(language: str, unit: Any) -> Spine:
    """Return an empty row for a language.

    Args:
        language: of the listing.
        unit: the program.
    """
    return _SPINES.get(language, Spine)(unit)
