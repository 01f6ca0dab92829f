"""Program shapes, written as Python with holes and compiled once into builders of programs.

Theory of operation. A shape is a function or class in a small subset of Python. Names in it are
roles; calls in capitals are holes: `K(2, 9)` a constant, `E(x, y)` an integer expression over these
that is never negative, `S(x)` one that may be, `C(x)` a condition, `W()` a text, `FILL(acc, x)`
further statements; `if EITHER:` takes one of its branches and leaves no trace. Reading a shape as
Python keeps it short and lets a test run it. At import each node becomes a closure from a Grower to
a piece of program, so that growing a program costs one call a node.

The program is made of plain lists, which JSON holds as they are. An expression is a number, a truth
value, a variable's name (a str) or [operator, operands...]; a text is ["s", text]. A statement is
[kind, parts...]: let set aug if while for each chars ret push pop put print fail do break note.
"""

import ast
from collections.abc import Callable
from typing import Any

Node = Any
"""A number, a truth value, a name, or a list that starts with its kind."""
Growing = Any
"""A Grower; its module imports this one."""
Builder = Callable[[Growing], Node]
"""From a Grower to an expression."""
Statements = Callable[[Growing], list[Node]]
"""From a Grower to statements."""

TYPES = ("int", "bool", "str", "ints", "strs", "map", "void")
_BINARY = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.FloorDiv: "/",
    ast.Mod: "%",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
}
_COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_PLAIN_CALLS = {
    "len": "len",
    "min": "min",
    "max": "max",
    "abs": "abs",
    "get": "get",
    "has": "has",
    "copy": "copy",
    "cat": "cat",
    "text": "str",
    "same": "same",
    "size": "size",
    "char": "char",
    "code": "code",
    "upper": "upper",
    "lower": "lower",
    "either": "either",
}
"""Calls in a shape, and the operator each becomes."""
_RESULTS = {
    "len": "int",
    "min": "int",
    "max": "int",
    "abs": "int",
    "get": "int",
    "size": "int",
    "code": "int",
    "has": "bool",
    "same": "bool",
    "C": "bool",
    "W": "str",
    "cat": "str",
    "text": "str",
    "char": "str",
    "upper": "str",
    "lower": "str",
    "copy": "ints",
}


class ShapeReader:
    """Turns one function of Python into closures.

    Attributes:
        types: type of each role that is declared so far.
        found: roles in order of declaration.
        uses: features that a language must have.
    """

    def __init__(self, types: dict[str, str]) -> None:
        """Start with what is declared outside.

        Args:
            types: of parameters, and of fields as "self.name".
        """
        self.types = types
        self.found: list[str] = []
        self.uses: set[str] = set()

    def _type_of(self, node: ast.expr) -> str:
        """Return the type of an expression as far as shapes need it."""
        if isinstance(node, ast.Constant):
            return {bool: "bool", str: "str"}.get(type(node.value), "int")
        if isinstance(node, ast.Name):
            return self.types.get(node.id, "int")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return _RESULTS.get(node.func.id, self.types.get(node.func.id + "()", "int"))
        if isinstance(node, ast.Subscript):
            return "str" if self._type_of(node.value) == "strs" else "int"
        if isinstance(node, ast.Attribute):
            return self.types.get("self." + node.attr, "int")
        if isinstance(node, ast.Compare | ast.BoolOp):
            return "bool"
        return "int"

    def expr(self, node: ast.expr) -> Builder:
        """Return the builder of an expression."""
        return _EXPRESSIONS[type(node)](self, node)

    def _constant(self, node: ast.Constant) -> Builder:
        value = node.value
        if isinstance(value, str):
            return lambda _: ["s", value]
        return lambda _: value

    def _name(self, node: ast.Name) -> Builder:
        role = node.id
        return lambda g: g.names[role]

    def _binary(self, node: ast.BinOp) -> Builder:
        op, left, right = _BINARY[type(node.op)], self.expr(node.left), self.expr(node.right)
        if op in {"+", "*"}:
            # Sums and products read either way round; half of them are turned.
            return lambda g: g.either_way(op, left(g), right(g))
        return lambda g: [op, left(g), right(g)]

    def _unary(self, node: ast.UnaryOp) -> Builder:
        inner = self.expr(node.operand)
        if isinstance(node.op, ast.Not):
            return lambda g: ["not", inner(g)]
        if isinstance(node.operand, ast.Constant) and isinstance(node.operand.value, int):
            value = -node.operand.value
            return lambda _: value
        return lambda g: ["neg", inner(g)]

    def _compare(self, node: ast.Compare) -> Builder:
        op = _COMPARE[type(node.ops[0])]
        left, right = self.expr(node.left), self.expr(node.comparators[0])
        return lambda g: g.compared(op, left(g), right(g))

    def _logic(self, node: ast.BoolOp) -> Builder:
        op = "and" if isinstance(node.op, ast.And) else "or"
        parts = [self.expr(value) for value in node.values]

        def build(g: Growing) -> Node:
            built = parts[0](g)
            for part in parts[1:]:
                built = [op, built, part(g)]
            return built

        return build

    def _index(self, node: ast.Subscript) -> Builder:
        inner, place = self.expr(node.value), self.expr(node.slice)
        return lambda g: ["at", inner(g), place(g)]

    def _attribute(self, node: ast.Attribute) -> Builder:
        role = node.attr
        return lambda g: ["f", g.fields[role]]

    def _items(self, node: ast.List) -> Builder:
        parts = [self.expr(item) for item in node.elts]
        return lambda g: ["list", "ints", *[part(g) for part in parts]]

    def _table(self, _: ast.Dict) -> Builder:
        self.uses.add("map")
        return lambda _: ["map"]

    def _call(self, node: ast.Call) -> Builder:
        if isinstance(node.func, ast.Attribute):
            role, args = node.func.attr, [self.expr(arg) for arg in node.args]
            return lambda g: ["m", "self", g.fields[role], *[arg(g) for arg in args]]
        called = ast.unparse(node.func)
        if called in _HOLES:
            return _HOLES[called](self, node)
        parts = [self.expr(arg) for arg in node.args]
        op = _PLAIN_CALLS.get(called)
        self.uses |= _NEEDS.get(called, frozenset())
        if op is not None:
            return lambda g: [op, *[part(g) for part in parts]]
        return lambda g: ["call", g.names[called], *[part(g) for part in parts]]

    def block(self, nodes: list[ast.stmt]) -> Statements:
        """Return the builder of statements."""
        parts = [_STATEMENTS[type(node)](self, node) for node in nodes]

        def build(g: Growing) -> list[Node]:
            built: list[Node] = []
            for part in parts:
                built += part(g)
            return built

        return build

    def _declare(self, role: str, kind: str) -> None:
        self.types[role] = kind
        if role not in self.found:
            self.found.append(role)
        if kind in {"map", "strs"}:
            self.uses.add(kind)

    def _annotated(self, node: ast.AnnAssign) -> Statements:
        role, kind = ast.unparse(node.target), ast.unparse(node.annotation)
        self._declare(role, kind)
        self.uses.add("build")
        value: Builder = self.expr(node.value) if node.value is not None else (lambda _: 0)
        return lambda g: [["let", g.names[role], kind, value(g)]]

    def _assign(self, node: ast.Assign) -> Statements:
        target, value = node.targets[0], self.expr(node.value)
        if isinstance(target, ast.Name) and target.id not in self.types:
            role, kind = target.id, self._type_of(node.value)
            self._declare(role, kind)
            return lambda g: [["let", g.names[role], kind, value(g)]]
        place = self.expr(target)
        return lambda g: [["set", place(g), value(g)]]

    def _augment(self, node: ast.AugAssign) -> Statements:
        op, place, value = _BINARY[type(node.op)], self.expr(node.target), self.expr(node.value)
        return lambda g: [g.augmented(op, place(g), value(g))]

    def _branch(self, node: ast.If) -> Statements:
        test = node.test
        if isinstance(test, ast.Name) and test.id == "EITHER":
            # Both sides see the same types: what one declares the other may declare too.
            known = dict(self.types)
            first = self.block(node.body)
            after, self.types = self.types, known
            second = self.block(node.orelse)
            self.types = {**after, **self.types}
            return lambda g: first(g) if g.draw.word() & 1 else second(g)
        check, then, other = self.expr(test), self.block(node.body), self.block(node.orelse)
        return lambda g: [["if", check(g), then(g), other(g)]]

    def _loop(self, node: ast.While) -> Statements:
        check, body = self.expr(node.test), self.block(node.body)
        return lambda g: [["while", check(g), body(g)]]

    def _each(self, node: ast.For) -> Statements:
        role = ast.unparse(node.target)
        over = node.iter
        if isinstance(over, ast.Call) and isinstance(over.func, ast.Name):
            if over.func.id == "range":
                return self._count(role, over, node.body)
            self.uses.add("text")
            inner = self.expr(over.args[0])
            self._declare(role, "str")
            body = self.block(node.body)
            return lambda g: [["chars", g.names[role], inner(g), body(g)]]
        inner, listed = self.expr(over), self._type_of(over)
        self._declare(role, "str" if listed == "strs" else "int")
        body = self.block(node.body)
        return lambda g: [["each", g.names[role], listed, inner(g), body(g)]]

    def _count(self, role: str, over: ast.Call, nodes: list[ast.stmt]) -> Statements:
        bounds = [self.expr(arg) for arg in over.args]
        low = bounds[0] if len(bounds) > 1 else (lambda _: 0)
        high = bounds[1] if len(bounds) > 1 else bounds[0]
        step = bounds[2] if len(bounds) > 2 else (lambda _: 1)
        self._declare(role, "int")
        body = self.block(nodes)
        return lambda g: [["for", g.names[role], low(g), high(g), step(g), body(g)]]

    def _result(self, node: ast.Return) -> Statements:
        value = self.expr(node.value) if node.value is not None else (lambda _: 0)
        return lambda g: [["ret", value(g)]]

    def _act(self, node: ast.Expr) -> Statements:
        called = node.value
        if not isinstance(called, ast.Call):
            return lambda _: []
        word = called.func.id if isinstance(called.func, ast.Name) else ""
        if word == "FILL":
            roles = [ast.unparse(arg) for arg in called.args]
            return lambda g: g.fill([g.names[role] for role in roles])
        parts = [self.expr(arg) for arg in called.args]
        if word == "fail":
            self.uses.add("fail")
            return lambda g: [["fail", g.complaint()]]
        if word == "pop":
            role = ast.unparse(called.args[0])
            self._declare(role, "int")
            return lambda g: [["pop", g.names[role], parts[1](g)]]
        if word in {"push", "put"}:
            self.uses |= {"build"} if word == "push" else {"map"}
            return lambda g: [[word, *[part(g) for part in parts]]]
        inner = self.expr(called)
        return lambda g: [["do", inner(g)]]

    def _leave(self, _: ast.stmt) -> Statements:
        return lambda _: [["break"]]

    def _nothing(self, _: ast.stmt) -> Statements:
        return lambda _: []

    EXPRESSIONS = (
        (ast.Constant, _constant),
        (ast.Name, _name),
        (ast.BinOp, _binary),
        (ast.UnaryOp, _unary),
        (ast.Compare, _compare),
        (ast.BoolOp, _logic),
        (ast.Subscript, _index),
        (ast.Attribute, _attribute),
        (ast.List, _items),
        (ast.Dict, _table),
        (ast.Call, _call),
    )
    STATEMENTS = (
        (ast.AnnAssign, _annotated),
        (ast.Assign, _assign),
        (ast.AugAssign, _augment),
        (ast.If, _branch),
        (ast.While, _loop),
        (ast.For, _each),
        (ast.Return, _result),
        (ast.Expr, _act),
        (ast.Break, _leave),
        (ast.Pass, _nothing),
    )


def _constant_hole(_: ShapeReader, node: ast.Call) -> Builder:
    low, high = (int(ast.literal_eval(arg)) for arg in node.args)
    return lambda g: g.draw.between(low, high)


def _over(grow: str) -> Callable[[ShapeReader, ast.Call], Builder]:
    def hole(reader: ShapeReader, node: ast.Call) -> Builder:
        roles = [reader.expr(arg) for arg in node.args]
        return lambda g: getattr(g, grow)([role(g) for role in roles])

    return hole


_HOLES: dict[str, Callable[[ShapeReader, ast.Call], Builder]] = {
    "K": _constant_hole,
    "E": _over("natural"),
    "S": _over("signed"),
    "C": _over("condition"),
    "W": _over("phrase"),
}
_TEXT = frozenset({"text"})
_NEEDS = {
    "get": frozenset({"map"}),
    "has": frozenset({"map"}),
    "cat": frozenset({"join"}),
    "text": frozenset({"join"}),
    "same": _TEXT,
    "size": _TEXT,
    "char": _TEXT,
    "code": _TEXT,
    "upper": _TEXT,
    "lower": _TEXT,
    "copy": frozenset({"build"}),
    "either": frozenset({"either"}),
}
"""Features that a call needs of a language."""
_EXPRESSIONS: dict[type, Callable[..., Builder]] = dict(ShapeReader.EXPRESSIONS)
_STATEMENTS: dict[type, Callable[..., Statements]] = dict(ShapeReader.STATEMENTS)
