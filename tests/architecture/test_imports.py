"""Every import of a module of our own finds a file, and in it the name that is taken.

The type checker is told to let missing modules pass, since extras may not be installed. It then
lets a missing module of our own pass too, and one inside a function fails only when it is called.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from architecture.tree import ROOT, name_of, parse, python_files

PATHS = {"qmpi": (ROOT,), "": tuple(ROOT / name for name in ("tests", "tests/benchmarks", "docs"))}
"""Where modules lie: the package, and what tests and scripts have on their path besides."""


def test_imports_of_our_own_are_there() -> None:
    taken = [
        (f"{name_of(path)}:{line}", module, name)
        for path in python_files()
        for line, module, name in _taken(parse(path))
        if _ours(module)
    ]
    assert len(taken) > 3000
    missing = [f"{where}: {m} has no {n}" for where, m, n in taken if not _found(m, n)]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("import qmpi", True),
        ("import qmpi.policy.stream", True),
        ("import qmpi.policy.streams", False),
        ("from qmpi import policy", True),
        ("from qmpi import politics", False),
        ("from qmpi.policy import stream", True),
        ("from qmpi.errors import UserError", True),
        ("from qmpi.errors import UsersError", False),
        ("from qmpi.gone import name", False),
        ("def later():\n    from qmpi.gone import name", False),
        ("from architecture.tree import ROOT", True),
        ("from architecture.tree import LEAF", False),
        ("from architecture.trees import ROOT", False),
        ("import architecture.trees", False),
    ],
)
def test_the_search_finds(text: str, there: bool) -> None:
    ((_, module, name),) = _taken(ast.parse(text))
    assert _ours(module)
    assert _found(module, name) is there


def test_what_others_wrote_is_left_to_others() -> None:
    assert not any(map(_ours, ("torch", "numpy.linalg", "os.path", "perfetto.trace_processor")))


def _taken(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Yield line, module and name of each import; "" where the module itself is taken."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from ((node.lineno, node.module, alias.name) for alias in node.names)


def _ours(module: str) -> bool:
    return any(_places(module.partition(".")[0]))


def _found(module: str, name: str) -> bool:
    inside = f"{module}.{name}"
    return any(
        not name or name in _names(place) or any(_places(inside)) for place in _places(module)
    )


@cache
def _places(module: str) -> tuple[Path, ...]:
    """Return the file or the folder of a module of our own; nothing if there is none."""
    first, relative = module.partition(".")[0], Path(*module.split("."))
    found = [
        place
        for path in PATHS.get(first, PATHS[""])
        for place in (path / relative.with_suffix(".py"), path / relative)
        if place.is_file() or (place.is_dir() and any(place.glob("**/*.py")))
    ]
    return tuple(found)


@cache
def _names(place: Path) -> frozenset[str]:
    """Return what a module binds at its top, branches of it included."""
    file = place / "__init__.py" if place.is_dir() else place
    return frozenset(_bound(parse(file).body)) if file.is_file() else frozenset()


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((a.asname or a.name.partition(".")[0]) for a in node.names)
        for below in ast.walk(node):
            if isinstance(below, ast.Name) and isinstance(below.ctx, ast.Store):
                yield below.id
        for field in ("body", "orelse", "finalbody"):
            yield from _bound(getattr(node, field, []))
