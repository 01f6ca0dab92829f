"""Sequences and their sums: the rule is drawn, the terms follow."""

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.problem import Family, Problem, lay_out
from qmpi.content.reasoning.scenes import scene

_NEXT = (
    "The numbers {} go on by one rule. What is the {} number?",
    "Continue {} to the {} term.",
    "Somebody lists {}. Which number stands in the {} place?",
    "What is the {1} term of {0}, if the rule goes on?",
    "Find the rule of {}; then name the {} term.",
)
_RULES = ("add", "times", "grow", "both", "two")


def sequence_next(draw: Draw, level: int) -> Problem:
    """A term further on in a sequence with a rule to find.

    Args:
        draw: chance.
        level: 1 to 100; harder rules, farther terms.

    Returns:
        The problem.
    """
    kind = draw.choice(_RULES[: 2 + min(3, level // 20)])
    a, b = draw.between(2, 60 + level), draw.between(2, 40 + level)
    factor = draw.between(2, 4)
    terms = [a, b] if kind == "two" else [a]
    shown, far = 5, draw.between(1, 2 + level // 12)
    steps = list[str]()
    for n in range(len(terms), shown + far):
        line, value = _follow(kind, terms, n, (b, factor))
        terms.append(value)
        steps.append(f"{line} = {value}")
    place = f"{shown + far}th"
    question = draw.choice(_NEXT).format(", ".join(map(str, terms[:shown])), place)
    answer = str(terms[-1])
    world: Certificate = {"terms": tuple(terms[:shown]), "rule": kind, "answer": answer}
    return lay_out(draw, scene(draw) + question, steps, answer, world)


def _follow(kind: str, terms: list[int], n: int, numbers: tuple[int, int]) -> tuple[str, int]:
    b, factor = numbers
    last = terms[-1]
    match kind:
        case "add":
            return f"{last} + {b}", last + b
        case "times":
            return f"{last} * {factor}", last * factor
        case "grow":
            return f"{last} + {b * n}", last + b * n
        case "both":
            return f"{last} * {factor} + {b}", last * factor + b
        case _:
            return f"{terms[-2]} + {last}", terms[-2] + last


_SERIES = (
    "Add up {}.",
    "What is the sum {}?",
    "Find the value of {}.",
    "How much is {} in all?",
    "Evaluate the series {}.",
)


def series_sum(draw: Draw, level: int) -> Problem:
    """The sum of an arithmetic or geometric series, by its formula.

    Args:
        draw: chance.
        level: 1 to 100; longer series.

    Returns:
        The problem.
    """
    first, count = draw.between(2, 90 + level), draw.between(6, 12 + 3 * level)
    if draw.below(2):
        step = draw.between(2, 20 + level)
        last = first + (count - 1) * step
        total = (first + last) * count // 2
        steps = [
            f"number of terms: ({last} - {first}) / {step} + 1 = {count}",
            f"first and last: {first} + {last} = {first + last}",
            f"{count} * {first + last} / 2 = {total}",
        ]
        rule = (1, step)
    else:
        count, factor = draw.between(5, 7 + level // 8), draw.between(2, 5)
        last = first * factor ** (count - 1)
        total = first * (factor**count - 1) // (factor - 1)
        steps = [
            f"{first} * {factor}^{count - 1} = {last}",
            f"{last} * {factor} - {first} = {last * factor - first}",
            f"{last * factor - first} / ({factor} - 1) = {total}",
        ]
        rule = (factor, 0)
    terms = [first]
    for _ in range(3):
        terms.append(terms[-1] * rule[0] + rule[1])
    shown = f"{' + '.join(map(str, terms))} + ... + {last}"
    world: Certificate = {"shown": shown, "answer": str(total)}
    question = draw.choice(_SERIES).format(shown)
    return lay_out(draw, scene(draw) + question, steps, str(total), world)


FAMILIES: dict[str, Family] = {
    "sequence_next": sequence_next,
    "series_sum": series_sum,
}
"""Families by name."""
