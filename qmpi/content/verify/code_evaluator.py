"""Runs the program of a certificate, by rules of its own.

Theory of operation. The certificate holds a program as plain lists. Everything here is written
from their meaning alone: nothing of the generator is used. What has no meaning (an unknown
operator, a missing name, a wrong length) is a `BadProgramError`; so is a run that never ends.
"""

from collections.abc import Callable, Iterable
from typing import Any

from qmpi.content.verify.code_values import BadProgramError, applied, item

Node = Any
Names = dict[str, Any]

_MOST_STEPS = 60_000


class EndedError(Exception):
    """A run ended with an error that the program itself raises."""


class _ReturnError(Exception):
    def __init__(self, value: Node) -> None:
        super().__init__()
        self.value = value


class _BreakError(Exception):
    pass


class Evaluator:
    """Runs one program.

    Attributes:
        lines: what it printed.
        trail: names and values of its assignments, in order, as text.
    """

    def __init__(self, unit: Node) -> None:
        """Read a program.

        Args:
            unit: from a certificate.

        Raises:
            BadProgramError: it is none.
        """
        try:
            self._functions = {node[1]: node for node in unit["functions"]}
            self._classes = {node[1]: node for node in unit["classes"]}
            self._main = list(unit["main"])
            self._separator = " " if unit["language"] == "go" else ", "
        except (LookupError, TypeError) as error:
            raise BadProgramError(f"no program: {error!r}") from error
        self.lines: list[str] = []
        self.trail: list[tuple[str, str]] = []
        self._steps = 0

    def run_main(self) -> list[str]:
        """Return what the main part prints."""
        self.lines = []
        self._guarded(lambda: self._body(self._main, {}))
        return self.lines

    def outcome(self, name: str, args: Node) -> tuple[Node, bool]:
        """Return what a call comes to.

        Args:
            name: of the function.
            args: expressions without names.

        Returns:
            The value, or the message of an error, and whether it is an error.
        """
        self._steps = 0
        self.trail = []
        try:
            return self._guarded(lambda: self._call(name, self._all(args, {}))), False
        except EndedError as error:
            return str(error), True

    def values(self, args: Node) -> list[Node]:
        """Return the values of expressions without names."""
        return self._guarded(lambda: self._all(args, {}))

    def shown(self, value: Node) -> str:
        """Return a value as the language of the program prints it."""
        if isinstance(value, list):
            return "[" + self._separator.join(map(str, value)) + "]"
        return str(value)

    def _guarded(self, work: Callable[[], Node]) -> Node:
        try:
            return work()
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise BadProgramError(f"no meaning: {error!r}") from error
        except RecursionError as error:
            raise BadProgramError("no end") from error
        except (_BreakError, _ReturnError) as error:
            raise BadProgramError("a leap out of nothing") from error

    def _call(self, name: str, values: list[Node], owner: Node = None) -> Node:
        if owner is None:
            function = self._functions[name]
        else:
            methods = {made[1]: made for made in self._classes[owner["class"]][3]}
            function = methods[name]
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

    def _step(self) -> None:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise BadProgramError("no end")

    # Statements.

    def _body(self, nodes: Iterable[Node], names: Names) -> None:
        for node in nodes:
            self._step()
            do = _STATEMENTS.get(node[0])
            if do is None:
                raise BadProgramError(f"no statement: {str(node)[:60]}")
            do(self, names, *node[1:])

    def _note(self, _: Names, __: str) -> None:
        pass

    def _let(self, names: Names, name: str, _: str, value: Node) -> None:
        self._keep(name, self._value(value, names), names)

    def _set(self, names: Names, place: Node, value: Node) -> None:
        self._assign(place, self._value(value, names), names)

    def _augment(self, names: Names, op: str, place: Node, value: Node) -> None:
        self._assign(place, self._value([op, place, value], names), names)

    def _return(self, names: Names, value: Node) -> None:
        raise _ReturnError(self._value(value, names))

    def _do(self, names: Names, value: Node) -> None:
        self._value(value, names)

    def _print(self, names: Names, *pieces: Node) -> None:
        self.lines.append("".join(self.shown(self._value(value, names)) for _, value in pieces))

    def _fail(self, names: Names, message: Node) -> None:
        raise EndedError(self._value(message, names))

    def _break(self, _: Names) -> None:
        raise _BreakError

    def _if(self, names: Names, check: Node, then: Node, other: Node) -> None:
        self._body(then if self._value(check, names) else other, names)

    def _while(self, names: Names, check: Node, body: Node) -> None:
        try:
            while self._value(check, names):
                self._step()
                self._body(body, names)
        except _BreakError:
            pass

    def _for(self, names: Names, name: str, *rest: Node) -> None:
        low, high, step = self._all(rest[:3], names)
        self._over(name, range(low, high, step), rest[3], names)

    def _each(self, names: Names, name: str, _: str, held: Node, body: Node) -> None:
        self._over(name, self._value(held, names), body, names)

    def _chars(self, names: Names, name: str, held: Node, body: Node) -> None:
        self._over(name, self._value(held, names), body, names)

    def _over(self, name: str, values: Iterable[Node], body: Node, names: Names) -> None:
        try:
            for value in values:
                self._keep(name, value, names)
                self._body(body, names)
        except _BreakError:
            pass

    def _push(self, names: Names, held: Node, value: Node) -> None:
        self._value(held, names).append(self._value(value, names))

    def _pop(self, names: Names, name: str, held: Node) -> None:
        names[name] = self._value(held, names).pop()

    def _put(self, names: Names, held: Node, key: Node, value: Node) -> None:
        found, made = self._all((key, value), names)
        self._value(held, names)[found] = made

    def _keep(self, name: str, value: Node, names: Names) -> None:
        names[name] = value
        self.trail.append((name, self.shown(value)))

    def _assign(self, place: Node, value: Node, names: Names) -> None:
        if isinstance(place, str):
            self._value(place, names)
            self._keep(place, value, names)
        elif place[0] == "f":
            names["self"][place[1]] = value
        elif place[0] == "at":
            held, where = self._all(place[1:3], names)
            item(held, where)
            held[where] = value
        else:
            raise BadProgramError(f"nothing can be stored in {place!r}")

    # Expressions.

    def _all(self, nodes: Iterable[Node], names: Names) -> list[Node]:
        return [self._value(node, names) for node in nodes]

    def _value(self, node: Node, names: Names) -> Node:
        if isinstance(node, int):
            return node
        if isinstance(node, str):
            if node not in names:
                raise BadProgramError(f"{node} is not declared")
            return names[node]
        special = _SPECIAL.get(node[0])
        if special is not None:
            return special(self, names, *node[1:])
        return applied(node[0], self._all(node[1:], names))

    def _and(self, names: Names, left: Node, right: Node) -> Node:
        return self._value(left, names) and self._value(right, names)

    def _or(self, names: Names, left: Node, right: Node) -> Node:
        return self._value(left, names) or self._value(right, names)

    def _either(self, names: Names, check: Node, then: Node, other: Node) -> Node:
        return self._value(then if self._value(check, names) else other, names)

    def _list(self, names: Names, _: str, *parts: Node) -> Node:
        return self._all(parts, names)

    def _called(self, names: Names, name: str, *args: Node) -> Node:
        return self._call(name, self._all(args, names))

    def _method(self, names: Names, owner: str, name: str, *args: Node) -> Node:
        return self._call(name, self._all(args, names), names[owner])

    def _new(self, _: Names, name: str) -> Node:
        made = {field: self._value(first, {}) for field, _, first in self._classes[name][2]}
        return {"class": name, **made}

    def _field(self, names: Names, name: str) -> Node:
        return names["self"][name]

    def _text(self, _: Names, text: str) -> Node:
        return text

    def _map(self, _: Names) -> Node:
        return {}

    STATEMENTS = (
        *(("#", _note), ("let", _let), ("set", _set), ("aug", _augment), ("ret", _return)),
        *(("do", _do), ("print", _print), ("fail", _fail), ("break", _break), ("if", _if)),
        *(("while", _while), ("for", _for), ("each", _each), ("chars", _chars)),
        *(("push", _push), ("pop", _pop), ("put", _put)),
    )
    SPECIAL = (
        *(("and", _and), ("or", _or), ("either", _either), ("list", _list), ("s", _text)),
        *(("call", _called), ("m", _method), ("new", _new), ("f", _field), ("map", _map)),
    )


_STATEMENTS: dict[str, Callable[..., None]] = dict(Evaluator.STATEMENTS)
_SPECIAL: dict[str, Callable[..., Node]] = dict(Evaluator.SPECIAL)
