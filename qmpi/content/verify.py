"""Checks documents by ways that share nothing with how they were written.

Expressions are parsed by Python's own parser and walked; orders, knights and set models are searched for in
full; powers use Python's own. The text is read too: the answer after the marker must be the certificate's.
"""

import ast
import operator
from collections.abc import Callable
from fractions import Fraction
from itertools import product

from qmpi.content.document import ANSWER_MARK, Document

_OPERATORS: dict[type[ast.AST], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


def verify(document: Document) -> str | None:
    """Check a document.

    Args:
        document: with its certificate.

    Returns:
        The fault in words, or None.
    """
    stated = document.text.rpartition(ANSWER_MARK)[2].strip()
    if stated != document.answer:
        return f"the text says {stated!r}, the certificate {document.answer!r}"
    solved = SOLVERS[document.family](document)
    if solved != document.answer:
        return f"{document.family} has the answer {solved!r}, not {document.answer!r}"
    return None


def _expression(document: Document) -> str:
    text = document.fact("expression")
    if text not in document.text:
        return "an expression that the text does not state"
    return str(_walk(ast.parse(text, mode="eval").body))


def _walk(node: ast.AST) -> int:
    match node:
        case ast.Constant(value=int() as value):
            return value
        case ast.BinOp(left, kind, right):
            return _OPERATORS[type(kind)](_walk(left), _walk(right))
        case _:
            raise ValueError(ast.dump(node))


def _fractions(document: Document) -> str:
    listed = document.fact("sum")
    if listed not in document.text:
        return "a sum that the text does not state"
    return str(sum((Fraction(term) for term in listed.split(" + ")), Fraction(0)))


def _remainders(document: Document) -> str:
    base, exponent, modulus = (int(document.fact(name)) for name in ("base", "exponent", "modulus"))
    if f"{base}^{exponent}" not in document.text:
        return "a power that the text does not state"
    return str(pow(base, exponent, modulus))


def _shopping(document: Document) -> str:
    total = -int(document.fact("off"))
    for item in document.fact("bill").split():
        count, price = map(int, item.split("x"))
        if f"{count} * {price} = {count * price}" not in document.text:
            return f"a step that is not {count} * {price} = {count * price}"
        total += count * price
    return str(total)


def _meeting(document: Document) -> str:
    distance, fast, slow, lead = (
        int(document.fact(name)) for name in ("distance", "fast", "slow", "lead")
    )
    hours, left = 0, distance - fast * lead
    while left > 0:
        left, hours = left - fast - slow, hours + 1
    return str(hours) if left == 0 else "no whole number of hours"


def _ordering(document: Document) -> str:
    claims = [tuple(claim.split(">")) for claim in document.fact("claims").split(";")]
    names = {name for claim in claims for name in claim}
    below = {name: {b for a, b in claims if a == name} for name in names}
    # Repeatedly take the one that nobody is above: a different road than the hidden order.
    order: list[str] = []
    while len(order) < len(names):
        free = [n for n in names - set(order) if not any(n in below[m] for m in names - set(order))]
        if len(free) != 1:
            return "no single order"
        order.append(free[0])
    return order[int(document.fact("place"))]


def _formula(document: Document) -> str:
    world = {
        name: value == "1"
        for name, value in (pair.split("=") for pair in document.fact("world").split(","))
    }
    return str(_truth(document.fact("formula"), world)).lower()


def _truth(text: str, world: dict[str, bool]) -> bool:
    if text.startswith("not "):
        return not _truth(text[4:], world)
    if not text.startswith("("):
        return world[text]
    left, kind, right = text[1:-1].rsplit(" ", 2)
    a, b = _truth(left, world), world[right]
    return {"and": a & b, "or": a | b, "implies": b if a else True, "iff": not a ^ b}[kind]


def _kinds(document: Document) -> str:
    rules = [_rule(rule) for rule in document.fact("rules").split(";")]
    wants_none, subject, predicate = _rule(document.fact("claim"))
    names = sorted({name for _, a, b in rules for name in (a, b)})
    # Search every kind of individual: one that the rules allow, of the first kind, may contradict the claim.
    for flags in product((False, True), repeat=len(names)):
        one = dict(zip(names, flags, strict=True))
        lawful = all(not one[a] or one[b] != none for none, a, b in rules)
        if lawful and one[subject] and one[predicate] == wants_none:
            return "no"
    return "yes"


def _rule(text: str) -> tuple[bool, str, str]:
    quantifier, subject, _, predicate = text.split(" ")
    return quantifier == "no", subject, predicate


def _knights(document: Document) -> str:
    people = document.fact("people").split(",")
    name, flag = document.fact("given").split("=")
    fits: set[bool] = set()
    for flags in product((False, True), repeat=len(people)):
        honest = dict(zip(people, flags, strict=True))
        if honest[name] != (flag == "1"):
            continue
        said = (saying.split(":") for saying in document.fact("sayings").split(";"))
        if all((honest[about] == (claim == "1")) == honest[who] for who, about, claim in said):
            fits.add(honest[document.fact("target")])
    if len(fits) != 1:
        return "more than one solution"
    return "knight" if fits.pop() else "knave"


SOLVERS: dict[str, Callable[[Document], str]] = {
    "expression": _expression,
    "fractions": _fractions,
    "remainders": _remainders,
    "shopping": _shopping,
    "meeting": _meeting,
    "ordering": _ordering,
    "formula": _formula,
    "kinds": _kinds,
    "knights": _knights,
}
