"""Deduction in words: what follows from sentences, quantifiers over a list, knowledge in cases."""

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scene_words import (
    JOBS,
    NOUNS,
    PLAIN_NOUNS,
    QUALITIES,
    joined,
    numbered,
    one,
    people,
    places,
    things,
    woven,
)

Literal = tuple[int, bool]
"""An atom and whether it holds."""

_STATES = ("warm", "wet", "open", "lit", "empty", "broken", "new", "locked", "clean", "sold",
           "lost", "loud", "sharp", "rare", "cheap", "near", "borrowed", "ready", "stolen",
           "hidden")  # fmt: skip
_CLAUSES = {
    "if": (
        "If {0}, then {1}.",
        "Whenever {0}, {1}.",
        "{0} only if {1}.",
        "{1}, provided that {0}.",
        "It cannot be that {0} unless {1}.",
    ),
    "or": ("{2}, or {1}, or both.", "At least one holds, that {2} or that {1}."),
    "back": ("If {3}, then {2}.", "Whenever {3}, {2}.", "{3} only if {2}."),
    "iff": ("{0} exactly if {1}.", "{1} if and only if {0}."),
}
_BOTH = (
    "If both {0} and {1}, then {2}.",
    "From the facts that {0} and that {1} it follows that {2}.",
)
_FACT = ("It is known that {0}.", "Indeed {0}.", "We see that {0}.", "For certain, {0}.")
_CASE_HEAD = (
    "{0} of {1} draws up a report.",
    "In {1} {0} collects what is certain.",
    "{0}, {2} in {1}, has found out the following.",
)
_FOLLOWS = (
    "Is it true that {0}: yes, no, or not known?",
    "Can one tell whether {0}: yes, no, or not known?",
    "Does it hold that {0}: yes, no, or not known?",
)


def entailment(draw: Draw, level: int) -> Problem:
    """Sentences with if, or, exactly if; is another one true, false or open?

    Args:
        draw: chance.
        level: 1 to 100; longer derivations, more sentences that lead nowhere.

    Returns:
        The problem.
    """
    derived, idle = grown(draw, level, 1, 8), grown(draw, level, 1, 3) + 1
    given = 1 + grown(draw, level, 0, 2)
    subjects = things(draw, given + derived + idle)
    states = [draw.choice(_STATES) for _ in subjects]

    def say(literal: Literal) -> str:
        atom, holds = literal
        return f"the {subjects[atom]} is {'' if holds else 'not '}{states[atom]}"

    known: list[Literal] = [(n, draw.below(2) == 1) for n in range(given)]
    told = [draw.choice(_FACT).format(say(literal)) for literal in known]
    for n in range(given, given + derived):
        new = (n, draw.below(2) == 1)
        base = known[-1] if draw.below(2) else draw.choice(known)
        if len(known) > 1 and draw.below(4) == 0:
            first, second = draw.sample(known, 2)
            told.append(draw.choice(_BOTH).format(say(first), say(second), say(new)))
        else:
            told.append(_clause(draw, (say(base), say(new), say(_not(base)), say(_not(new)))))
        known.append(new)
    spare = list(range(given + derived, given + derived + idle))
    for n in spare[1:]:
        pair = ((draw.choice(spare[: spare.index(n)]), draw.below(2) == 1), (n, draw.below(2) == 1))
        words = draw.choice(_CLAUSES["if"]).format(say(pair[0]), say(pair[1]))
        told.append(words)
    draw.shuffle(told)
    told = [words[0].upper() + words[1:] for words in told]
    head = draw.choice(_CASE_HEAD).format(
        people(draw, 1)[0], places(draw, 1)[0], one(draw.choice(JOBS))
    )
    told = [head, *woven(draw, level, told)]
    if draw.below(4) == 0:
        asked: Literal = (draw.choice(spare), draw.below(2) == 1)
        answer = "not known"
    else:
        right = draw.choice(known[given:])
        asked = (right[0], draw.below(2) == 1)
        answer = "yes" if asked == right else "no"
    told.append(draw.choice(_FOLLOWS).format(say(asked)))
    style = draw.choice(("So {0}.", "Hence it holds that {0}.", "{0}", "It follows that {0}."))
    steps = [style.format(say(literal)) for literal in known[given:]]
    world: Certificate = {"asked": say(asked), "known": len(known), "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


def _not(literal: Literal) -> Literal:
    return literal[0], not literal[1]


def _clause(draw: Draw, words: tuple[str, str, str, str]) -> str:
    return draw.choice(_CLAUSES[draw.choice(tuple(_CLAUSES))]).format(*words)


_OWN = ("{0} has {1}.", "{1} belong to {0}.", "In the bag of {0} there are {1}.")
_OWN_ONE = ("{0} has {1}.", "{1} belongs to {0}.", "In the bag of {0} there is {1}.")
_MARKET = (
    "{0} notes who brought what to the market of {1}.",
    "At the fair of {1} {0}, {2}, looks at all that is there.",
    "In {1} {0} makes a list.",
)
_QUANTIFIED = {
    "all": ("Is every {0} {1}?", "Are all {0}s {1}?"),
    "some": ("Is there a {0} that is {1}?", "Is any {0} {1}?"),
    "none": ("Is no {0} {1}?", "Are all {0}s something else than {1}?"),
    "count": ("How many {0}s are {1}?", "What is the number of {0}s that are {1}?"),
    "each": (
        "Does everyone with a {0} have something {1} as well?",
        "Has each owner of a {0} also something {1}?",
    ),
}


def quantifiers(draw: Draw, level: int) -> Problem:
    """A list of who owns what; all, some, none, how many, and for each there is.

    Args:
        draw: chance.
        level: 1 to 100; more owners and things.

    Returns:
        The problem.
    """
    nouns = draw.sample(PLAIN_NOUNS, grown(draw, level, 2, 4))
    colours = draw.sample(QUALITIES, grown(draw, level, 2, 4))
    noun, colour = draw.choice(nouns), draw.choice(colours)
    kind = draw.choice(tuple(_QUANTIFIED))
    biased = draw.below(2)
    told: list[str] = []
    lines: list[tuple[str, int, int, int]] = []
    style = draw.choice(("{0}: {1} of {2}, {3} {4} in all", "{0}: {2} and of these {1}; {3} {4}"))
    owners = people(draw, grown(draw, level, 2, 9))
    # Somebody has such a thing: what is true of all of none would be a trap, not a question.
    certain = draw.choice(owners)
    for name in owners:
        things_ = [(draw.choice(colours), draw.choice(nouns)) for _ in range(draw.between(1, 3))]
        if name == certain:
            things_[0] = (things_[0][0], noun)
        if biased:
            # In half of the texts the statement is nearly true of all.
            things_ = [(colour if n == noun else c, n) for c, n in things_]
        shown = joined([one(f"{c} {n}") for c, n in things_])
        words = draw.choice(_OWN if len(things_) > 1 else _OWN_ONE).format(name, shown)
        told.append(words[0].upper() + words[1:])
        of_noun = [c for c, n in things_ if n == noun]
        every = sum(c == colour for c, _ in things_)
        lines.append((name, of_noun.count(colour), len(of_noun), every))
    head = draw.choice(_MARKET).format(
        people(draw, 1)[0], places(draw, 1)[0], one(draw.choice(JOBS))
    )
    told = [head, *woven(draw, level, told)]
    told.append(draw.choice(_QUANTIFIED[kind]).format(noun, colour))
    steps = [style.format(name, hit, n, every, colour) for name, hit, n, every in lines]
    hits, total = sum(line[1] for line in lines), sum(line[2] for line in lines)
    truth = {
        "all": hits == total,
        "some": hits > 0,
        "none": hits == 0,
        "each": all(every for _, _, n, every in lines if n),
    }
    answer = str(hits) if kind == "count" else "yes" if truth[kind] else "no"
    world: Certificate = {"noun": noun, "colour": colour, "answer": answer}
    return lay_out(draw, " ".join(told), steps, answer, world)


_WORLD = ("In case {0} {1}.", "{0} is the case in which {1}.", "Case {0} means that {1}.")
_BLUR = (
    "{0} cannot tell {1} apart.",
    "To {0} the cases {1} look the same.",
    "{0} sees no difference between {1}.",
)
_ELSE = (
    "All other cases each of them tells apart, and all know this.",
    "Any cases not named so are told apart, as everybody knows.",
)
_CASES = (
    "{0} of {1} thinks through the cases {2}.",
    "In {1} {0} considers the cases {2}.",
    "There are the cases {2}, says {0} from {1}.",
)
_KNOWS_ASK = (
    "In case {0}, is it true that {1}?",
    "Does it hold in case {0} that {1}?",
    "Suppose it is case {0}. Is it so that {1}?",
)
_MODES = ("knows that", "does not know that", "holds it possible that")


def knowledge(draw: Draw, level: int) -> Problem:
    """Cases that some cannot tell apart; does somebody know that somebody else knows?

    Args:
        draw: chance.
        level: 1 to 100; more cases and minds, deeper nesting.

    Returns:
        The problem.
    """
    cases = draw.sample(QUALITIES, grown(draw, level, 3, 7))
    minds, nouns = people(draw, grown(draw, level, 2, 3)), draw.sample(NOUNS, 2)
    states = [draw.choice(_STATES) for _ in nouns]
    facts = [[draw.below(3) > 0 for _ in nouns] for _ in cases]
    told: list[str] = []
    for case, row in zip(cases, facts, strict=True):
        words = joined(
            [
                f"the {noun} is {'' if holds else 'not '}{state}"
                for noun, state, holds in zip(nouns, states, row, strict=True)
            ]
        )
        text = draw.choice(_WORLD).format(case, words)
        told.append(text[0].upper() + text[1:])
    blurs: dict[str, list[int]] = {}
    for mind in minds:
        marks = [draw.below(max(2, len(cases) // 2)) for _ in cases]
        blurs[mind] = marks
        for mark in sorted(set(marks)):
            group = [case for case, other in zip(cases, marks, strict=True) if other == mark]
            if len(group) > 1:
                told.append(draw.choice(_BLUR).format(mind, joined(group)))
    draw.shuffle(told)
    head = draw.choice(_CASES).format(people(draw, 1)[0], places(draw, 1)[0], joined(cases))
    told = [head, *woven(draw, level, told), draw.choice(_ELSE)]
    fact, holds = draw.below(2), draw.below(3) > 0
    words = f"the {nouns[fact]} is {'' if holds else 'not '}{states[fact]}"
    true = [row[fact] == holds for row in facts]
    style = draw.choice(("{0}: {1}", "{1}: {0}", "{0}, in {1}"))
    steps = [style.format(words, _where(cases, true))]
    last = ""
    for _ in range(grown(draw, level, 1, 4)):
        mind = draw.choice([m for m in minds if m != last])
        mode, last = draw.below(3), mind
        words = f"{mind} {_MODES[mode]} {words}"
        true = _seen(true, blurs[mind], mode)
        steps.append(style.format(words, _where(cases, true)))
    asked = draw.below(len(cases))
    told.append(draw.choice(_KNOWS_ASK).format(cases[asked], words))
    answer = "yes" if true[asked] else "no"
    world: Certificate = {"case": cases[asked], "claim": words, "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


def _seen(true: list[bool], marks: list[int], mode: int) -> list[bool]:
    groups: dict[int, list[bool]] = {}
    for mark, value in zip(marks, true, strict=True):
        groups.setdefault(mark, []).append(value)
    if mode == 2:
        return [any(groups[mark]) for mark in marks]
    return [all(groups[mark]) != (mode == 1) for mark in marks]


def _where(cases: list[str], true: list[bool]) -> str:
    return joined([c for c, holds in zip(cases, true, strict=True) if holds] or ["no case"])


FAMILIES: dict[str, Family] = {
    "entailment": entailment,
    "quantifiers": quantifiers,
    "knowledge": knowledge,
}
"""Families of this module by name."""
