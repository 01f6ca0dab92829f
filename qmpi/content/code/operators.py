"""What operators of a program do when it is run."""

from collections.abc import Callable
from typing import Any

from qmpi.content.code.template import Node

Value = Any
"""A number, truth value, text, list, map or object."""
Env = dict[str, Value]
Runner = Any
"""A Machine; its module imports this one."""

LIMIT = 1 << 31
"""Numbers stay below it: beyond, languages differ."""


class RefusedError(Exception):
    """The program does what languages do not agree on."""


def _at(machine: Runner, node: Node, env: Env) -> Value:
    held, place = machine.eval(node[1], env), machine.eval(node[2], env)
    if not 0 <= place < len(held):
        raise RefusedError("index outside")
    return held[place]


def _divide(machine: Runner, node: Node, env: Env) -> int:
    left, right = machine.eval(node[1], env), machine.eval(node[2], env)
    if left < 0 or right <= 0:
        raise RefusedError("division below zero")
    return left // right


def _rest(machine: Runner, node: Node, env: Env) -> int:
    left, right = machine.eval(node[1], env), machine.eval(node[2], env)
    if left < 0 or right <= 0:
        raise RefusedError("division below zero")
    return left % right


def _times(machine: Runner, node: Node, env: Env) -> int:
    value = machine.eval(node[1], env) * machine.eval(node[2], env)
    if not -LIMIT < value < LIMIT:
        raise RefusedError("too large")
    return value


def _bits(machine: Runner, node: Node, env: Env) -> tuple[int, int]:
    left, right = machine.eval(node[1], env), machine.eval(node[2], env)
    if left < 0 or right < 0 or (node[0] in {"<<", ">>"} and right > 30):
        raise RefusedError("bits below zero")
    return left, right


def _shift_left(machine: Runner, node: Node, env: Env) -> int:
    left, right = _bits(machine, node, env)
    if left << right >= LIMIT:
        raise RefusedError("too large")
    return left << right


def _and_bits(machine: Runner, node: Node, env: Env) -> int:
    left, right = _bits(machine, node, env)
    return left & right


def _or_bits(machine: Runner, node: Node, env: Env) -> int:
    left, right = _bits(machine, node, env)
    return left | right


def _xor_bits(machine: Runner, node: Node, env: Env) -> int:
    left, right = _bits(machine, node, env)
    return left ^ right


def _shift_right(machine: Runner, node: Node, env: Env) -> int:
    left, right = _bits(machine, node, env)
    return left >> right


def _call(machine: Runner, node: Node, env: Env) -> Value:
    return machine.call(node[1], [machine.eval(part, env) for part in node[2:]])


def _method(machine: Runner, node: Node, env: Env) -> Value:
    return machine.method(env[node[1]], node[2], [machine.eval(part, env) for part in node[3:]])


def _new(machine: Runner, node: Node, env: Env) -> Env:
    made: Env = {"": node[1]}
    for name, _, first in machine.classes[node[1]][2]:
        made[name] = machine.eval(first, env)
    return made


def _char(machine: Runner, node: Node, env: Env) -> str:
    held, place = machine.eval(node[1], env), machine.eval(node[2], env)
    if not 0 <= place < len(held):
        raise RefusedError("index outside")
    return held[place]


OPERATORS: dict[str, Callable[[Runner, Any, Env], Any]] = {
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
