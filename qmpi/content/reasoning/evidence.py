"""Evidence: witnesses of whom some lie, quarrels at two tables, analogies, rules from examples."""

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scene_words import (
    JOBS,
    NOUNS,
    joined,
    numbered,
    one,
    people,
    places,
    things,
    woven,
)

_CRIME = (
    "One of {0} has taken {1} from {2}.",
    "In {2} {1} is missing, and one of {0} has it.",
    "Exactly one of {0} broke {1} in {2}.",
)
_LIES = (
    "Of the {0} statements exactly {1} {2} false.",
    "{1} of these {0} statements {2} false, and the others are true.",
    "Inspectors found that just {1} of the {0} statements {2} false.",
)
_SAID = (
    '{0} says, "{1}."',
    'The {2} {0} swears, "{1}."',
    '{0}, {3}, told us, "{1}."',
    'According to {0}, "{1}."',
)
_CRIME_ASK = ("Who did it?", "Who is guilty?", "Whom do the statements give away?")


def witnesses(draw: Draw, level: int) -> Problem:
    """Statements of which a known number are false; who did it?

    Args:
        draw: chance.
        level: 1 to 100; more suspects and statements.

    Returns:
        The problem.
    """
    suspects = people(draw, grown(draw, level, 3, 8))
    guilty = draw.below(len(suspects))
    claims: list[tuple[bool, list[int]]] = []
    wanted = grown(draw, level, 3, 9)
    counts = [0] * len(suspects)
    # More statements until only one suspect makes that many of them false.
    while len(claims) < wanted or counts.count(counts[guilty]) > 1:
        named = draw.sample(range(len(suspects)), draw.between(1, 2))
        accuses = draw.below(2) == 1
        claims.append((accuses, named))
        for n in range(len(suspects)):
            counts[n] += (n in named) != accuses
        if len(claims) > 14:
            claims, counts = [], [0] * len(suspects)
    speakers = people(draw, len(claims))
    told: list[str] = []
    for name, (accuses, named) in zip(speakers, claims, strict=True):
        words = joined([suspects[n] for n in named], "or" if accuses else "nor")
        said = f"It was {words}" if accuses else f"It was {'neither ' * (len(named) > 1)}{words}"
        if not accuses and len(named) == 1:
            said = f"It was not {words}"
        job = draw.choice(JOBS)
        told.append(draw.choice(_SAID).format(name, said, job, one(job)))
    lies = counts[guilty]
    crime = draw.choice(_CRIME).format(
        joined(suspects), one(things(draw, 1)[0]), places(draw, 1)[0]
    )
    told = [crime, *woven(draw, level, told)]
    told.append(draw.choice(_LIES).format(len(claims), lies, "is" if lies == 1 else "are"))
    told.append(draw.choice(_CRIME_ASK))
    style = draw.choice(("{0}: {1} false", "If {0} did it, {1} are false.", "{0} -> {1}"))
    steps = [style.format(name, count) for name, count in zip(suspects, counts, strict=True)]
    answer = suspects[guilty]
    world: Certificate = {"suspects": tuple(suspects), "false": lies, "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


_QUARREL = (
    "{0} and {1} have quarrelled.",
    "{0} is not on speaking terms with {1}.",
    "{0} cannot stand {1}.",
    "Between {0} and {1} there is a feud.",
)
_FEAST = (
    "For a feast in {1} {0}, {2}, sets up two tables and will not seat two who quarrel together.",
    "{0} of {1} has guests at two tables, where no two who quarrel may share one.",
    "Two tables stand ready at {1}, and {0} wants every quarrelling pair kept apart.",
)
_TABLE_ASK = (
    "Who shares the table of {0}, if it can be done at all?",
    "Name those at the same table as {0}, if there is a way.",
    "With whom does {0} sit, if all can be placed?",
)


def two_tables(draw: Draw, level: int) -> Problem:
    """Guests that quarrel, two tables; who sits with whom, or is there no way?

    Args:
        draw: chance.
        level: 1 to 100; more guests and quarrels.

    Returns:
        The problem.
    """
    count = grown(draw, level, 4, 13)
    who = people(draw, count)
    side, parent = [0], [0]
    pairs: list[tuple[int, int]] = []
    for n in range(1, count):
        m = draw.below(n)
        parent.append(m)
        side.append(1 - side[m])
        pairs.append((m, n))
    for _ in range(count // 3):
        a, b = sorted(draw.sample(range(count), 2))
        if side[a] != side[b] and (a, b) not in pairs:
            pairs.append((a, b))
    ring: list[int] = []
    if draw.below(3) == 0:
        same = [(a, b) for b in range(count) for a in range(b) if side[a] == side[b]]
        pairs.append(draw.choice(same) if same else (0, 1))
        ring = _ring(parent, *pairs[-1]) if same else []
    told = [draw.choice(_QUARREL).format(*(draw.sample([who[a], who[b]], 2))) for a, b in pairs]
    draw.shuffle(told)
    head = draw.choice(_FEAST).format(
        people(draw, 1)[0], places(draw, 1)[0], one(draw.choice(JOBS))
    )
    told = [head, *woven(draw, level, told)]
    asked = draw.below(count)
    told.append(draw.choice(_TABLE_ASK).format(who[asked]))
    if ring:
        answer = "it cannot be done"
        steps = ["A ring of odd length quarrels, " + " - ".join(who[n] for n in ring)]
    else:
        mates = sorted(who[n] for n in range(count) if side[n] == side[asked] and n != asked)
        answer = joined(mates) if mates else "nobody"
        style = draw.choice(("{0}: {1} table", "{0} sits at the {1} table.", "{0} = {1}"))
        steps = [
            style.format(name, "same" if s == side[asked] else "other")
            for name, s in zip(who, side, strict=True)
        ]
    world: Certificate = {"guests": count, "asked": who[asked], "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


def _ring(parent: list[int], a: int, b: int) -> list[int]:
    first, second = [a], [b]
    while first[-1]:
        first.append(parent[first[-1]])
    while second[-1]:
        second.append(parent[second[-1]])
    while len(first) > 1 and len(second) > 1 and first[-2] == second[-2]:
        first.pop()
        second.pop()
    return [*first, *reversed(second[:-1]), a]


_TRAITS: tuple[tuple[str, ...], ...] = (
    ("tiny", "small", "medium", "large", "huge"),
    ("red", "blue", "green", "white", "black"),
    ("smooth", "striped", "dotted", "chequered", "rough"),
    ("wooden", "iron", "glass", "paper", "stone"),
)
_SHAPES = ("circle", "square", "triangle", "star", "hexagon")
_CYCLE = (
    "Let {0} follow each other in a ring.",
    "The ring {0} begins anew after its end.",
    "In order, and round again, there come {0}.",
)
_PAIR = (
    "{0} is to {1} as {2} is to what?",
    "As {0} becomes {1}, so {2} becomes what?",
    "If {0} goes with {1}, what goes with {2}?",
)
_TWICE = (
    "{0} is to {1} as what is to {2}?",
    "As {0} becomes {1}, so what becomes {2}?",
)
_RING_HEAD = (
    "{0} of {1} lays out cards.",
    "In {1} {0} sets a riddle.",
    "{0}, {2} in {1}, compares shapes.",
)


def analogy(draw: Draw, level: int) -> Problem:
    """A pair shows how far each trait moves on in its ring; apply it to another thing, or undo it.

    Args:
        draw: chance.
        level: 1 to 100; more traits.

    Returns:
        The problem.
    """
    sorts = draw.sample(_TRAITS, grown(draw, level, 1, 4))
    rings = [draw.sample(ring, draw.between(3, 5)) for ring in (*sorts, _SHAPES)]
    one_ = [draw.below(len(ring)) for ring in rings]
    moves = [draw.below(len(ring)) for ring in rings]
    # At least one trait changes, so that the pair shows something.
    moves[draw.below(len(rings))] = 1 + draw.below(2)
    other = [draw.below(len(ring)) for ring in rings]
    two = [(n + k) % len(r) for n, k, r in zip(one_, moves, rings, strict=True)]
    after = [(n + k) % len(r) for n, k, r in zip(other, moves, rings, strict=True)]
    shown = [one(_card(rings, row)) for row in (one_, two, other, after)]
    told = [draw.choice(_CYCLE).format(joined(ring)) for ring in rings]
    head = draw.choice(_RING_HEAD).format(
        people(draw, 1)[0], places(draw, 1)[0], one(draw.choice(JOBS))
    )
    told = [head, *woven(draw, level, told)]
    back = level > 20 and draw.below(2) == 1
    ask = draw.choice(_TWICE if back else _PAIR)
    question = ask.format(shown[0], shown[1], shown[3] if back else shown[2])
    told.append(question[0].upper() + question[1:])
    style = draw.choice(("{0} -> {1}, {2} on; {3} -> {4}", "{0} to {1} is {2}, so {3} to {4}"))
    steps = [
        style.format(ring[a], ring[b], k, ring[c], ring[d])
        for ring, a, b, k, c, d in zip(rings, one_, two, moves, other, after, strict=True)
    ]
    answer = shown[2] if back else shown[3]
    world: Certificate = {"shift": tuple(moves), "answer": answer}
    return lay_out(draw, " ".join(told), steps, answer, world)


def _card(rings: list[list[str]], row: list[int]) -> str:
    return " ".join(ring[n] for ring, n in zip(rings, row, strict=True))


_RULES = {
    "mul_add": ("multiply by {0} and add {1}", "take {0} times the number plus {1}"),
    "add_mul": ("add {1} and multiply by {0}", "take the number plus {1}, times {0}"),
    "square": ("square the number and add {1}", "take the number times itself plus {1}"),
    "digits": ("add {0} times the sum of digits, and {1}",),
    "parity": ("add {0} to an even number and {1} to an odd one",),
    "limit": ("add {0} to numbers below 20 and {1} to all others",),
    "mod": ("take the remainder by {0} and add {1}",),
    "reverse": ("read the digits backwards and add {1}",),
}
_CASE = ("From {0} comes {1}.", "{0} gives {1}.", "{0} turns into {1}.", "Put in {0}, get {1}.")
_BOX = (
    "{0} of {1} has {2} that turns numbers into others.",
    "{2} in {1}, says {0}, works by one fixed rule on numbers.",
    "In {1} {0} tries out {2} that changes numbers.",
)
_RULE_ASK = (
    "Which rule is it: {0}?",
    "Which of these rules fits all cases: {0}?",
    "Find the rule: {0}?",
)


def rule_induction(draw: Draw, level: int) -> Problem:
    """Examples of a rule on numbers, some rules to choose from; only one fits them all.

    Args:
        draw: chance.
        level: 1 to 100; more candidates, more deceptive ones, more examples.

    Returns:
        The problem.
    """
    count = grown(draw, level, 3, 7)
    rules: list[tuple[str, int, int]] = []
    while len(rules) < count:
        rule = (draw.choice(tuple(_RULES)), draw.between(2, 9), draw.between(1, 12))
        if rules and draw.below(100) < level:
            # A rule of the same kind that differs in one number only.
            rule = (rules[0][0], rules[0][1], rule[2])
        if rule[0] in ("square", "reverse"):
            rule = (rule[0], 0, rule[2])
        if rule not in rules:
            rules.append(rule)
    inputs = draw.sample(range(2, 60), grown(draw, level, 2, 5))
    target = draw.below(count)
    while True:
        outputs = [_image(rules[target], n) for n in inputs]
        misses = [
            next((k for k, n in enumerate(inputs) if _image(rule, n) != outputs[k]), -1)
            for rule in rules
        ]
        if misses.count(-1) == 1:
            break
        inputs.append(draw.between(60, 99))
        if len(inputs) > 12:
            rules = [("mul_add", 2 + k, 1) for k in range(count)]
    letters = "ABCDEFG"[:count]
    told = [draw.choice(_CASE).format(n, m) for n, m in zip(inputs, outputs, strict=True)]
    head = draw.choice(_BOX).format(people(draw, 1)[0], places(draw, 1)[0], one(draw.choice(NOUNS)))
    head = head[0].upper() + head[1:]
    told = [head, *woven(draw, level, told)]
    shown = "; ".join(
        f"({letter}) {draw.choice(_RULES[rule[0]]).format(rule[1], rule[2])}"
        for letter, rule in zip(letters, rules, strict=True)
    )
    told.append(draw.choice(_RULE_ASK).format(shown))
    style = draw.choice(("{0}: {1} would give {2}", "{0} fails at {1}, giving {2}."))
    steps = [
        style.format(letter, inputs[k], _image(rule, inputs[k])) if k >= 0 else f"{letter} fits"
        for letter, rule, k in zip(letters, rules, misses, strict=True)
    ]
    answer = letters[target]
    world: Certificate = {"inputs": tuple(inputs), "rules": count, "answer": answer}
    return lay_out(draw, " ".join(told), steps, answer, world)


def _image(rule: tuple[str, int, int], number: int) -> int:
    kind, a, b = rule
    match kind:
        case "mul_add":
            return a * number + b
        case "add_mul":
            return a * (number + b)
        case "square":
            return number * number + b
        case "digits":
            return number + a * (number // 10 + number % 10) + b
        case "parity":
            return number + (b if number % 2 else a)
        case "limit":
            return number + (a if number < 20 else b)
        case "mod":
            return number % a + b
        case _:
            return int(str(number)[::-1]) + b


FAMILIES: dict[str, Family] = {
    "witnesses": witnesses,
    "two_tables": two_tables,
    "analogy": analogy,
    "rule_induction": rule_induction,
}
"""Families of this module by name."""
