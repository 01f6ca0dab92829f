"""Runs a Python listing within bounds: few builtins, no imports, no private names, few steps.

Theory of operation. The syntax tree is searched first: only what listings need is let through. Then
the code runs with a handful of builtins under a trace that counts lines and calls. A listing that
asks for more is a fault of the listing, not of the machine it runs on.
"""

import ast
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

Value = Any
_MOST_LINES = 250_000
_MOST_RANGE = 100_000
_MOST_SHIFT = 64
_MOST_NUMBER = 1 << 40
_NODES = (
    ast.Module, ast.FunctionDef, ast.ClassDef, ast.arguments, ast.arg, ast.Return, ast.Assign,
    ast.AnnAssign, ast.AugAssign, ast.For, ast.While, ast.If, ast.Raise, ast.Try, ast.Assert,
    ast.ExceptHandler, ast.Expr, ast.Pass, ast.Break, ast.Continue, ast.BoolOp, ast.BinOp,
    ast.UnaryOp, ast.IfExp, ast.Dict, ast.List, ast.Tuple, ast.Compare, ast.Call, ast.JoinedStr,
    ast.FormattedValue, ast.Constant, ast.Attribute, ast.Subscript, ast.Slice, ast.Name, ast.Load,
    ast.Store, ast.And, ast.Or, ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.LShift,
    ast.RShift, ast.BitAnd, ast.BitOr, ast.BitXor, ast.Not, ast.USub, ast.Eq, ast.NotEq, ast.Lt,
    ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is, ast.IsNot,
)  # fmt: skip
_PRIVATE = frozenset({"__init__", "__name__", "_"})


class EscapedError(Exception):
    """A listing is not Python, or does what no listing may do."""


class _TooLong(BaseException):
    """Counted out; no handler of a listing catches it."""


def _range(*bounds: int) -> range:
    made = range(*bounds)
    if len(made) > _MOST_RANGE:
        raise EscapedError("a range of too many numbers")
    return made


class Sandbox:
    """Holds the names of one listing.

    Attributes:
        printed: lines printed so far.
        names: what the listing defined.
    """

    def __init__(self) -> None:
        """Start with nothing defined."""
        self.printed: list[str] = []
        allowed: dict[str, Any] = {
            "print": self._print,
            "range": _range,
            "__build_class__": __build_class__,
        }
        for usable in (len, min, max, abs, list, str, ord, int, bool, dict, sum, sorted):
            allowed[usable.__name__] = usable
        for usable in (ValueError, AssertionError):
            allowed[usable.__name__] = usable
        self.names: dict[str, Any] = {"__builtins__": allowed, "__name__": "__main__"}

    def _print(self, *values: Value) -> None:
        if len(self.printed) > _MOST_LINES:
            raise EscapedError("too much is printed")
        self.printed.append(" ".join(map(str, values)))

    def run(self, source: str) -> None:
        """Run a listing.

        Args:
            source: Python.

        Raises:
            EscapedError: it is not Python, asks for too much, or ends with an error.
        """
        self._bounded(
            lambda: exec(compile(_searched(source, "exec"), "listing", "exec"), self.names)
        )

    def value(self, source: str) -> Value:
        """Return the value of an expression.

        Args:
            source: Python.

        Raises:
            EscapedError: it is none, or ends with an error.
        """
        tree = _searched(source, "eval")
        return self._bounded(lambda: eval(compile(tree, "listing", "eval"), self.names))

    def call(self, name: str) -> None:
        """Call a function without arguments.

        Args:
            name: of the function.

        Raises:
            EscapedError: there is none, or it ends with an error.
        """
        self._bounded(self.names[name])

    def _bounded(self, work: Callable[[], Value]) -> Value:
        left = _MOST_LINES

        def count(_: FrameType, __: str, ___: Value) -> Value:
            nonlocal left
            left -= 1
            if left < 0:
                raise _TooLong
            return count

        before = sys.gettrace()
        sys.settrace(count)
        try:
            return work()
        except _TooLong as error:
            raise EscapedError("it does not come to an end") from error
        except EscapedError:
            raise
        except Exception as error:
            raise EscapedError(f"{type(error).__name__}: {error}") from error
        finally:
            sys.settrace(before)


def _searched(source: str, mode: str) -> ast.Module | ast.Expression:
    try:
        tree = ast.parse(source, mode=mode)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise EscapedError(f"no Python: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Expression):
            continue
        if not isinstance(node, _NODES):
            raise EscapedError(f"{type(node).__name__} is in no listing")
        name = {ast.Name: "id", ast.Attribute: "attr"}.get(type(node))
        spelled = getattr(node, name) if name else ""
        if spelled.startswith("_") and spelled not in _PRIVATE:
            raise EscapedError(f"{spelled} is private")
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            if node.value > _MOST_NUMBER:
                raise EscapedError(f"{node.value} is too large")
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.LShift):
            _refuse_far_shift(node.right)
    return tree  # type: ignore[return-value]


def _refuse_far_shift(by: ast.expr) -> None:
    value = by.value if isinstance(by, ast.Constant) else None
    if not isinstance(value, int) or value > _MOST_SHIFT:
        raise EscapedError("a shift by an unknown number")
