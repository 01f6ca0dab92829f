"""Shapes of functions and classes: what a program is grown from."""

import ast

from msgspec import Struct

from qmpi.content.code.template import Builder, ShapeReader, Statements


class FunctionShape(Struct, frozen=True):
    """A function with holes.

    Attributes:
        role: its name in the shape.
        params: role and type of each parameter.
        result: type of its result.
        body: builder of its statements.
        locals: roles and types of its own variables, in order of appearance.
        uses: features that a language must have, as "map".
        docs: what it makes, in several words.
    """

    role: str
    params: tuple[tuple[str, str], ...]
    result: str
    body: Statements
    locals: tuple[tuple[str, str], ...]
    uses: frozenset[str]
    docs: tuple[str, ...]


class ClassShape(Struct, frozen=True):
    """A class with holes.

    Attributes:
        role: its name in the shape.
        fields: role, type and builder of the first value of each field.
        methods: shapes of its methods.
        uses: features that a language must have.
        docs: what it is, in several words.
    """

    role: str
    fields: tuple[tuple[str, str, Builder], ...]
    methods: tuple[FunctionShape, ...]
    uses: frozenset[str]
    docs: tuple[str, ...]


def _function(node: ast.FunctionDef, fields: dict[str, str]) -> FunctionShape:
    params = tuple(
        (arg.arg, ast.unparse(arg.annotation) if arg.annotation is not None else "int")
        for arg in node.args.args
        if arg.arg != "self"
    )
    reader = ShapeReader({**fields, **dict(params)})
    body = reader.block(node.body)
    result = ast.unparse(node.returns) if node.returns is not None else "int"
    result = {"None": "void"}.get(result, result)
    uses = reader.uses | {kind for _, kind in params if kind in {"map", "strs", "str"}}
    if result in {"ints", "str", "strs"}:
        uses.add("give " + result)
    own = tuple((role, reader.types[role]) for role in reader.found if role not in dict(params))
    return FunctionShape(node.name, params, result, body, own, frozenset(uses), _docs(node))


def _docs(node: ast.FunctionDef | ast.ClassDef) -> tuple[str, ...]:
    return tuple((ast.get_docstring(node) or "").split("; "))


def functions_of(source: str) -> list[FunctionShape]:
    """Return the shapes in a source text.

    Args:
        source: functions in the subset that the module describes.

    Returns:
        A shape for each, in order.
    """
    tree = ast.parse(source)
    return [_function(node, {}) for node in tree.body if isinstance(node, ast.FunctionDef)]


def classes_of(source: str) -> list[ClassShape]:
    """Return the class shapes in a source text.

    Args:
        source: classes whose fields are annotated and have a first value.

    Returns:
        A shape for each, in order.
    """
    tree = ast.parse(source)
    return [_class(node) for node in tree.body if isinstance(node, ast.ClassDef)]


def _class(node: ast.ClassDef) -> ClassShape:
    types: dict[str, str] = {}
    fields: list[tuple[str, str, Builder]] = []
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and item.value is not None:
            role, kind = ast.unparse(item.target), ast.unparse(item.annotation)
            types["self." + role] = kind
            fields.append((role, kind, ShapeReader({}).expr(item.value)))
    nodes = [item for item in node.body if isinstance(item, ast.FunctionDef)]
    methods = tuple(_function(item, types) for item in nodes)
    uses = frozenset().union(*(method.uses for method in methods))
    uses |= {kind for _, kind, _ in fields if kind in {"map", "strs"}}
    return ClassShape(node.name, tuple(fields), methods, uses, _docs(node))
