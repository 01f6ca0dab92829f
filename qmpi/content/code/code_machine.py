"""Runs a program: the truth that listings, tests, traces and answers are written from.

Theory of operation. A walk over the lists that a program is made of, by a table of functions. A
program that leaves what all languages agree on (numbers beyond 31 bits, division below zero, an
index outside, too many steps) is refused with `RefusedError`, and another one is grown.
A `fail` ends the run with `FailedError`, which is an outcome like any other.
"""

from collections.abc import Callable
from typing import Any

from qmpi.content.code.code_template import Node

Value = Any
"""A number, truth value, text, list, map or object."""
Env = dict[str, Value]

_LIMIT = 1 << 31
_DONE: tuple[str, Any] = ("done", None)
_BREAK: tuple[str, Any] = ("break", None)


class RefusedError(Exception):
    """The program does what languages do not agree on."""


class FailedError(Exception):
    """The program ended with an error of its own; the message is its text."""


class Machine:
    """Runs functions of a program.

    Attributes:
        functions: by name: ["fn", name, params, result, body, doc].
        classes: by name: ["class", name, fields, methods by name].
        printed: lines printed so far.
        steps: statements executed.
        most: statements after which a run is refused.
        trace: where assignments are written down, if anywhere: (name, value).
        lists: brackets and separator of a printed list.
    """

    __slots__ = ("classes", "functions", "lists", "most", "printed", "steps", "trace")

    def __init__(self, functions: dict[str, Node], classes: dict[str, Node]) -> None:
        """Start with nothing printed.

        Args:
            functions: by name.
            classes: by name.
        """
        self.functions = functions
        self.classes = classes
        self.printed: list[str] = []
        self.steps = 0
        self.most = 10_000
        self.trace: list[tuple[str, str]] | None = None
        self.lists: tuple[str, str, str] = ("[", ", ", "]")

    def eval(self, node: Node, env: Env) -> Value:
        """Return the value of an expression.

        Args:
            node: the expression.
            env: values of variables.
        """
        kind = type(node)
        if kind is list:
            return _OPERATORS[node[0]](self, node, env)
        return env[node] if kind is str else node

    def call(self, name: str, values: list[Value]) -> Value:
        """Return what a function returns.

        Args:
            name: of the function.
            values: its arguments; lists are not copied.

        Raises:
            FailedError: the function ended with an error.
        """
        function = self.functions[name]
        env: Env = {param[0]: value for param, value in zip(function[2], values, strict=True)}
        return self.run(function[4], env)[1]

    def method(self, target: Env, name: str, values: list[Value]) -> Value:
        """Return what a method returns.

        Args:
            target: the object, changed in place.
            name: of the method.
            values: its arguments.
        """
        function = self.classes[target[""]][3][name]
        env: Env = {param[0]: value for param, value in zip(function[2], values, strict=True)}
        env["self"] = target
        return self.run(function[4], env)[1]

    def run(self, body: list[Node], env: Env) -> tuple[str, Any]:
        """Run statements.

        Args:
            body: the statements.
            env: values of variables, changed in place.

        Returns:
            How they ended ("done", "break" or "ret"), and the value returned.

        Raises:
            RefusedError: it takes too many steps.
        """
        self.steps += len(body)
        if self.steps > self.most:
            raise RefusedError("too many steps")
        for node in body:
            ended = _STATEMENTS[node[0]](self, node, env)
            if ended is not None:
                return ended
        return _DONE

    def shown(self, value: Value) -> str:
        """Return a value as `print` shows it."""
        if type(value) is list:
            left, middle, right = self.lists
            return left + middle.join(map(str, value)) + right
        return str(value)


def _let(machine: Machine, node: Node, env: Env) -> None:
    value = machine.eval(node[3], env)
    if type(value) is int and not -_LIMIT < value < _LIMIT:
        raise RefusedError("too large")
    env[node[1]] = value
    if machine.trace is not None:
        machine.trace.append((node[1], machine.shown(value)))


def _store(machine: Machine, target: Node, value: Value, env: Env) -> None:
    if type(value) is int and not -_LIMIT < value < _LIMIT:
        raise RefusedError("too large")
    if type(target) is str:
        env[target] = value
        if machine.trace is not None:
            machine.trace.append((target, machine.shown(value)))
    elif target[0] == "f":
        env["self"][target[1]] = value
    else:
        place = machine.eval(target[2], env)
        held = machine.eval(target[1], env)
        if not 0 <= place < len(held):
            raise RefusedError("index outside")
        held[place] = value


def _set(machine: Machine, node: Node, env: Env) -> None:
    _store(machine, node[1], machine.eval(node[2], env), env)


def _aug(machine: Machine, node: Node, env: Env) -> None:
    value = _OPERATORS[node[1]](machine, (node[1], node[2], node[3]), env)
    _store(machine, node[2], value, env)


def _if(machine: Machine, node: Node, env: Env) -> tuple[str, Any] | None:
    body = node[2] if machine.eval(node[1], env) else node[3]
    ended = machine.run(body, env)
    return None if ended is _DONE else ended


def _loop(machine: Machine, body: list[Node], env: Env) -> tuple[str, Any] | None:
    ended = machine.run(body, env)
    return None if ended is _DONE else ended


def _while(machine: Machine, node: Node, env: Env) -> tuple[str, Any] | None:
    check, body = node[1], node[2]
    while machine.eval(check, env):
        ended = machine.run(body, env)
        if ended is not _DONE:
            return None if ended is _BREAK else ended
        machine.steps += 1
    return None


def _over(machine: Machine, name: str, values: Value, body: list[Node], env: Env) -> Value:
    for value in values:
        env[name] = value
        if machine.trace is not None:
            machine.trace.append((name, machine.shown(value)))
        ended = machine.run(body, env)
        if ended is not _DONE:
            return None if ended is _BREAK else ended
    return None


def _for(machine: Machine, node: Node, env: Env) -> tuple[str, Any] | None:
    low, high = machine.eval(node[2], env), machine.eval(node[3], env)
    values = range(low, high, machine.eval(node[4], env))
    return _over(machine, node[1], values, node[5], env)


def _each(machine: Machine, node: Node, env: Env) -> tuple[str, Any] | None:
    return _over(machine, node[1], machine.eval(node[3], env), node[4], env)


def _chars(machine: Machine, node: Node, env: Env) -> tuple[str, Any] | None:
    return _over(machine, node[1], machine.eval(node[2], env), node[3], env)


def _ret(machine: Machine, node: Node, env: Env) -> tuple[str, Any]:
    return ("ret", machine.eval(node[1], env))


def _break(_: Machine, __: Node, ___: Env) -> tuple[str, Any]:
    return _BREAK


def _push(machine: Machine, node: Node, env: Env) -> None:
    machine.eval(node[1], env).append(machine.eval(node[2], env))


def _pop(machine: Machine, node: Node, env: Env) -> None:
    held = machine.eval(node[2], env)
    if not held:
        raise RefusedError("pop from nothing")
    env[node[1]] = held.pop()


def _put(machine: Machine, node: Node, env: Env) -> None:
    machine.eval(node[1], env)[machine.eval(node[2], env)] = machine.eval(node[3], env)


def _print(machine: Machine, node: Node, env: Env) -> None:
    machine.printed.append(
        "".join([machine.shown(machine.eval(piece[1], env)) for piece in node[1:]])
    )


def _fail(machine: Machine, node: Node, env: Env) -> None:
    raise FailedError(machine.eval(node[1], env))


def _do(machine: Machine, node: Node, env: Env) -> None:
    machine.eval(node[1], env)


def _note(_: Machine, __: Node, ___: Env) -> None:
    return None


def _at(machine: Machine, node: Node, env: Env) -> Value:
    held, place = machine.eval(node[1], env), machine.eval(node[2], env)
    if not 0 <= place < len(held):
        raise RefusedError("index outside")
    return held[place]


def _divide(machine: Machine, node: Node, env: Env) -> int:
    left, right = machine.eval(node[1], env), machine.eval(node[2], env)
    if left < 0 or right <= 0:
        raise RefusedError("division below zero")
    return left // right


def _rest(machine: Machine, node: Node, env: Env) -> int:
    left, right = machine.eval(node[1], env), machine.eval(node[2], env)
    if left < 0 or right <= 0:
        raise RefusedError("division below zero")
    return left % right


def _times(machine: Machine, node: Node, env: Env) -> int:
    value = machine.eval(node[1], env) * machine.eval(node[2], env)
    if not -_LIMIT < value < _LIMIT:
        raise RefusedError("too large")
    return value


def _bits(machine: Machine, node: Node, env: Env) -> tuple[int, int]:
    left, right = machine.eval(node[1], env), machine.eval(node[2], env)
    if left < 0 or right < 0 or (node[0] in {"<<", ">>"} and right > 30):
        raise RefusedError("bits below zero")
    return left, right


def _shift_left(machine: Machine, node: Node, env: Env) -> int:
    left, right = _bits(machine, node, env)
    if left << right >= _LIMIT:
        raise RefusedError("too large")
    return left << right


def _and_bits(machine: Machine, node: Node, env: Env) -> int:
    left, right = _bits(machine, node, env)
    return left & right


def _or_bits(machine: Machine, node: Node, env: Env) -> int:
    left, right = _bits(machine, node, env)
    return left | right


def _xor_bits(machine: Machine, node: Node, env: Env) -> int:
    left, right = _bits(machine, node, env)
    return left ^ right


def _shift_right(machine: Machine, node: Node, env: Env) -> int:
    left, right = _bits(machine, node, env)
    return left >> right


def _call(machine: Machine, node: Node, env: Env) -> Value:
    return machine.call(node[1], [machine.eval(part, env) for part in node[2:]])


def _method(machine: Machine, node: Node, env: Env) -> Value:
    return machine.method(env[node[1]], node[2], [machine.eval(part, env) for part in node[3:]])


def _new(machine: Machine, node: Node, env: Env) -> Env:
    made: Env = {"": node[1]}
    for name, _, first in machine.classes[node[1]][2]:
        made[name] = machine.eval(first, env)
    return made


def _char(machine: Machine, node: Node, env: Env) -> str:
    held, place = machine.eval(node[1], env), machine.eval(node[2], env)
    if not 0 <= place < len(held):
        raise RefusedError("index outside")
    return held[place]


_OPERATORS: dict[str, Callable[[Machine, Any, Env], Any]] = {
    "+": lambda m, n, e: m.eval(n[1], e) + m.eval(n[2], e),
    "-": lambda m, n, e: m.eval(n[1], e) - m.eval(n[2], e),
    "*": _times,
    "/": _divide,
    "%": _rest,
    "&": _and_bits,
    "|": _or_bits,
    "^": _xor_bits,
    "<<": _shift_left,
    ">>": _shift_right,
    "<": lambda m, n, e: m.eval(n[1], e) < m.eval(n[2], e),
    "<=": lambda m, n, e: m.eval(n[1], e) <= m.eval(n[2], e),
    ">": lambda m, n, e: m.eval(n[1], e) > m.eval(n[2], e),
    ">=": lambda m, n, e: m.eval(n[1], e) >= m.eval(n[2], e),
    "==": lambda m, n, e: m.eval(n[1], e) == m.eval(n[2], e),
    "!=": lambda m, n, e: m.eval(n[1], e) != m.eval(n[2], e),
    "and": lambda m, n, e: m.eval(n[1], e) and m.eval(n[2], e),
    "or": lambda m, n, e: m.eval(n[1], e) or m.eval(n[2], e),
    "not": lambda m, n, e: not m.eval(n[1], e),
    "neg": lambda m, n, e: -m.eval(n[1], e),
    "min": lambda m, n, e: min(m.eval(n[1], e), m.eval(n[2], e)),
    "max": lambda m, n, e: max(m.eval(n[1], e), m.eval(n[2], e)),
    "abs": lambda m, n, e: abs(m.eval(n[1], e)),
    "s": lambda _m, n, _e: n[1],
    "at": _at,
    "len": lambda m, n, e: len(m.eval(n[1], e)),
    "list": lambda m, n, e: [m.eval(part, e) for part in n[2:]],
    "copy": lambda m, n, e: list(m.eval(n[1], e)),
    "map": lambda _m, _n, _e: {},
    "get": lambda m, n, e: m.eval(n[1], e).get(m.eval(n[2], e), m.eval(n[3], e)),
    "has": lambda m, n, e: m.eval(n[2], e) in m.eval(n[1], e),
    "f": lambda _m, n, e: e["self"][n[1]],
    "call": _call,
    "m": _method,
    "new": _new,
    "cat": lambda m, n, e: m.eval(n[1], e) + m.eval(n[2], e),
    "str": lambda m, n, e: str(m.eval(n[1], e)),
    "same": lambda m, n, e: m.eval(n[1], e) == m.eval(n[2], e),
    "size": lambda m, n, e: len(m.eval(n[1], e)),
    "char": _char,
    "code": lambda m, n, e: ord(m.eval(n[1], e)) - 97,
    "upper": lambda m, n, e: m.eval(n[1], e).upper(),
    "lower": lambda m, n, e: m.eval(n[1], e).lower(),
    "either": lambda m, n, e: m.eval(n[2 if m.eval(n[1], e) else 3], e),
}
_STATEMENTS: dict[str, Callable[[Machine, Any, Env], tuple[str, Any] | None]] = {
    "let": _let,
    "set": _set,
    "aug": _aug,
    "if": _if,
    "while": _while,
    "for": _for,
    "each": _each,
    "chars": _chars,
    "ret": _ret,
    "break": _break,
    "push": _push,
    "pop": _pop,
    "put": _put,
    "print": _print,
    "fail": _fail,
    "do": _do,
    "#": _note,
}
