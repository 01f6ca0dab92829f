"""Relations: kin, kinds with exceptions, a street of houses."""

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
    woven,
)

_PARENT = (
    "{0} is the {2} of {1}.",
    "{1} has {0} as {2}.",
    "The {2} of {1} is called {0}.",
    "{0} became the {2} of {1}.",
)
_CHILD = (
    "{1} is a {2} of {0}.",
    "{0} has {1} as a {2}.",
    "A {2} of {0} is called {1}.",
    "{0} has a {2}, {1}.",
)
_SEX = ("{0} is a {1}.", "We know {0} to be a {1}.")
_KIN_HEAD = (
    "In the families of {0} nobody married twice, so children of one parent share both.",
    "The registers of {0} show that brothers and sisters always share both parents.",
    "Everybody in {0} has brothers and sisters by both parents only.",
)
_KIN_ASK = (
    "What is {0} to {1}?",
    "How is {0} related to {1}?",
    "Which relative of {1} is {0}?",
    "{0} is which relation of {1}?",
)
_KIN: dict[tuple[int, int], tuple[str, str]] = {
    (1, 0): ("mother", "father"),
    (2, 0): ("grandmother", "grandfather"),
    (3, 0): ("great-grandmother", "great-grandfather"),
    (0, 1): ("daughter", "son"),
    (0, 2): ("granddaughter", "grandson"),
    (0, 3): ("great-granddaughter", "great-grandson"),
    (1, 1): ("sister", "brother"),
    (2, 1): ("aunt", "uncle"),
    (3, 1): ("great-aunt", "great-uncle"),
    (1, 2): ("niece", "nephew"),
    (1, 3): ("grandniece", "grandnephew"),
    (2, 2): ("first cousin", "first cousin"),
    (2, 3): ("first cousin once removed", "first cousin once removed"),
    (3, 2): ("first cousin once removed", "first cousin once removed"),
    (3, 3): ("second cousin", "second cousin"),
}
_NEAR = ((2, 0), (0, 2), (1, 1), (2, 1), (1, 2))
_FAR = tuple(_KIN)


def kinship(draw: Draw, level: int) -> Problem:
    """A family told by parents and children; what is one to another?

    Args:
        draw: chance.
        level: 1 to 100; farther relatives, more of the family that leads nowhere.

    Returns:
        The problem.
    """
    up, down = draw.choice(_NEAR if level < 25 else _FAR)
    extra = grown(draw, level, 1, 9)
    who = people(draw, 1 + up + down + extra)
    # 0 is whom the question is about, then its ancestors, then the line down to the relative.
    parent = dict(zip(range(up), range(1, up + 1), strict=True))
    parent.update({n: (n - 1) for n in range(up + 1, up + down + 1)})
    for n in range(up + down + 1, len(who)):
        parent[n] = draw.below(n)
    female = [draw.below(2) == 1 for _ in who]
    told: list[str] = []
    relative, shown = up + down, set[int]()
    for child, elder in parent.items():
        if child == relative or (elder != relative and draw.below(2)):
            word = "daughter" if female[child] else "son"
            told.append(draw.choice(_CHILD).format(who[elder], who[child], word))
            shown.add(child)
        else:
            word = "mother" if female[elder] else "father"
            told.append(draw.choice(_PARENT).format(who[elder], who[child], word))
            shown.add(elder)
    if relative not in shown:
        told.append(draw.choice(_SEX).format(who[relative], "woman" if female[relative] else "man"))
    draw.shuffle(told)
    told = [draw.choice(_KIN_HEAD).format(places(draw, 1)[0]), *woven(draw, level, told)]
    told.append(draw.choice(_KIN_ASK).format(who[relative], who[0]))
    style = draw.choice(("{0} is a parent of {1}.", "{0} -> {1}", "{1} is a child of {0}."))
    steps = [style.format(who[n + 1], who[n]) for n in range(up)]
    steps += [style.format(who[n - 1], who[n]) for n in range(up + 1, up + down + 1)]
    answer = _KIN[up, down][0 if female[relative] else 1]
    world: Certificate = {"who": who[relative], "whose": who[0], "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


_ONSETS = ("bl", "br", "d", "dr", "f", "fl", "g", "gl", "gr", "j", "k", "kl", "kr", "l", "m", "n",
           "p", "pl", "pr", "r", "s", "sl", "sn", "sp", "st", "t", "tr", "v", "w", "z")  # fmt: skip
_RIMES = ("ab", "ack", "agg", "alp", "amb", "ard", "eck", "elp", "emp", "erg", "ib", "ick", "igg",
          "ilt", "imp", "ink", "ob", "ock", "og", "olm", "omp", "ork", "ub", "ug", "ump",
          "urg")  # fmt: skip
_BEASTS = tuple(f"{o}{r}{end}" for o in _ONSETS for r in _RIMES for end in ("", "er", "on", "el"))
"""Coined kinds of beings, in the singular."""

_CAN = ("fly", "swim", "sing", "glow", "bite", "climb", "dig", "hibernate", "migrate", "whistle",
        "moult", "hunt", "purr", "float", "burrow", "leap", "hum", "sneeze", "dance", "count",
        "blush", "snore", "weave", "limp")  # fmt: skip
_ARE = ("All {0}s are {1}s.", "Every {0} is a {1}.", "The {0}s belong to the {1}s.")
_DO = ("As a rule {0}s {1}.", "Most {0}s {1}.", "By default {0}s {1}.")
_DO_NOT = (
    "As a rule {0}s do not {1}.",
    "Most {0}s do not {1}.",
    "Unlike what holds otherwise, {0}s do not {1}.",
)
_IS = ("{0} is a {1}.", "{0} belongs to the {1}s.", "We meet {0}, a {1}.")
_SELF = ("{0}, however, does {1}.", "Against its kind {0} does {1}.")
_SELF_NOT = ("{0}, however, does not {1}.", "Against its kind {0} does not {1}.")
_CLOSEST = (
    "{0} of {1} reasons that the narrowest kind with a rule decides.",
    "For {0}, {2} in {1}, a rule for a narrower kind beats one for a wider kind.",
    "In {1} they hold with {0} that the closest rule counts.",
)
_DEFAULT_ASK = (
    "Does {0} {1}?",
    "Should one expect that {0} does {1}?",
    "By these rules, does {0} {1}?",
)


def defaults(draw: Draw, level: int) -> Problem:
    """Kinds within kinds, rules with exceptions; does a single being follow a rule?

    Args:
        draw: chance.
        level: 1 to 100; longer chains of kinds, more rules and beings.

    Returns:
        The problem.
    """
    depth = grown(draw, level, 2, 8)
    kinds = draw.sample(_BEASTS, depth + grown(draw, level, 1, 5))
    deeds = draw.sample(_CAN, grown(draw, level, 1, 4))
    above = {n: n + 1 for n in range(depth - 1)}
    above.update({n: draw.below(n) for n in range(depth, len(kinds))})
    told = [draw.choice(_ARE).format(kinds[n], kinds[m]) for n, m in above.items()]
    rules: dict[tuple[int, int], bool] = {}
    for deed in range(len(deeds)):
        does = draw.below(2) == 1
        rules[depth - 1, deed] = does
        for n in draw.sample(range(depth - 1), draw.between(1, min(3, depth - 1))):
            rules[n, deed] = draw.below(2) == 1
    for (n, deed), does in rules.items():
        told.append(draw.choice(_DO if does else _DO_NOT).format(kinds[n], deeds[deed]))
    who = people(draw, 4)
    own, deed = draw.below(depth), draw.below(len(deeds))
    told.append(draw.choice(_IS).format(who[0], kinds[own]))
    told.append(draw.choice(_IS).format(who[1], kinds[draw.below(len(kinds))]))
    self_rule = draw.below(6) == 0
    does = draw.below(2) == 1
    told.append(draw.choice(_SELF if does else _SELF_NOT).format(who[not self_rule], deeds[deed]))
    draw.shuffle(told)
    head = draw.choice(_CLOSEST).format(who[2], places(draw, 1)[0], one(draw.choice(JOBS)))
    told = [head, *woven(draw, level, told), draw.choice(_DEFAULT_ASK).format(who[0], deeds[deed])]
    chain, n = [who[0]], own
    if not self_rule:
        chain.append(kinds[n])
        while (n, deed) not in rules:
            n = above[n]
            chain.append(kinds[n])
        does = rules[n, deed]
    style = draw.choice(("Who decides: {0}.", "{0}", "Going up: {0}."))
    steps = [style.format(" -> ".join(chain))]
    steps.append(f"{chain[-1]}: {deeds[deed]}, {'yes' if does else 'no'}")
    answer = "yes" if does else "no"
    world: Certificate = {"who": who[0], "deed": deeds[deed], "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


_TRAITS = (
    ("the owner of the {0} door", ("red", "blue", "green", "yellow", "white", "black", "brown",
                                   "pink", "orange", "grey", "violet", "golden")),
    ("the drinker of {0}", ("tea", "milk", "cider", "water", "coffee", "cocoa", "juice", "lemonade",
                            "wine", "beer", "broth", "mead")),
    ("the keeper of the {0}", ("owl", "cat", "dog", "parrot", "goat", "horse", "snail", "zebra",
                               "fox", "tortoise", "rabbit", "falcon")),
    ("the {0}", JOBS),
    ("the player of the {0}", ("flute", "harp", "violin", "lute", "drum", "organ", "trumpet",
                               "viola", "piano", "oboe", "guitar", "zither")),
)  # fmt: skip
_SAME = ("{0} is {1}.", "{0} is nobody else than {1}.", "{0} and {1} are one and the same.")
_RIGHT = (
    "{0} lives {2} to the right of {1}.",
    "{1} lives {2} to the left of {0}.",
    "Looking right from the house of {1}, {0} lives {2} on.",
)
_AT = ("{0} lives in house {1}.", "House {1} is that of {0}.", "In house {1} lives {0}.")
_STREET = (
    "In a street of {0} there are {1} houses, numbered from left to right, with one person each.",
    "{1} houses of {0}, numbered from left to right, have one tenant each.",
    "Side by side, numbered from left to right, stand {1} houses of {0}, with one person in each.",
)
_TENANTS = ("The tenants are {0}.", "They are called {0}.", "The names of the people are {0}.")
_STREET_ASK = ("Who is {0}?", "What is the name of {0}?", "Which of them is {0}?")
_HOUSE_ASK = ("In which house lives {0}?", "What is the number of the house of {0}?")


def zebra(draw: Draw, level: int) -> Problem:
    """A street of houses with people, doors, drinks and pets; who has what?

    Args:
        draw: chance.
        level: 1 to 100; more houses and traits.

    Returns:
        The problem.
    """
    count, sorts = grown(draw, level, 3, 5), 1 + grown(draw, level, 1, 4)
    who, town = people(draw, count), places(draw, 1)[0]
    rows = [who]
    rows += [
        [words.format(value) for value in draw.sample(values, count)]
        for words, values in draw.sample(_TRAITS, sorts - 1)
    ]
    nodes = [(row, house) for row in range(sorts) for house in range(count)]
    draw.shuffle(nodes)
    # All tenants are listed, so where the last one lives follows from the others without a clue.
    nodes.remove((0, draw.below(count)))
    told = [draw.choice(_AT).format(rows[nodes[0][0]][nodes[0][1]], nodes[0][1] + 1)]
    for n in range(1, len(nodes)):
        (row, house), (other_row, other) = nodes[n], nodes[draw.below(n)]
        one_, two = rows[row][house], rows[other_row][other]
        told.append(_street_clue(draw, (one_, two), house - other))
    draw.shuffle(told)
    told = [words[0].upper() + words[1:] for words in told]
    told.append(draw.choice(_TENANTS).format(joined(draw.sample(who, count))))
    told = [draw.choice(_STREET).format(town, count), *woven(draw, level, told)]
    house = draw.below(count)
    asked = rows[draw.between(1, sorts - 1)][house]
    if draw.below(3):
        told.append(draw.choice(_STREET_ASK).format(asked))
        answer = who[house]
    else:
        told.append(draw.choice(_HOUSE_ASK).format(asked))
        answer = str(house + 1)
    style = draw.choice(("House {0}: {1}.", "{0}: {1}", "In house {0}: {1}."))
    steps = [style.format(n + 1, "; ".join(row[n] for row in rows)) for n in range(count)]
    world: Certificate = {"town": town, "asked": asked, "answer": answer}
    return lay_out(draw, " ".join(told), steps, answer, world)


def _street_clue(draw: Draw, pair: tuple[str, str], shift: int) -> str:
    if shift == 0:
        return draw.choice(_SAME).format(*pair)
    if shift < 0:
        pair, shift = (pair[1], pair[0]), -shift
    return draw.choice(_RIGHT).format(*pair, f"{shift} house{'s' if shift > 1 else ''}")


FAMILIES: dict[str, Family] = {"kinship": kinship, "defaults": defaults, "zebra": zebra}
"""Families of this module by name."""
