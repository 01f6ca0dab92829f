"""Causes and effects: signals forced by hand, faults without which nothing had happened, lamps."""

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scene_words import (
    JOBS,
    joined,
    numbered,
    one,
    people,
    places,
    things,
    woven,
)

_ROOT = ("The {0} is {1}.", "At first the {0} is {1}.", "Someone has turned the {0} {1}.")
_RULES = {
    "and": (
        "The {0} is on exactly when the {1} and the {2} are both on.",
        "Only with both the {1} and the {2} on is the {0} on.",
        "The {0} needs the {1} and the {2} to be on, and is then on.",
    ),
    "or": (
        "The {0} is on exactly when at least one of the {1} and the {2} is on.",
        "The {1} or the {2}, or both, being on makes the {0} on; else it is off.",
        "The {0} is off only if the {1} and the {2} are both off.",
    ),
    "xor": (
        "The {0} is on exactly when just one of the {1} and the {2} is on.",
        "If the {1} and the {2} differ, the {0} is on, else off.",
        "The {0} is off only if the {1} and the {2} are alike.",
    ),
    "not": (
        "The {0} is on exactly when the {1} is off.",
        "The {0} is always the opposite of the {1}.",
        "While the {1} is on the {0} is off, and the other way round.",
    ),
    "same": (
        "The {0} is on exactly when the {1} is on.",
        "The {0} just follows the {1}.",
        "As the {1} is, so is the {0}.",
    ),
}
_DEVICE_HEAD = (
    "{0}, {1} in {2}, has wired up some signals, each on or off.",
    "In the workshop of {0} at {2} each signal is on or off by fixed rules.",
    "A machine of {2}, run by {0}, has signals that are on or off.",
)
_FORCE = (
    "Now {0} forces the {1} {2}, whatever its causes say.",
    "{0} cuts the {1} off from its causes and holds it {2}.",
    "By hand {0} keeps the {1} {2}, and its own causes no longer count.",
)
_STATE_ASK = (
    "Is the {0} then on or off?",
    "What is the {0} after that, on or off?",
    "Does that leave the {0} on or off?",
)
_CHANGE_ASK = (
    "Is the {0} then different from what it was?",
    "Does this change the {0}?",
    "Would the {0} have been otherwise without that?",
)


def intervention(draw: Draw, level: int) -> Problem:
    """Signals that follow from each other, one of them forced; what does that do to another?

    Args:
        draw: chance.
        level: 1 to 100; more signals.

    Returns:
        The problem.
    """
    count = grown(draw, level, 4, 14)
    names = things(draw, count)
    roots = 2 + count // 4
    rules: list[tuple[str, int, int]] = []
    told: list[str] = []
    for n, name in enumerate(names):
        if n < roots:
            kind = draw.choice(("on", "off"))
            rules.append((kind, 0, 0))
            told.append(draw.choice(_ROOT).format(name, kind))
            continue
        kind = draw.choice(("and", "or", "xor", "not", "same"))
        first = n - 1 if n > roots and draw.below(2) else draw.below(n)
        second = (first + draw.between(1, n - 1)) % n
        rules.append((kind, first, second))
        told.append(draw.choice(_RULES[kind]).format(name, names[first], names[second]))
    draw.shuffle(told)
    who, job = people(draw, 1)[0], draw.choice(JOBS)
    head = draw.choice(_DEVICE_HEAD).format(who, one(job), places(draw, 1)[0])
    told = [head, *woven(draw, level, told)]
    forced, state = draw.below(count - 1), draw.below(2)
    asked = draw.between(max(roots, forced + 1), count - 1)
    told.append(draw.choice(_FORCE).format(who, names[forced], _on(state)))
    before, after = _settled(rules, -1, 0), _settled(rules, forced, state)
    if draw.below(3):
        told.append(draw.choice(_STATE_ASK).format(names[asked]))
        answer = _on(after[asked])
    else:
        told.append(draw.choice(_CHANGE_ASK).format(names[asked]))
        answer = "yes" if before[asked] != after[asked] else "no"
    style = draw.choice(
        (
            "The {0} was {1} and is {2}.",
            "{0}: {1}, then {2}",
            "Before, the {0} is {1}; after, it is {2}.",
        )
    )
    steps = [
        style.format(name, _on(old), _on(new))
        for name, old, new in zip(names, before, after, strict=True)
    ]
    world: Certificate = {"forced": names[forced], "asked": names[asked], "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


def _on(state: int) -> str:
    return "on" if state else "off"


def _settled(rules: list[tuple[str, int, int]], forced: int, state: int) -> list[int]:
    held: list[int] = []
    for n, (kind, one_, other) in enumerate(rules):
        if n == forced:
            held.append(state)
            continue
        match kind:
            case "on":
                value = 1
            case "off":
                value = 0
            case "and":
                value = held[one_] & held[other]
            case "or":
                value = held[one_] | held[other]
            case "xor":
                value = held[one_] ^ held[other]
            case "not":
                value = 1 - held[one_]
            case _:
                value = held[one_]
        held.append(value)
    return held


_PARTS = (
    "The {0} fails when {1} of these fail, the {2}.",
    "When {1} of the following are out, the {0} is out, namely the {2}.",
    "It takes {1} failures to stop the {0}, among the {2}.",
    "The {0} stops once {1} of its parts fail, which are the {2}.",
)
_BROKEN = (
    "Last night there broke the {0}.",
    "This morning the following were broken, the {0}.",
    "Inspectors found out of order the {0}.",
    "Of the smallest parts these failed, the {0}.",
)
_WHOLE = (
    "{0} of {1} looks after the {2}, which did stop.",
    "To the dismay of {0}, {3} in {1}, the {2} stopped.",
    "The {2} of {1} stood still, and {0} has to say why.",
)
_CAUSE_ASK = (
    "Which of these breaks were needed, so that without that one alone the {0} had gone on?",
    "Name every single break without which the {0} would not have stopped.",
    "Which breaks are but-for causes, each of which alone undone would have kept the {0} going?",
)
_REPAIR_ASK = (
    "Would the {0} have gone on if only the {1} had not broken?",
    "Had the {1} alone stayed whole, would the {0} have kept going?",
    "Does mending the {1} and nothing else get the {0} going?",
)


def but_for(draw: Draw, level: int) -> Problem:
    """A machine of parts that stopped; which single faults were necessary for that?

    Args:
        draw: chance.
        level: 1 to 100; more groups of parts.

    Returns:
        The problem.
    """
    groups = grown(draw, level, 2, 6)
    sizes = [draw.between(2, 3) for _ in range(groups)]
    names = things(draw, 1 + groups + sum(sizes))
    top, middle, leaves = names[0], names[1 : 1 + groups], iter(names[1 + groups :])
    parts = [[next(leaves) for _ in range(size)] for size in sizes]
    need = [draw.between(1, size) for size in sizes]
    need_top = draw.between(1, min(2, groups))
    broken = [
        draw.sample(p, min(len(p), k + draw.below(2))) for p, k in zip(parts, need, strict=True)
    ]
    for n in draw.sample(range(groups), groups - need_top):
        if draw.below(2):
            broken[n] = broken[n][: need[n] - 1]
    told = [draw.choice(_PARTS).format(top, _count(need_top), _the(draw.sample(middle, groups)))]
    for name, inner, k in zip(middle, parts, need, strict=True):
        told.append(draw.choice(_PARTS).format(name, _count(k), _the(inner)))
    draw.shuffle(told)
    out = [part for group in broken for part in group]
    draw.shuffle(out)
    told.append(draw.choice(_BROKEN).format(_the(out)))
    who, town = people(draw, 1)[0], places(draw, 1)[0]
    head = draw.choice(_WHOLE).format(who, town, top, one(draw.choice(JOBS)))
    told = [head, *woven(draw, level, told)]
    failing = [len(b) >= k for b, k in zip(broken, need, strict=True)]
    # A break is necessary if its group fails by one alone and the machine by one group alone.
    tight = sum(failing) == need_top
    needed = [
        part
        for part in out
        if any(part in b and len(b) == k and tight for b, k in zip(broken, need, strict=True))
    ]
    style = draw.choice(
        (
            (
                "Without the {0} broken, the {1} stops all the same.",
                "With the {0} whole, the {1} goes.",
            ),
            ("{0}: no matter", "{0}: needed"),
            ("Mend the {0} and it still stands.", "Mend the {0} and it runs."),
        )
    )
    steps = [style[part in needed].format(part, top) for part in out]
    if draw.below(3):
        told.append(draw.choice(_CAUSE_ASK).format(top))
        answer, asked = joined(sorted(needed)) if needed else "none of them", "all"
    else:
        asked = draw.choice(out)
        told.append(draw.choice(_REPAIR_ASK).format(top, asked))
        answer = "yes" if asked in needed else "no"
    world: Certificate = {"machine": top, "asked": asked, "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


def _count(number: int) -> str:
    return ("one", "two", "three")[number - 1]


def _the(items: list[str]) -> str:
    return joined([items[0], *(f"the {item}" for item in items[1:])])


_BUTTON = (
    "The {0} button switches the lamps of {1}.",
    "With the {0} button the lamps of {1} change.",
    "On pressing {0}, the lamps of {1} change from dark to lit or back.",
)
_PRESS = (
    "{0} presses the {1} button.",
    "Then the {1} button is pressed by {0}.",
    "The next to press is {0}, on {1}.",
    "{1} is pushed by {0}.",
)
_LAMP_HEAD = (
    "{0} has a board with lamps for the towns {1}, of which {2} at first.",
    "On the desk of {0} the lamps of {1} stand for towns, and {2} in the beginning.",
    "A map with lamps at {1} hangs in the office of {0}; {2} to begin with.",
)
_LAMP_ASK = (
    "Which lamps are lit in the end?",
    "Name the lamps that are lit now.",
    "Where is light after all this?",
)


def switches(draw: Draw, level: int) -> Problem:
    """Buttons that switch several lamps each; which are lit after some presses?

    Args:
        draw: chance.
        level: 1 to 100; more lamps, buttons, presses.

    Returns:
        The problem.
    """
    lamps = places(draw, grown(draw, level, 3, 7))
    colours = draw.sample(("amber", "blue", "green", "red", "white", "violet", "black", "orange"),
                          grown(draw, level, 2, 5))  # fmt: skip
    wires = [draw.sample(lamps, draw.between(1, min(3, len(lamps)))) for _ in colours]
    lit = set(draw.sample(lamps, draw.below(len(lamps))))
    who = people(draw, 3)
    shown = [lamp for lamp in lamps if lamp in lit]
    first = (
        f"only {joined(shown)} {'are' if len(shown) > 1 else 'is'} lit" if lit else "none is lit"
    )
    head = draw.choice(_LAMP_HEAD).format(who[0], joined(lamps), first)
    told = [draw.choice(_BUTTON).format(c, joined(w)) for c, w in zip(colours, wires, strict=True)]
    draw.shuffle(told)
    steps: list[str] = []
    style = draw.choice(("{0}: {1}", "After {0} there is light at {1}.", "{0} -> {1}"))
    for _ in range(grown(draw, level, 2, 14)):
        button = draw.below(len(colours))
        words = draw.choice(_PRESS).format(draw.choice(who), colours[button])
        told.append(words[0].upper() + words[1:])
        lit ^= set(wires[button])
        shown = [lamp for lamp in lamps if lamp in lit]
        steps.append(style.format(colours[button], joined(shown) if shown else "none"))
    told = [head, *woven(draw, level, told), draw.choice(_LAMP_ASK)]
    answer = joined(shown) if shown else "none"
    world: Certificate = {"lamps": tuple(lamps), "presses": len(steps), "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


FAMILIES: dict[str, Family] = {
    "intervention": intervention,
    "but_for": but_for,
    "switches": switches,
}
"""Families of this module by name."""
