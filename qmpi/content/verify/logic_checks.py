"""Independent solvers of the logic families; see `qmpi.content.verify`.

Formulas are parsed back and computed on all rows at once, one bit a row; circuits are pulled from
the output backwards; orderings follow from the transitive closure of the clues; syllogisms are
tried on the largest model of their premises; knights and knaves are found by trying every island.
"""

import re
from itertools import product

from qmpi.content.exercise import Exercise, question_of, steps_of

_OPERATORS = {
    "and": "&",
    "or": "|",
    "implies": ">",
    "xor": "^",
    "not": "~",
    "->": ">",
}


def check_truth_table(exercise: Exercise, answer: str) -> str | None:
    """Check a truth table.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    formula = str(exercise.certificate["formula"])
    if f" {formula} " not in re.sub(r"([.,?]) ", r" \1 ", question_of(exercise.text)):
        return "the question asks for another formula than the certificate"
    letters = sorted(set(re.findall(r"[P-T]", formula)))
    rows = 1 << len(letters)
    masks = {
        letter: sum(1 << row for row in range(rows) if not row >> (len(letters) - 1 - n) & 1)
        for n, letter in enumerate(letters)
    }
    full = (1 << rows) - 1
    tokens: list[str] = re.findall(r"->|[a-z]+|[P-T()&|^~]", formula)
    value, end = _disjunct([_OPERATORS.get(t, t) for t in tokens], 0, masks, full)
    if end != len(tokens):
        return f"{formula} cannot be read"
    expected = {0: "never true", full: "always true"}.get(value, "sometimes true")
    if expected != answer:
        return f"{formula} is {expected}, not {answer}"
    return _table_fault(steps_of(exercise.text), letters, value)


def _table_fault(steps: list[str], letters: list[str], value: int) -> str | None:
    if not steps:
        return None
    expected = [" ".join([*letters, "value"])]
    for number, row in enumerate(product("TF", repeat=len(letters))):
        expected.append(" ".join([*row, "T" if value >> number & 1 else "F"]))
    if len(steps) != len(expected):
        return f"the table has {len(steps)} lines, not {len(expected)}"
    for shown, right in zip(steps, expected, strict=True):
        if shown != right:
            return f"the row {shown!r} should be {right!r}"
    return None


# One binary formula, or a single operand; brackets make deeper ones.
def _disjunct(tokens: list[str], place: int, masks: dict[str, int], full: int) -> tuple[int, int]:
    left, place = _operand(tokens, place, masks, full)
    if place == len(tokens) or tokens[place] == ")":
        return left, place
    sign = tokens[place]
    right, place = _operand(tokens, place + 1, masks, full)
    match sign:
        case "&":
            return left & right, place
        case "|":
            return left | right, place
        case "^":
            return left ^ right, place
        case ">":
            return (full & ~left) | right, place
        case _:
            raise ValueError(f"{sign!r} is no operator")


def _operand(tokens: list[str], place: int, masks: dict[str, int], full: int) -> tuple[int, int]:
    token = tokens[place]
    if token == "~":
        value, end = _operand(tokens, place + 1, masks, full)
        return full & ~value, end
    if token == "(":
        value, end = _disjunct(tokens, place + 1, masks, full)
        if tokens[end] != ")":
            raise ValueError("a bracket is not closed")
        return value, end + 1
    return masks[token], place + 1


def check_circuit(exercise: Exercise, answer: str) -> str | None:
    """Check a circuit.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    gates = {
        name: (one, kind, other)
        for name, one, kind, other in re.findall(
            r"^(g\d+) = (?:([gx]\d+) )?([A-Z]+) ([gx]\d+)$", question, re.MULTILINE
        )
    }
    known = {name: bit == "1" for name, bit in re.findall(r"(x\d+) = ([01])\b", question)}
    asked = re.search(r"(?:what is|Find|does) (g\d+)", question)
    if asked is None or not gates:
        return "the question lacks the gates or the output"
    if _pull(asked[1], gates, known) != (answer == "1"):
        return f"{asked[1]} is not {answer}"
    for step in steps_of(exercise.text):
        fault = _gate_fault(step, gates, known)
        if fault:
            return fault
    return None


def _pull(name: str, gates: dict[str, tuple[str, str, str]], known: dict[str, bool]) -> bool:
    if name not in known:
        one, kind, other = gates[name]
        inputs = [_pull(wire, gates, known) for wire in (one, other) if wire]
        known[name] = _gate(kind, inputs)
    return known[name]


def _gate(kind: str, inputs: list[bool]) -> bool:
    high = sum(inputs)
    return {
        "NOT": high == 0,
        "AND": high == 2,
        "NAND": high != 2,
        "OR": high > 0,
        "NOR": high == 0,
        "XOR": high == 1,
    }[kind]


def _gate_fault(
    step: str, gates: dict[str, tuple[str, str, str]], known: dict[str, bool]
) -> str | None:
    name, _, rest = step.partition(" = ")
    shown, _, bit = rest.rpartition(" = ")
    one, kind, other = gates[name]
    wires = [str(int(_pull(wire, gates, known))) if wire else "" for wire in (one, other)]
    right = " ".join(part for part in (wires[0], kind, wires[1]) if part)
    value = str(int(_pull(name, gates, known)))
    if (shown, bit) != (right, value):
        return f"the step {step!r} should be '{name} = {right} = {value}'"
    return None


def check_ordering(exercise: Exercise, answer: str) -> str | None:
    """Check an ordering.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    more, less = str(exercise.certificate["more"]), str(exercise.certificate["less"])
    above: dict[str, set[str]] = {}
    for who, way, than in re.findall(r"([A-Z]\w+) is (\w+) than ([A-Z]\w+)\.", question):
        if way not in (more, less):
            return f"{way!r} is no comparison of this puzzle"
        greater, lesser = (who, than) if way == more else (than, who)
        above.setdefault(greater, set())
        above.setdefault(lesser, set()).add(greater)
    for middle in above:
        for others in above.values():
            if middle in others:
                others |= above[middle]
    order = sorted(above, key=lambda name: len(above[name]))
    if [len(above[name]) for name in order] != list(range(len(order))):
        return "the clues do not fix one order"
    place = _asked_place(question, order, more)
    if order[place] != answer:
        return f"the clues give {order[place]}, not {answer}"
    for step in steps_of(exercise.text):
        if step.partition(": ")[2] != ", ".join(order) + ".":
            return f"the order is {', '.join(order)}, not as in {step!r}"
    return None


_COUNTED = {
    word: number
    for number, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth".split()  # noqa: SIM905
    )
}


def _asked_place(question: str, order: list[str], more: str) -> int:
    end = re.search(r"(?:Who is the|counted from the) (\w+)\?", question)
    if end is None:
        raise ValueError("the question does not say who is asked for")
    word = re.search(r"Who is in (\w+) place", question)
    number = _COUNTED[word[1]] if word else 0
    from_top = end[1] == f"{more.removesuffix('er')}est"
    return number if from_top else len(order) - 1 - number


def check_syllogism(exercise: Exercise, answer: str) -> str | None:
    """Check a syllogism.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    premises = re.findall(r"\b(All|No|Some) (\w+) are (\w+)\.", question)
    asked = re.search(r" that (all|no|some) (\w+) are (not )?(\w+)\?", question)
    if asked is None or not premises:
        return "the question lacks premises or a conclusion"
    kinds = sorted({kind for _, one, other in premises for kind in (one, other)})
    # A being is the set of kinds it belongs to; the largest model holds every being that is
    # allowed.
    beings = [
        being
        for mask in range(1 << len(kinds))
        if _allowed(being := {k for n, k in enumerate(kinds) if mask >> n & 1}, premises)
    ]
    witnesses = [
        [being for being in beings if one in being and other in being]
        for form, one, other in premises
        if form == "Some"
    ]
    if not all(witnesses):
        return "the premises contradict each other"
    follows = _follows((asked[1], asked[2], asked[4]), bool(asked[3]), beings, witnesses)
    if follows != (answer == "yes"):
        return f"{asked[0].strip(' ?')}: that {'follows' if follows else 'does not follow'}"
    for step in steps_of(exercise.text):
        for claim in _claims(step, kinds):
            if not _follows(*claim, beings, witnesses):
                return f"{' '.join(claim[0])} does not follow, yet a step says so"
    return None


# What a step claims: sentences, and the links of a chain.
def _claims(step: str, kinds: list[str]) -> list[tuple[tuple[str, str, str], bool]]:
    said = re.findall(r"\b(All|No|Some) (\w+) are (no |not )?(\w+)", step, re.IGNORECASE)
    said += [("all", one, "", other) for one, other in re.findall(r"(\w+) (?=-> (\w+))", step)]
    return [
        ((form.lower(), one, other), bool(negated))
        for form, one, negated, other in said
        if one in kinds and other in kinds
    ]


def _allowed(being: set[str], premises: list[tuple[str, str, str]]) -> bool:
    for form, one, other in premises:
        if one in being and (form, other in being) in (("All", False), ("No", True)):
            return False
    return True


def _follows(
    claim: tuple[str, str, str],
    negated: bool,  # noqa: FBT001  it is part of the claim
    beings: list[set[str]],
    witnesses: list[list[set[str]]],
) -> bool:
    form, one, other = claim
    if form == "all":
        return all(other in being for being in beings if one in being)
    if form == "no":
        return not any(one in being and other in being for being in beings)
    # A model may hold one witness a premise and no more, so one premise alone has to give the
    # claim.
    return any(
        all(one in being and (other in being) != negated for being in group) for group in witnesses
    )


def check_knights(exercise: Exercise, answer: str) -> str | None:
    """Check a puzzle of knights and knaves.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    said = re.findall(r'([A-Z]\w+) (?:says|claims|declares): "([^"]+)\."', question)
    known = re.findall(r"It is known that (\w+) is a (knight|knave)\.", question)
    asked = re.search(r" Is (\w+) a knight or a knave\?", question)
    names = exercise.certificate["people"]
    if asked is None or not isinstance(names, tuple):
        return "the question does not say who is asked for"
    people = [str(name) for name in names]
    islands = [
        island
        for kinds in product((True, False), repeat=len(people))
        if _fits(island := dict(zip(people, kinds, strict=True)), said, known)
    ]
    if len(islands) != 1:
        return f"{len(islands)} islands fit what is said"
    shown = {name: "knight" if honest else "knave" for name, honest in islands[0].items()}
    if shown[asked[1]] != answer:
        return f"{asked[1]} is a {shown[asked[1]]}, not a {answer}"
    for step in steps_of(exercise.text):
        name, _, kind = step.removesuffix(".").partition(" is a ")
        if shown.get(name) != kind:
            return f"the step {step!r} is wrong"
    return None


def _fits(
    island: dict[str, bool], said: list[tuple[str, str]], known: list[tuple[str, str]]
) -> bool:
    if any(island[name] != (kind == "knight") for name, kind in known):
        return False
    return all(
        island[speaker] == _true(re.sub(r"\bI\b", speaker, words), island)
        for speaker, words in said
    )


def _true(words: str, island: dict[str, bool]) -> bool:
    named = [island[name] for name in re.findall(r"[A-Z]\w+", words) if name in island]
    if words.endswith("is a knave") and not words.startswith("At least"):
        return not named[0]
    if words.endswith("is a knight"):
        return named[0]
    if words.endswith("of the same kind"):
        return named[0] == named[1]
    if words.endswith("of different kinds"):
        return named[0] != named[1]
    if words.startswith("At least one of"):
        return False in named
    if words.endswith("are both knaves"):
        return True not in named
    raise ValueError(f"nobody can check {words!r}")
