"""A small parser for written arithmetic, exact, for the solvers that check documents."""

import re
from fractions import Fraction

_TOKEN = re.compile(r"\s*(\d+\.\d+|\d+|[-+*/()])")


def value_of(text: str) -> Fraction:
    """Compute a written expression by precedence climbing.

    Args:
        text: numbers, + - * / or their printed signs, and brackets.

    Returns:
        The exact value.

    Raises:
        ValueError: it is not an expression.
        ZeroDivisionError: it divides by zero.
    """
    tokens = _tokens(text.replace("\N{MULTIPLICATION SIGN}", "*").replace("\N{DIVISION SIGN}", "/"))
    value, end = _sum(tokens, 0)
    if end != len(tokens):
        raise ValueError(f"{text!r} goes on after its end")
    return value


def chain_fault(chain: str) -> str | None:
    """Check "a = b = c".

    Args:
        chain: expressions, joined by equals signs.

    Returns:
        Which parts differ; None if all are equal.
    """
    parts = [part.strip() for part in chain.split("=")]
    if len(parts) < 2:
        return f"{chain!r} is no equation"
    first = value_of(parts[0])
    for part in parts[1:]:
        if value_of(part) != first:
            return f"{parts[0]} is not {part}"
    return None


def _tokens(text: str) -> list[str]:
    tokens, place = list[str](), 0
    text = text.rstrip()
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise ValueError(f"{text!r} is no expression at {text[place:]!r}")
        tokens.append(found[1])
        place = found.end()
    return tokens


def _sum(tokens: list[str], place: int) -> tuple[Fraction, int]:
    value, place = _product(tokens, place)
    while place < len(tokens) and tokens[place] in "+-":
        other, end = _product(tokens, place + 1)
        value = value + other if tokens[place] == "+" else value - other
        place = end
    return value, place


def _product(tokens: list[str], place: int) -> tuple[Fraction, int]:
    value, place = _factor(tokens, place)
    while place < len(tokens) and tokens[place] in "*/":
        other, end = _factor(tokens, place + 1)
        value = value * other if tokens[place] == "*" else value / other
        place = end
    return value, place


def _factor(tokens: list[str], place: int) -> tuple[Fraction, int]:
    token = tokens[place] if place < len(tokens) else ""
    if token == "-":
        value, end = _factor(tokens, place + 1)
        return -value, end
    if token == "(":
        value, end = _sum(tokens, place + 1)
        if end >= len(tokens) or tokens[end] != ")":
            raise ValueError("a bracket is not closed")
        return value, end + 1
    if not token or not token[0].isdigit():
        raise ValueError(f"a number is missing before {token!r}")
    return Fraction(token), place + 1
