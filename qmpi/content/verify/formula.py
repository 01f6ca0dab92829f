"""Reads formulas out of worked steps and tells whether they hold.

Theory of operation. A line of working is words and formulas mixed. Known letters, functions,
numbers and signs are formula; every other word, and a comma or full stop, ends a formula. Each
formula must be a chain of equalities or comparisons and must hold, by exact fractions, in every
world given (values of the letters; an identity is tried at several values). A number outside such a
chain is a fault in itself, so no digit of the working goes unchecked.
"""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from math import comb, factorial, gcd, lcm, perm

_TOKEN = re.compile(r"\d+(?:\.\d+)?|[A-Za-z]_\d+|[A-Za-z]+|<=|>=|!=|[-+*/^()!%=<>,]|\S")
_FUNCTIONS = {"gcd": gcd, "lcm": lcm, "C": comb, "P": perm}
_RELATIONS = ("=", "<", ">", "<=", ">=", "!=")
_SIGNS = frozenset("-+*/^()!%")
Number = Fraction | int
World = Mapping[str, Number]


def steps_fault(steps: Sequence[str], worlds: Sequence[World] = ({},)) -> str | None:
    """Check every formula in worked steps.

    Args:
        steps: a line each.
        worlds: values of letters; each formula must hold in all of them.

    Returns:
        The first fault in words; None if all hold.
    """
    for step in steps:
        for run in _runs(step, worlds[0]):
            for world in worlds:
                if not _holds(run, world):
                    return f"{' '.join(run)!r} in {step!r} does not hold"
    return None


def evaluate(text: str, world: World | None = None) -> Fraction:
    """Compute a formula.

    Args:
        text: one formula without a relation.
        world: values of letters.

    Returns:
        The exact value.

    Raises:
        ValueError: it is no formula.
    """
    return Fraction(_Reader(_tokens(text), world or {}).whole())


def _small(number: Number) -> int:
    # What counts ways is bounded, so that a garbled text costs no hours.
    if number.denominator != 1 or not 0 <= number <= 1000:
        raise ValueError(f"{number} is no number to count with")
    return int(number)


@lru_cache(maxsize=64)
def _tokens(text: str) -> Sequence[str]:
    # One polynomial is often computed at many places in a row.
    return _TOKEN.findall(text)


def _runs(step: str, world: World) -> list[list[str]]:
    runs, run, depth = list[list[str]](), list[str](), 0
    for token in [*_TOKEN.findall(step), ";"]:
        formula = (
            token[0].isdigit()
            or token in world
            or token in _SIGNS
            or token in _RELATIONS
            or token in _FUNCTIONS
            or token == "mod"
            or (token == "," and depth > 0)
        )
        if formula:
            run.append(token)
            depth += {"(": 1, ")": -1}.get(token, 0)
            continue
        runs.append(run)
        run, depth = [], 0
    return [r for r in runs if _says(r, world)]


def _says(run: list[str], world: World) -> bool:
    digits = any(token[0].isdigit() for token in run)
    related = any(token in _RELATIONS for token in run)
    return digits or (related and any(token in world for token in run))


def _holds(run: list[str], world: World) -> bool:
    modulus = 0
    if len(run) > 4 and run[-4:-2] == ["(", "mod"] and run[-1] == ")":
        modulus, run = int(run[-2]), run[:-4]
    parts, relations = [list[str]()], list[str]()
    for token in run:
        if token in _RELATIONS:
            relations.append(token)
            parts.append([])
        else:
            parts[-1].append(token)
    if not relations:
        return False
    values = [_Reader(part, world).whole() for part in parts]
    # Of "a = b = c (mod m)" the last equality alone is modular.
    moduli = [0] * (len(relations) - 1) + [modulus]
    return all(map(_related, values, relations, values[1:], moduli))


def _related(left: Number, sign: str, right: Number, modulus: int) -> bool:
    if modulus:
        return sign == "=" and (left - right) % modulus == 0
    return {
        "=": left == right,
        "<": left < right,
        ">": left > right,
        "<=": left <= right,
        ">=": left >= right,
        "!=": left != right,
    }[sign]


class _Reader:
    """Reads tokens by precedence climbing."""

    def __init__(self, tokens: Sequence[str], world: World) -> None:
        self._tokens = tokens
        self._world = world
        self._place = 0

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._place += 1
        return token

    def whole(self) -> Number:
        value = self._sum()
        if self._peek():
            raise ValueError(f"{' '.join(self._tokens)!r} goes on after its end")
        return value

    def _sum(self) -> Number:
        value = self._product()
        while self._peek() in ("+", "-"):
            value = value + self._product() if self._next() == "+" else value - self._product()
        return value

    def _product(self) -> Number:
        value = self._signed()
        while True:
            token = self._peek()
            if token == "*":
                self._place += 1
                value *= self._signed()
            elif token == "/":
                self._place += 1
                value = Fraction(value) / self._signed()
            elif token == "(" or token in self._world or token in _FUNCTIONS:
                value *= self._power()
            else:
                return value

    def _signed(self) -> Number:
        if self._peek() == "-":
            self._place += 1
            return -self._signed()
        return self._power()

    def _power(self) -> Number:
        base = self._atom()
        while self._peek() in ("!", "%"):
            base = factorial(_small(base)) if self._next() == "!" else Fraction(base) / 100
        if self._peek() != "^":
            return base
        self._place += 1
        exponent = self._signed()
        if exponent.denominator != 1 or abs(exponent) > 4096:
            raise ValueError(f"{exponent} is no exponent")
        return (base if exponent >= 0 else Fraction(base)) ** int(exponent)

    def _atom(self) -> Number:
        token = self._next()
        if token == "(":
            value = self._sum()
            self._expect(")")
            return value
        if token in self._world:
            return self._world[token]
        if token in _FUNCTIONS:
            self._expect("(")
            values = [int(self._sum())]
            while self._peek() == ",":
                self._place += 1
                values.append(int(self._sum()))
            self._expect(")")
            if token in ("C", "P"):
                values = [_small(value) for value in values]
            return _FUNCTIONS[token](*values)
        if not token or not token[0].isdigit():
            raise ValueError(f"a number is missing before {token!r}")
        return int(token) if token.isdigit() else Fraction(token)

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise ValueError(f"{token!r} is missing in {' '.join(self._tokens)!r}")


def numbers_of(text: str) -> list[int]:
    """Return the whole numbers in a text, in order; a minus sign right before counts.

    Args:
        text: any.

    Returns:
        The numbers.
    """
    return [int(number) for number in re.findall(r"(?<![\w.)])-\d+|\d+", text)]
