"""What operators of a certificate's program mean."""

from collections.abc import Callable
from typing import Any

Value = Any

LIMIT = 1 << 31
"""Whole numbers stay below it: beyond, languages differ."""


class BadProgramError(Exception):
    """The program of a certificate has no meaning."""


def _divided(left: int, right: int) -> int:
    if left < 0 or right <= 0:
        raise BadProgramError("a quotient on which languages differ")
    return left // right


def _remainder(left: int, right: int) -> int:
    return left - right * _divided(left, right)


def _bits(left: int, right: int) -> None:
    if left < 0 or right < 0:
        raise BadProgramError("bits of a negative number")


def _both(left: int, right: int) -> int:
    _bits(left, right)
    return left & right


def _one(left: int, right: int) -> int:
    _bits(left, right)
    return left | right


def _other(left: int, right: int) -> int:
    _bits(left, right)
    return left ^ right


def _up(left: int, right: int) -> int:
    _bits(left, right)
    if right > 31:
        raise BadProgramError("a shift out of range")
    return left * 2**right


def _down(left: int, right: int) -> int:
    _bits(left, right)
    if right > 31:
        raise BadProgramError("a shift out of range")
    return left // 2**right


def item(held: Value, where: int) -> Value:
    """Return an item of a list or a letter of a text.

    Args:
        held: list or text.
        where: its place, from 0.

    Returns:
        The item.

    Raises:
        BadProgramError: there is no such place.
    """
    if not 0 <= where < len(held):
        raise BadProgramError("an index outside of its list")
    return held[where]


_NUMBERS: dict[str, Callable[[int, int], int]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": _divided,
    "%": _remainder,
    "&": _both,
    "|": _one,
    "^": _other,
    "<<": _up,
    ">>": _down,
}
_REST: dict[str, tuple[int, Callable[..., Value]]] = {
    "<": (2, lambda left, right: left < right),
    "<=": (2, lambda left, right: left <= right),
    ">": (2, lambda left, right: left > right),
    ">=": (2, lambda left, right: left >= right),
    "==": (2, lambda left, right: left == right),
    "!=": (2, lambda left, right: left != right),
    "same": (2, lambda left, right: left == right),
    "min": (2, lambda left, right: left if left < right else right),
    "max": (2, lambda left, right: left if left > right else right),
    "cat": (2, lambda left, right: left + right),
    "at": (2, item),
    "char": (2, item),
    "has": (2, lambda held, key: key in held),
    "get": (3, lambda held, key, fallback: held.get(key, fallback)),
    "not": (1, lambda value: not value),
    "neg": (1, lambda value: -value),
    "abs": (1, lambda value: -value if value < 0 else value),
    "len": (1, len),
    "size": (1, len),
    "copy": (1, list),
    "str": (1, str),
    "code": (1, lambda letter: ord(letter) - ord("a")),
    "upper": (1, lambda text: text.upper()),
    "lower": (1, lambda text: text.lower()),
}


def applied(op: str, values: list[Value]) -> Value:
    """Return what an operator makes of its operands.

    Args:
        op: the operator.
        values: its operands.

    Returns:
        The value.

    Raises:
        BadProgramError: there is no such operator, or languages differ on what it makes.
    """
    number = _NUMBERS.get(op)
    if number is not None and len(values) == 2:
        value = number(*values)
        if not -LIMIT <= value < LIMIT:
            raise BadProgramError("a number on which languages differ")
        return value
    count, make = _REST.get(op, (-1, len))
    if count != len(values):
        raise BadProgramError(f"no expression: {op} of {len(values)}")
    return make(*values)
