"""Solvers of the problems that scientific texts set.

Theory of operation. Each returns the worked values in order and the answer, from the stored numbers
alone.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from qmpi.content.verify.fact_checks import World
from qmpi.content.verify.scientific_cause_facts import motions
from qmpi.content.verify.scientific_oracles import (
    average,
    decimal_text,
    middle,
    probability_text,
    signs,
)

Row = Mapping[str, Any]
Solution = tuple[list[str], str]
_MOST_DOUBLINGS = 200


def solve_study(world: World, number: int) -> Solution:
    """Solve a problem of a world.

    Args:
        world: with puzzles.
        number: of the puzzle.

    Returns:
        Worked values in order, and the answer.
    """
    puzzle = world["puzzles"][number]
    if puzzle["kind"] == "chain":
        return motions(world, puzzle)
    return _SOLVERS[puzzle["kind"]](puzzle)


def given_text(world: World, number: int, name: str, unit: str) -> str:
    """Return a given number as the question must print it.

    Args:
        world: with puzzles.
        number: of the puzzle.
        name: of the number.
        unit: after it; may be empty.

    Returns:
        Number and unit; numbers of a list with commas.
    """
    value = world["puzzles"][number][name]
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return f"{text} {unit}" if unit else text


def _mean(puzzle: Row) -> Solution:
    values = puzzle["values"]
    total = 0
    for value in values:
        total += value
    return [str(total), str(len(values))], decimal_text(average(values), 2)


def _median(puzzle: Row) -> Solution:
    left, ordered = list(puzzle["values"]), list[int]()
    while left:
        ordered.append(left.pop(left.index(min(left))))
    return [", ".join(map(str, ordered))], decimal_text(middle(puzzle["values"]), 1)


def _pooling(puzzle: Row) -> Solution:
    first, second = [puzzle["m"]] * puzzle["n"], [puzzle["l"]] * puzzle["k"]
    both = first + second
    steps = [sum(first), sum(second), sum(both), len(both)]
    return list(map(str, steps)), decimal_text(average(both), 2)


def _dilution(puzzle: Row) -> Solution:
    amount = puzzle["target"] * puzzle["volume"]
    need = Fraction(puzzle["target"], puzzle["stock"]) * puzzle["volume"]
    if need > puzzle["volume"]:
        raise ValueError("the stock is too thin")
    return [str(amount)], f"{decimal_text(need, 2)} ml"


def _signs(puzzle: Row) -> Solution:
    up, down = puzzle["up"], puzzle["down"]
    return [str(1 << (up + down))], probability_text(signs(up, down))


def _growth(puzzle: Row) -> Solution:
    now, time, steps = puzzle["start"], 0, list[str]()
    while time < puzzle["time"] and len(steps) < _MOST_DOUBLINGS:
        now, time = now + now, time + puzzle["span"]
        steps.append(str(now))
    if time != puzzle["time"]:
        raise ValueError("the time is no whole number of doublings")
    return steps, str(now)


_SOLVERS: dict[str, Callable[[Row], Solution]] = {
    "mean": _mean,
    "median": _median,
    "pooling": _pooling,
    "dilution": _dilution,
    "signs": _signs,
    "growth": _growth,
}
