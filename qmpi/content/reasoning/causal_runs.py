"""What would have happened: a counter run without one press, and words passed on by liars."""

from itertools import pairwise

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scene_words import (
    JOBS,
    NOUNS,
    QUALITIES,
    joined,
    numbered,
    one,
    people,
    places,
    woven,
)

Rule = tuple[str, int, int]
"""(kind, number, threshold)."""

_RULES = {
    "add": (
        "The {0} key adds {1}.",
        "Whoever hits the {0} key raises the number by {1}.",
        "By the {0} key the number grows by {1}.",
    ),
    "take": (
        "The {0} key takes {1} away.",
        "Whoever hits the {0} key lowers the number by {1}.",
        "By the {0} key the number falls by {1}.",
    ),
    "double": (
        "The {0} key doubles the number.",
        "Whoever hits the {0} key makes the number twice as large.",
    ),
    "over": (
        "The {0} key takes {1} away if the number is over {2}, else it does nothing.",
        "If the number is over {2}, the {0} key lowers it by {1}; if not, nothing happens.",
    ),
    "under": (
        "The {0} key adds {1} if the number is under {2}, else it does nothing.",
        "If the number is under {2}, the {0} key raises it by {1}; if not, nothing happens.",
    ),
    "even": (
        "The {0} key halves an even number and adds {1} to an odd one.",
        "By the {0} key an even number is halved, and {1} is added to an odd one.",
    ),
}
_HEAD = (
    "A counter in {1}, kept by {0}, shows {2}.",
    "{0}, {3} in {1}, sets a counter to {2}.",
    "In the hall of {1} a counter of {0} stands at {2}.",
)
_PRESS = (
    "{0} hits the {1} key.",
    "Then {0} uses the {1} key.",
    "The {1} key is hit by {0}.",
    "{0} comes by and strikes {1}.",
    "Next {0} tries {1}.",
)
_ACTUAL = (
    "In the end it shows {0}.",
    "So the last number is {0}.",
    "At closing time one reads {0}.",
)
_ASK = (
    "What would it show if {0} had not touched it?",
    "Had {0} stayed away, what would the last number be?",
    "Without what {0} did, which number would stand there at the end?",
    "Suppose {0} had not come, all else being the same. What would be shown?",
)


def counterfactual(draw: Draw, level: int) -> Problem:
    """A counter with keys of fixed effect; what if one of the presses had not happened?

    Args:
        draw: chance.
        level: 1 to 100; more keys with conditions, more presses.

    Returns:
        The problem.
    """
    keys = draw.sample(QUALITIES, grown(draw, level, 2, 6))
    kinds = tuple(_RULES) if level > 8 else ("add", "take", "double", "over")
    rules = [
        (draw.choice(kinds), draw.between(2, 9 + level // 5), draw.between(5, 40)) for _ in keys
    ]
    told = [
        draw.choice(_RULES[kind]).format(key, number, threshold)
        for key, (kind, number, threshold) in zip(keys, rules, strict=True)
    ]
    draw.shuffle(told)
    count = grown(draw, level, 3, 12)
    who = people(draw, count + 1)
    start = draw.between(3, 30)
    pressed = [draw.below(len(keys)) for _ in range(count)]
    head = draw.choice(_HEAD).format(who[-1], places(draw, 1)[0], start, one(draw.choice(JOBS)))
    told.insert(0, head)
    for name, key in zip(who, pressed, strict=False):
        words = draw.choice(_PRESS).format(name, keys[key])
        told.append(words)
    real = start
    for key in pressed:
        real = _after(real, rules[key])
    missing = draw.below(count)
    told.append(draw.choice(_ACTUAL).format(real))
    told = [*woven(draw, level, told), draw.choice(_ASK).format(who[missing])]
    style = draw.choice(("{0}: {1}", "After {0} it shows {1}.", "{0} makes it {1}.", "{1} ({0})"))
    steps: list[str] = []
    number = start
    for n, key in enumerate(pressed):
        if n != missing:
            number = _after(number, rules[key])
            steps.append(style.format(who[n], number))
    # A key's own number, and its threshold where it has one.
    used = [by for kind, by, _ in rules if kind != "double"]
    used += [threshold for kind, _, threshold in rules if kind in ("over", "under")]
    world: Certificate = {
        "start": start,
        "without": who[missing],
        "numbers": tuple(sorted(used)),
        "answer": str(number),
    }
    return lay_out(draw, " ".join(told), steps, str(number), world)


def _after(number: int, rule: Rule) -> int:
    kind, by, threshold = rule
    match kind:
        case "add":
            return number + by
        case "take":
            return number - by
        case "double":
            return number * 2
        case "over":
            return number - by if number > threshold else number
        case "under":
            return number + by if number < threshold else number
        case _:
            return number + by if number % 2 else number // 2


_WHISPER_HEAD = (
    "{0} of {2} knows whether the {1} is {3} or {4}.",
    "In {2} {0} alone has seen the {1}, which is {3} or {4}.",
    "The {1} of {2} is either {3} or {4}, and {0} has looked at it.",
)
_WHISPER = (
    "{0} tells {1} which it is.",
    "{1} hears about it from {0}.",
    "Then {0} reports the colour to {1}.",
    "From {0} the word goes on to {1}.",
    "{1} asks {0} and gets an answer.",
)
_LIARS = (
    "Whatever they heard or saw, {0} always say the opposite, and the others pass on the truth.",
    "The opposite of what they know is told by {0}; everybody else is honest.",
    "Among them {0} turn each report into its opposite; nobody else does.",
)
_LIAR = (
    "Whatever was heard or seen, {0} always says the opposite, and all others pass on the truth.",
    "The opposite of what is known is told by {0}; everybody else is honest.",
    "Among them {0} turns each report into its opposite; nobody else does.",
)
_HONEST = ("All of them are honest.", "Nobody among them lies.", "Each passes on what was heard.")
_HEARS = (
    "In the end {0} hears that it is {1}.",
    "What reaches {0} is the word {1}.",
    "{0} is told {1}.",
)
_WHISPER_ASK = (
    "What is the {0} in truth?",
    "Which colour does the {0} have?",
    "So what colour is the {0}?",
)


def whispers(draw: Draw, level: int) -> Problem:
    """A report passed along a chain in which some always say the opposite.

    Args:
        draw: chance.
        level: 1 to 100; longer chains, told in any order.

    Returns:
        The problem.
    """
    count = grown(draw, level, 3, 14)
    who = people(draw, count)
    colours = draw.sample(("red", "green", "blue", "white", "black", "brown", "pink", "violet"), 2)
    noun = draw.choice(NOUNS)
    truth = draw.below(2)
    lies = [draw.below(5) < 2 for _ in range(count - 1)]
    told = [draw.choice(_WHISPER).format(a, b) for a, b in pairwise(who)]
    if level > 15:
        draw.shuffle(told)
    liars = [name for name, lie in zip(who, lies, strict=False) if lie]
    draw.shuffle(liars)
    words = draw.choice(_LIARS if len(liars) > 1 else _LIAR if liars else _HONEST)
    told.insert(draw.below(2) * len(told), words.format(joined(liars) if liars else ""))
    said = [truth]
    for lie in lies:
        said.append(1 - said[-1] if lie else said[-1])
    told.append(draw.choice(_HEARS).format(who[-1], colours[said[-1]]))
    shown = draw.sample(colours, 2)
    head = draw.choice(_WHISPER_HEAD).format(who[0], noun, places(draw, 1)[0], *shown)
    told = [head, *woven(draw, level, told), draw.choice(_WHISPER_ASK).format(noun)]
    style = draw.choice(
        ("{0} says {1}, so {0} knows {2}.", "{0}: said {1}, knew {2}", "{2} <- {0} <- {1}")
    )
    steps = [
        style.format(who[n], colours[said[n + 1]], colours[said[n]])
        for n in range(count - 2, -1, -1)
    ]
    answer = colours[truth]
    world: Certificate = {"thing": noun, "people": tuple(who), "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


FAMILIES: dict[str, Family] = {"counterfactual": counterfactual, "whispers": whispers}
"""Families of this module by name."""
