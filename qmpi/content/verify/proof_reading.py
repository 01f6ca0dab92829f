"""Formulas of propositional logic, read back from how a text writes them."""

from typing import Any

RULES = {
    "premise": 0,
    "double negation": 1,
    "addition": 1,
    "simplification": 1,
    "contraposition": 1,
    "material implication": 1,
    "conjunction": 2,
    "disjunctive syllogism": 2,
    "modus ponens": 2,
    "modus tollens": 2,
    "hypothetical syllogism": 2,
}
"""Lines that each rule rests on."""

_SPELLED = {
    "words": (("implies", ">"), ("and", "&"), ("or", "|"), ("not", "~")),
    "arrows": (("->", ">"),),
    "unicode": (("\u2192", ">"), ("\u2227", "&"), ("\u2228", "|"), ("\u00ac", "~")),
    "code": (),
}
_NAMES = {">": "if", "&": "and", "|": "or"}


def parse_formula(text: str, notation: str) -> Any:
    """Read a formula.

    Args:
        text: as written; the outermost brackets may be missing.
        notation: "words", "arrows", "unicode" or "code".

    Returns:
        A letter, ("not", a), or (sign, a, b) with sign "if", "and" or "or".

    Raises:
        ValueError: it is no formula.
    """
    for word, sign in _SPELLED[notation]:
        text = text.replace(word, sign)
    signs = [sign for sign in text if not sign.isspace()]
    term, rest = _operand(signs)
    if rest:
        term, rest = _joined(term, rest)
    if rest:
        raise ValueError(f"{text!r} is no formula")
    return term


def _joined(left: Any, signs: list[str]) -> tuple[Any, list[str]]:
    if signs[0] not in _NAMES:
        raise ValueError(f"{signs[0]!r} joins nothing")
    right, rest = _operand(signs[1:])
    return (_NAMES[signs[0]], left, right), rest


def _operand(signs: list[str]) -> tuple[Any, list[str]]:
    if not signs:
        raise ValueError("a formula ends too early")
    head, rest = signs[0], signs[1:]
    if head == "~":
        inner, rest = _operand(rest)
        return ("not", inner), rest
    if head == "(":
        left, rest = _operand(rest)
        term, rest = _joined(left, rest) if rest else (left, rest)
        if not rest or rest[0] != ")":
            raise ValueError("a bracket is not closed")
        return term, rest[1:]
    if not (head.isalpha() and head.isupper()):
        raise ValueError(f"{head!r} is no letter")
    return head, rest


def value_under(term: Any, model: dict[str, bool]) -> bool:
    """Return whether a formula holds.

    Args:
        term: from `parse_formula`.
        model: truth of each letter.

    Returns:
        Its truth.
    """
    if isinstance(term, str):
        return model[term]
    values = [value_under(part, model) for part in term[1:]]
    match term[0]:
        case "not":
            return not values[0]
        case "and":
            return values[0] and values[1]
        case "or":
            return values[0] or values[1]
        case _:
            return values[1] or not values[0]
