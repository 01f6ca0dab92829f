"""Solvers of causes: rules applied until nothing changes, machines run without a fault, parity."""

from qmpi.content.exercise import Exercise
from qmpi.content.verify.reading import (
    Check,
    Values,
    certificate_fault,
    first_fault,
    listed,
    only,
    sorted_out,
    steps_any_order_fault,
    steps_fault,
    told,
)

_SIGNALS = {
    "asked": (
        "Is the {what} then on or off",
        "What is the {what} after that, on or off",
        "Does that leave the {what} on or off",
    ),
    "changed": (
        "Is the {what} then different from what it was",
        "Does this change the {what}",
        "Would the {what} have been otherwise without that",
    ),
    "force": (
        r"Now \w+ forces the {what} {state:w}, whatever its causes say",
        r"\w+ cuts the {what} off from its causes and holds it {state:w}",
        r"By hand \w+ keeps the {what} {state:w}, and its own causes no longer count",
    ),
    "and": (
        "The {what} is on exactly when the {one} and the {two} are both on",
        "Only with both the {one} and the {two} on is the {what} on",
        "The {what} needs the {one} and the {two} to be on, and is then on",
    ),
    "or": (
        "The {what} is on exactly when at least one of the {one} and the {two} is on",
        "The {one} or the {two}, or both, being on makes the {what} on; else it is off",
        "The {what} is off only if the {one} and the {two} are both off",
    ),
    "xor": (
        "The {what} is on exactly when just one of the {one} and the {two} is on",
        "If the {one} and the {two} differ, the {what} is on, else off",
        "The {what} is off only if the {one} and the {two} are alike",
    ),
    "not": (
        "The {what} is on exactly when the {one} is off",
        "The {what} is always the opposite of the {one}",
        "While the {one} is on the {what} is off, and the other way round",
    ),
    "same": (
        "The {what} is on exactly when the {one} is on",
        "The {what} just follows the {one}",
        "As the {one} is, so is the {what}",
    ),
    "root": (
        "The {what} is (?P<state>on|off)",
        "At first the {what} is (?P<state>on|off)",
        "Someone has turned the {what} (?P<state>on|off)",
    ),
}
_SIGNAL_STEPS = (
    r"The {what} was {old:w} and is {new:w}\.",
    "{what}: {old:w}, then {new:w}",
    r"Before, the {what} is {old:w}; after, it is {new:w}\.",
)


def check_intervention(exercise: Exercise, answer: str) -> str | None:
    """Check what forcing a signal does to another.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _SIGNALS)
    force = only(found.pop("force", []), "what is forced")
    changed = "changed" in found
    asked = only(found.pop("asked", []) + found.pop("changed", []), "what is asked")["what"]
    rules = {v["what"]: (kind, v) for kind, values in found.items() for v in values}
    before = _fixpoint(rules)
    forced = {**rules, force["what"]: ("root", force)}
    after = _fixpoint(forced)
    right = after[asked]
    if changed:
        right = "yes" if before[asked] != after[asked] else "no"
    if right != answer:
        return f"{asked}: {right}, not {answer}"
    expected = [{"what": what, "old": before[what], "new": after[what]} for what in rules]
    return first_fault(
        certificate_fault(exercise, forced=force["what"], asked=asked),
        steps_any_order_fault(exercise, _SIGNAL_STEPS, expected),
    )


def _fixpoint(rules: dict[str, tuple[str, Values]]) -> dict[str, str]:
    state = dict.fromkeys(rules, "off")
    for _ in range(len(rules) + 1):
        before = state.copy()
        for what, (kind, v) in rules.items():
            state[what] = v["state"] if kind == "root" else _by_rule(kind, v, state)
        if state == before:
            return state
    raise ValueError("the signals never come to rest")


def _by_rule(kind: str, v: Values, state: dict[str, str]) -> str:
    lit = [state[v[slot]] == "on" for slot in ("one", "two") if slot in v]
    yes = {
        "and": all(lit),
        "or": any(lit),
        "xor": lit.count(True) == 1,
        "not": not lit[0],
        "same": lit[0],
    }[kind]
    return "on" if yes else "off"


_NUMBERS = {"one": 1, "two": 2, "three": 3}
_MACHINE = {
    "parts": (
        "The {what} fails when {need:w} of these fail, {parts}",
        "When {need:w} of the following are out, the {what} is out, namely {parts}",
        "It takes {need:w} failures to stop the {what}, among {parts}",
        "The {what} stops once {need:w} of its parts fail, which are {parts}",
    ),
    "broken": (
        "Last night there broke {parts}",
        "This morning the following were broken, {parts}",
        "Inspectors found out of order {parts}",
        "Of the smallest parts these failed, {parts}",
    ),
    "all": (
        "Which of these breaks were needed, so that without that one alone the {what} had gone on",
        "Name every single break without which the {what} would not have stopped",
        "Which breaks are but-for causes, each of which alone undone would have kept the {what} "
        "going",
    ),
    "repair": (
        "Would the {what} have gone on if only the {part} had not broken",
        "Had the {part} alone stayed whole, would the {what} have kept going",
        "Does mending the {part} and nothing else get the {what} going",
    ),
}
_MACHINE_STEPS = (
    r"Without the {still} broken, the {what} stops all the same\.",
    r"With the {gone} whole, the {what} goes\.",
    "{still}: no matter",
    "{gone}: needed",
    r"Mend the {still} and it still stands\.",
    r"Mend the {gone} and it runs\.",
)


def check_but_for(exercise: Exercise, answer: str) -> str | None:
    """Check which faults were necessary.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _MACHINE)
    rules = {v["what"]: (_NUMBERS[v["need"]], _bare(v["parts"])) for v in found["parts"]}
    broken = _bare(only(found["broken"], "the breaks")["parts"])
    asked = only(found["all"] + found["repair"], "what is asked")
    top, part = asked["what"], asked.get("part", "all")
    if not _fails(top, rules, set(broken)):
        return f"the {top} does not stop at all"
    saved = [b for b in broken if not _fails(top, rules, set(broken) - {b})]
    if part == "all":
        right = " and ".join(sorted(saved)).replace(" and ", ", ", max(0, len(saved) - 2))
        right = right or "none of them"
    else:
        right = "yes" if part in saved else "no"
    if right != answer:
        return f"needed: {right}, not {answer}"
    expected = [{"gone" if b in saved else "still": b, "what": top} for b in broken]
    return first_fault(
        certificate_fault(exercise, machine=top, asked=part),
        steps_fault(exercise, _MACHINE_STEPS, expected),
    )


def _bare(parts: str) -> list[str]:
    return [part.removeprefix("the ") for part in listed(parts)]


def _fails(part: str, rules: dict[str, tuple[int, list[str]]], broken: set[str]) -> bool:
    if part not in rules:
        return part in broken
    # No part is made of itself: a rule that leads back to its own part finds none.
    need, parts = rules[part]
    others = {name: rule for name, rule in rules.items() if name != part}
    return sum(_fails(inner, others, broken) for inner in parts) >= need


_LAMPS = {
    "head": (
        r"\w+ has a board with lamps for the towns {lamps}, of which {lit} at first",
        r"On the desk of \w+ the lamps of {lamps} stand for towns, and {lit} in the beginning",
        r"A map with lamps at {lamps} hangs in the office of \w+; {lit} to begin with",
    ),
    "button": (
        "The {button:w} button switches the lamps of {lamps}",
        "With the {button:w} button the lamps of {lamps} change",
        "On pressing {button:w}, the lamps of {lamps} change from dark to lit or back",
    ),
    "press": (
        r"\w+ presses the {button:w} button",
        r"Then the {button:w} button is pressed by \w+",
        r"The next to press is \w+, on {button:w}",
        r"{button:w} is pushed by \w+",
    ),
}
_LAMP_STEPS = (
    "{button:w}: {lit}",
    r"After {button:w} there is light at {lit}\.",
    "{button:w} -> {lit}",
)


def check_switches(exercise: Exercise, answer: str) -> str | None:
    """Check which lamps are lit.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    wires: dict[str, list[str]] = {}
    pressed: list[str] = []
    heads: list[Values] = []
    for kind, v in told(exercise, _LAMPS):
        if kind == "head":
            heads.append(v)
        elif kind == "button":
            wires[v["button"]] = listed(v["lamps"])
        else:
            pressed.append(v["button"].lower())
    head = only(heads, "the lamps")
    lamps = listed(head["lamps"])
    first = head["lit"].removeprefix("only ").removesuffix(" is lit").removesuffix(" are lit")
    lit = [] if first == "none" else listed(first)
    expected: list[Values] = []
    for count in range(1, len(pressed) + 1):
        # A lamp is lit if it has been switched an odd number of times, its first state included.
        now = [
            lamp
            for lamp in lamps
            if (sum(lamp in wires[b] for b in pressed[:count]) + (lamp in lit)) % 2
        ]
        shown = ", ".join(now[:-1]) + " and " + now[-1] if len(now) > 1 else "".join(now) or "none"
        expected.append({"button": pressed[count - 1], "lit": shown})
    if expected[-1]["lit"] != answer:
        return f"lit are {expected[-1]['lit']}, not {answer}"
    return first_fault(
        certificate_fault(exercise, lamps=lamps, presses=len(pressed)),
        steps_fault(exercise, _LAMP_STEPS, expected),
    )


CHECKS: dict[str, Check] = {
    "intervention": check_intervention,
    "but_for": check_but_for,
    "switches": check_switches,
}
"""Solvers by family."""
