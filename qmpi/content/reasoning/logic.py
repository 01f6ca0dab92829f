"""Logic in symbols: propositional formulas and circuits of gates."""

from itertools import product

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.problem import Problem, grown, lay_out

Formula = str | tuple[str, "Formula"] | tuple[str, "Formula", "Formula"]
"""A letter, ("not", formula), or (operator, left, right)."""

_WORDS = {"and": "and", "or": "or", "implies": "implies", "xor": "xor", "not": "not "}
_SIGNS = {"and": "&", "or": "|", "implies": "->", "xor": "^", "not": "~"}
_GATES = ("AND", "OR", "XOR", "NAND", "NOR")


def truth_table(draw: Draw, level: int) -> Problem:
    """Is a formula always true, never true, or sometimes true? Answered by its truth table.

    Args:
        draw: chance.
        level: 1 to 100; more letters and operators.

    Returns:
        The problem.
    """
    letters = sorted(draw.sample("PQRST", grown(draw, level, 2, 4)))
    formula = _formula(draw, letters, grown(draw, level, 1, 9))
    spelling = draw.choice((_WORDS, _SIGNS))
    shown = _written(formula, spelling, outermost=True)
    used = [letter for letter in letters if letter in shown]
    steps, values = [" ".join([*used, "value"])], list[bool]()
    for row in product((True, False), repeat=len(used)):
        world = dict(zip(used, row, strict=True))
        values.append(_true(formula, world))
        steps.append(" ".join("T" if cell else "F" for cell in (*row, values[-1])))
    answer = "always true" if all(values) else "sometimes true" if any(values) else "never true"
    ask = draw.choice(
        (
            "Is the formula {} always true, never true, or sometimes true?",
            "Decide by a truth table whether {} is always true, sometimes true or never true.",
            "Consider {}. Is it always, sometimes or never true?",
            "Over all assignments, is {} always true, sometimes true, or never true?",
        )
    )
    certificate: Certificate = {"formula": shown, "letters": tuple(used), "answer": answer}
    return lay_out(draw, ask.format(shown), steps, answer, certificate)


def _formula(draw: Draw, letters: list[str], size: int) -> Formula:
    if size <= 0:
        letter = draw.choice(letters)
        return ("not", letter) if draw.below(4) == 0 else letter
    share = draw.below(size)
    left, right = _formula(draw, letters, share), _formula(draw, letters, size - 1 - share)
    whole: Formula = (draw.choice(("and", "or", "implies", "xor")), left, right)
    return ("not", whole) if draw.below(6) == 0 else whole


def _written(formula: Formula, spelling: dict[str, str], *, outermost: bool) -> str:
    if isinstance(formula, str):
        return formula
    if len(formula) == 2:
        return spelling["not"] + _written(formula[1], spelling, outermost=False)
    left = _written(formula[1], spelling, outermost=False)
    right = _written(formula[2], spelling, outermost=False)
    text = f"{left} {spelling[formula[0]]} {right}"
    return text if outermost else f"({text})"


def _true(formula: Formula, world: dict[str, bool]) -> bool:
    if isinstance(formula, str):
        return world[formula]
    if len(formula) == 2:
        return not _true(formula[1], world)
    left, right = _true(formula[1], world), _true(formula[2], world)
    match formula[0]:
        case "and":
            return left and right
        case "or":
            return left or right
        case "implies":
            return right or not left
        case _:
            return left != right


def circuit(draw: Draw, level: int) -> Problem:
    """The output of a circuit of gates.

    Args:
        draw: chance.
        level: 1 to 100; more inputs and gates, some of which lead nowhere.

    Returns:
        The problem.
    """
    inputs = [f"x{n}" for n in range(1, 1 + grown(draw, level, 2, 8))]
    values = {name: draw.below(2) for name in inputs}
    gates: list[tuple[str, str, str, str]] = []
    for number in range(1, 1 + grown(draw, level, 2, 16)):
        one, other = draw.sample(sorted(values), 2)
        # Half of the wires come from the newest gate, so that depth grows and not only breadth.
        if gates and draw.below(2) and other != gates[-1][0]:
            one = gates[-1][0]
        kind = "NOT" if draw.below(7) == 0 else draw.choice(_GATES)
        name = f"g{number}"
        gates.append((name, kind, one, other))
        values[name] = _output(kind, values[one], values[other])
    wires = [_gate(gate) for gate in gates]
    given = ", ".join(f"{name} = {values[name]}" for name in inputs)
    last = gates[-1][0]
    head = draw.choice(("A circuit has the gates", "Gates:", "Given these gates:", "Wiring:"))
    ask = draw.choice(
        (
            f"With {given}, what is {last}?",
            f"Inputs: {given}. Find {last}.",
            f"Set {given}. Which bit does {last} give?",
        )
    )
    steps = [
        f"{name} = {_shown(kind, values[one], values[other])} = {values[name]}"
        for name, kind, one, other in gates
    ]
    world: Certificate = {
        "inputs": tuple(values[name] for name in inputs),
        "gates": tuple(wires),
        "answer": str(values[last]),
    }
    question = "\n".join([head, *wires, ask])
    return lay_out(draw, question, steps, str(values[last]), world)


def _gate(gate: tuple[str, str, str, str]) -> str:
    name, kind, one, other = gate
    return f"{name} = {_shown(kind, one, other)}"


def _shown(kind: str, one: int | str, other: int | str) -> str:
    return f"NOT {one}" if kind == "NOT" else f"{one} {kind} {other}"


def _output(kind: str, one: int, other: int) -> int:
    match kind:
        case "NOT":
            return 1 - one
        case "AND":
            return one & other
        case "OR":
            return one | other
        case "XOR":
            return one ^ other
        case "NAND":
            return 1 - (one & other)
        case _:
            return 1 - (one | other)
