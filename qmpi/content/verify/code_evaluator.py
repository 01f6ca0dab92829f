"""Runs the program of a certificate, by rules of its own.

Theory of operation. The certificate holds a program as plain lists. Everything here is written
from their meaning alone: nothing of the generator is used. What has no meaning (an unknown
operator, a missing name, a wrong length) is a `BadProgramError`; so is a run that never ends.
"""

from typing import Any

Node = Any
Names = dict[str, Any]

_MOST_STEPS = 60_000
_ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "min", "max"})
_ORDER = frozenset({"<", "<=", ">", ">=", "==", "!="})


class BadProgramError(Exception):
    """The program of a certificate has no meaning."""


class EndedError(Exception):
    """A run ended with an error that the program itself raises."""


class _ReturnError(Exception):
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class _BreakError(Exception):
    pass


class Evaluator:
    """Runs one program.

    Attributes:
        lines: what it printed.
        trail: names and values of its assignments, in order.
    """

    def __init__(self, unit: Any) -> None:
        """Read a program.

        Args:
            unit: from a certificate.

        Raises:
            BadProgramError: it is none.
        """
        try:
            self.functions = {node[1]: node for node in unit["functions"]}
            self.classes = {node[1]: node for node in unit["classes"]}
            self.main = list(unit["main"])
            self.separator = " " if unit["language"] == "go" else ", "
        except (KeyError, TypeError, IndexError) as error:
            raise BadProgramError(f"no program: {error!r}") from error
        self.lines: list[str] = []
        self.trail: list[tuple[str, str]] = []
        self._steps = 0

    def run_main(self) -> list[str]:
        """Return what the main part prints.

        Raises:
            BadProgramError: it has no meaning or no end.
        """
        self.lines = []
        self._guarded(lambda: self._body(self.main, {}))
        return self.lines

    def outcome(self, name: str, args: Any) -> tuple[Any, bool]:
        """Return what a call comes to.

        Args:
            name: of the function.
            args: expressions without names.

        Returns:
            The value, or the message of an error, and whether it is an error.

        Raises:
            BadProgramError: the call has no meaning or no end.
        """
        self._steps = 0
        self.trail = []
        try:
            return self._guarded(
                lambda: self._call(name, [self._value(a, {}) for a in args])
            ), False
        except EndedError as error:
            return str(error), True

    def values(self, args: Any) -> list[Any]:
        """Return the values of expressions without names."""
        return self._guarded(lambda: [self._value(arg, {}) for arg in args])

    def _guarded(self, work: Any) -> Any:
        try:
            return work()
        except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
            raise BadProgramError(f"no meaning: {error!r}") from error
        except RecursionError as error:
            raise BadProgramError("no end") from error
        except (_BreakError, _ReturnError) as error:
            raise BadProgramError("a leap out of nothing") from error

    def _call(self, name: str, values: list[Any], owner: Any = None) -> Any:
        if owner is None:
            function = self.functions[name]
        else:
            function = next(m for m in self.classes[owner["class"]][3] if m[1] == name)
        params = [param[0] for param in function[2]]
        if len(params) != len(values):
            raise BadProgramError(f"{name} takes {len(params)} arguments")
        names = dict(zip(params, values, strict=True))
        if owner is not None:
            names["self"] = owner
        try:
            self._body(function[4], names)
        except _ReturnError as leave:
            return leave.value
        return None

    def _body(self, nodes: list[Node], names: Names) -> None:
        for node in nodes:
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise BadProgramError("no end")
            self._statement(node, names)

    def _statement(self, node: Node, names: Names) -> None:
        match node:
            case ["#", _]:
                pass
            case ["let", str(name), _, value]:
                self._keep(name, self._value(value, names), names)
            case ["set", place, value]:
                self._assign(place, self._value(value, names), names)
            case ["aug", str(op), place, value]:
                self._assign(place, self._value([op, place, value], names), names)
            case ["ret", value]:
                raise _ReturnError(self._value(value, names))
            case ["do", value]:
                self._value(value, names)
            case ["print", *pieces]:
                self.lines.append("".join(self.shown(self._value(p[1], names)) for p in pieces))
            case ["fail", message]:
                raise EndedError(self._value(message, names))
            case ["break"]:
                raise _BreakError
            case ["if", check, then, other]:
                self._body(then if self._value(check, names) else other, names)
            case _:
                self._loop_or_list(node, names)

    def _loop_or_list(self, node: Node, names: Names) -> None:
        match node:
            case ["while", check, body]:
                self._while(check, body, names)
            case ["for", str(name), low, high, step, body]:
                low, high = self._value(low, names), self._value(high, names)
                self._over(name, range(low, high, self._value(step, names)), body, names)
            case ["each", str(name), _, held, body] | ["chars", str(name), held, body]:
                self._over(name, self._value(held, names), body, names)
            case ["push", held, value]:
                self._value(held, names).append(self._value(value, names))
            case ["pop", str(name), held]:
                names[name] = self._value(held, names).pop()
            case ["put", held, key, value]:
                key, value = self._value(key, names), self._value(value, names)
                self._value(held, names)[key] = value
            case _:
                raise BadProgramError(f"no statement: {node!r}")

    def _keep(self, name: str, value: Any, names: Names) -> None:
        names[name] = value
        self.trail.append((name, self.shown(value)))

    def _assign(self, place: Node, value: Any, names: Names) -> None:
        match place:
            case str(name):
                if name not in names:
                    raise BadProgramError(f"{name} is set before it is declared")
                self._keep(name, value, names)
            case ["f", str(name)]:
                names["self"][name] = value
            case ["at", held, where]:
                held, where = self._value(held, names), self._value(where, names)
                if not 0 <= where < len(held):
                    raise BadProgramError("an index outside of its list")
                held[where] = value
            case _:
                raise BadProgramError(f"nothing can be stored in {place!r}")

    def _while(self, check: Node, body: list[Node], names: Names) -> None:
        try:
            while self._value(check, names):
                self._steps += 1
                self._body(body, names)
                if self._steps > _MOST_STEPS:
                    raise BadProgramError("no end")
        except _BreakError:
            pass

    def _over(self, name: str, values: Any, body: list[Node], names: Names) -> None:
        try:
            for value in values:
                self._keep(name, value, names)
                self._body(body, names)
        except _BreakError:
            pass

    def _value(self, node: Node, names: Names) -> Any:
        match node:
            case bool() | int():
                return node
            case str(name):
                if name not in names:
                    raise BadProgramError(f"{name} is not declared")
                return names[name]
            case [str(op), left, right] if op in _ARITHMETIC or op in _ORDER:
                return _reckon(op, self._value(left, names), self._value(right, names))
            case ["and", left, right]:
                return self._value(left, names) and self._value(right, names)
            case ["or", left, right]:
                return self._value(left, names) or self._value(right, names)
            case ["either", check, then, other]:
                return self._value(then if self._value(check, names) else other, names)
            case ["list", _, *parts]:
                return [self._value(part, names) for part in parts]
            case ["call", str(name), *args]:
                return self._call(name, [self._value(arg, names) for arg in args])
            case ["m", str(owner), str(name), *args]:
                values = [self._value(arg, names) for arg in args]
                return self._call(name, values, names[owner])
            case ["new", str(name)]:
                fields = self.classes[name][2]
                made = {field: self._value(first, {}) for field, _, first in fields}
                return {"class": name, **made}
            case ["f", str(name)]:
                return names["self"][name]
            case ["s", str(text)]:
                return text
            case ["map"]:
                return {}
            case [str(op), *parts]:
                return _applied(op, [self._value(part, names) for part in parts])
        raise BadProgramError(f"no expression: {node!r}")

    def shown(self, value: Any) -> str:
        """Return a value as the language of the program prints it."""
        if isinstance(value, list):
            return "[" + self.separator.join(map(str, value)) + "]"
        return str(value)


def _reckon(op: str, left: Any, right: Any) -> Any:
    if op in _ORDER:
        return {
            "<": left < right,
            "<=": left <= right,
            ">": left > right,
            ">=": left >= right,
            "==": left == right,
            "!=": left != right,
        }[op]
    if op in {"/", "%"} and (left < 0 or right <= 0):
        raise BadProgramError("a quotient on which languages differ")
    if op in {"&", "|", "^", "<<", ">>"} and (left < 0 or not 0 <= right < 1 << 31):
        raise BadProgramError("bits of a negative number")
    if op in {"<<", ">>"} and right > 31:
        raise BadProgramError("a shift out of range")
    value = _number(op, left, right)
    if not -(1 << 31) <= value < 1 << 31:
        raise BadProgramError("a number on which languages differ")
    return value


def _number(op: str, left: int, right: int) -> int:
    match op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left // right
        case "%":
            return left % right
        case "&":
            return left & right
        case "|":
            return left | right
        case "^":
            return left ^ right
        case "<<":
            return left << right
        case ">>":
            return left >> right
    return min(left, right) if op == "min" else max(left, right)


def _applied(op: str, parts: list[Any]) -> Any:
    match op, parts:
        case "not", [value]:
            return not value
        case "neg", [value]:
            return -value
        case "abs", [value]:
            return abs(value)
        case (("len" | "size"), [value]):
            return len(value)
        case (("at" | "char"), [held, where]):
            if not 0 <= where < len(held):
                raise BadProgramError("an index outside of its list")
            return held[where]
        case "copy", [held]:
            return list(held)
        case "get", [held, key, fallback]:
            return held.get(key, fallback)
        case "has", [held, key]:
            return key in held
        case "cat", [left, right]:
            return left + right
        case "str", [value]:
            return str(value)
        case "same", [left, right]:
            return left == right
        case "code", [text]:
            return ord(text) - ord("a")
        case "upper", [text]:
            return text.upper()
        case "lower", [text]:
            return text.lower()
    raise BadProgramError(f"no expression: {op} of {len(parts)}")
