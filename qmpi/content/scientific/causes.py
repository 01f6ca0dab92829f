"""What causes what in a study: a tree of effects with signs, told the same everywhere.

Theory of operation. What is given stands at the root, the measure among the leaves or between.
Every other thing has one cause, which raises or lowers it, so there is one way from a cause to each
of its effects and its sign is the product of the signs on it. Sentences tell single effects; a
problem asks for the whole way, or for what less of a cause would do.
"""

from functools import cache

from qmpi.content.english.lexicon import Verb, english
from qmpi.content.english.posing import Puzzle
from qmpi.content.english.prose import Said
from qmpi.content.scientific.study import Study
from qmpi.content.scientific.words import QUANTITIES, given, organs

RAISING = (
    "accelerate", "amplify", "augment", "boost", "elevate", "enhance", "enlarge", "increase",
    "intensify", "multiply", "promote", "raise", "stimulate", "strengthen",
)  # fmt: skip
LOWERING = (
    "block", "decrease", "depress", "diminish", "hinder", "impair", "inhibit", "lessen", "lower",
    "reduce", "restrain", "slow", "suppress", "weaken",
)  # fmt: skip
MOTIONS = {1: "rises", -1: "falls"}


@cache
def _forms(sign: int) -> tuple[Verb, ...]:
    known = {verb.base: verb for verb in reversed(english().verbs)}
    return tuple(known[base] for base in (RAISING if sign > 0 else LOWERING) if base in known)


def add_causes(study: Study, count: int) -> None:
    """Draw a tree of effects, and let sentences tell of it.

    Args:
        study: new.
        count: things in it, >= 2.
    """
    draw = study.draw
    names = [study.given]
    while len(names) < count:
        if draw.chance(50):
            name = given()[draw.below(len(given()) // 2)]
        else:
            organ = organs()[draw.below(len(organs()) // 2)][0]
            name = f"the {organ} {draw.choice(QUANTITIES)[0]}"
        if name not in (*names, f"the {study.measure}"):
            names.append(name)
    names[draw.between(1, count - 1)] = f"the {study.measure}"
    edges: list[list[int]] = []
    for number in range(1, count):
        cause = number - 1 if draw.chance(60) else draw.below(number)
        edges.append([cause, number, 1 if draw.chance(50) else -1])
    study.world["nodes"], study.world["edges"] = names, edges
    told: list[Said] = []
    for number, (cause, effect, sign) in enumerate(edges):
        first, last = names[cause], names[effect]
        for _ in range(2):
            verb, way = draw.choice(_forms(sign)), draw.below(3)
            if way == 0:
                text = f"{first} {verb.third} {last}"
            elif way == 1:
                text = f"{last} is {verb.participle} by {first}"
            else:
                text = f"{first} is known to {verb.base} {last}"
            told.append(Said(text, "edge", (number,)))
    study.holes.offer("edge", told)


def ask_chain(study: Study) -> None:
    """Ask what more, or less, of a cause does to a distant effect.

    Args:
        study: with causes.
    """
    draw, holes = study.draw, study.holes
    names: list[str] = study.world["nodes"]
    edges: list[list[int]] = study.world["edges"]
    last = draw.between(1, len(edges))
    way = [last]
    while way[0] and (len(way) < 2 or draw.chance(85)):
        way.insert(0, edges[way[0] - 1][0])
    less = draw.chance(40)
    puzzle = Puzzle(study, "chain", {"from": way[0], "to": last, "less": less})
    order = list(range(len(edges)))
    draw.shuffle(order)
    for number in order:
        cause, effect, sign = edges[number]
        verb = draw.choice(_forms(sign))
        text = f"{names[cause]} {verb.third} {names[effect]}"
        holes["told"] = Said(text, "edge", (number,))
        study.tell(draw.choice(_TOLD))
    holes["cause"] = Said(names[way[0]], "node", (way[0],))
    holes["target"] = Said(names[last], "node", (last,))
    puzzle.ask(_LESS if less else _MORE)
    sign = -1 if less else 1
    for number in way[1:]:
        sign *= edges[number - 1][2]
        holes["target"] = Said(names[number], "node", (number,))
        puzzle.put("moves", MOTIONS[sign])
        puzzle.show(("so {target} {moves}", "then {target} {moves}", "{target} {moves}"))
    puzzle.answer(MOTIONS[sign])


_TOLD = (
    "{told}", "{told}", "as all agree, {told}", "here {told}", "in [P], {told}", "besides, {told}",
    "[F] found that {told}", "we know that {told}", "in {trait} {subjects}, {told}",
)  # fmt: skip
_MORE = (
    "with more {cause}, what does {target} do?", "if {cause} grows, does {target} rise or fall?",
    "what becomes of {target} as {cause} goes up?", "more {cause}: which way goes {target}?",
)  # fmt: skip
_LESS = (
    "with less {cause}, what does {target} do?", "if {cause} shrinks, does {target} rise or fall?",
    "what would become of {target} if {cause} went down?", "less {cause}: which way goes {target}?",
)  # fmt: skip
