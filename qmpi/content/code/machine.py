"""Runs a program: the truth that listings, tests, traces and answers are written from.

Theory of operation. A walk over the lists that a program is made of, by a table of functions. A
program that leaves what all languages agree on (numbers beyond 31 bits, division below zero, an
index outside, too many steps) is refused with `RefusedError`, and another one is grown.
A `fail` ends the run with `FailedError`, which is an outcome like any other.
"""

from collections.abc import Callable
from typing import Any

from qmpi.content.code.operators import LIMIT, OPERATORS, Env, RefusedError, Value
from qmpi.content.code.template import Node

_LONGEST = 60
"""Items of a list; C gives it room for a few more."""
_DONE: tuple[str, Any] = ("done", None)
_BREAK: tuple[str, Any] = ("break", None)


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
            return OPERATORS[node[0]](self, node, env)
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
    if type(value) is int and not -LIMIT < value < LIMIT:
        raise RefusedError("too large")
    env[node[1]] = value
    if machine.trace is not None:
        machine.trace.append((node[1], machine.shown(value)))


def _store(machine: Machine, target: Node, value: Value, env: Env) -> None:
    if type(value) is int and not -LIMIT < value < LIMIT:
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
    value = OPERATORS[node[1]](machine, (node[1], node[2], node[3]), env)
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
    held = machine.eval(node[1], env)
    if len(held) >= _LONGEST:
        raise RefusedError("a list of too many items")
    held.append(machine.eval(node[2], env))


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
