"""Logic in words: orderings, syllogisms, knights and knaves."""

from itertools import pairwise

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.problem import Problem, grown, lay_out
from qmpi.content.reasoning.words import KINDS, NAMES, SCALES


def ordering(draw: Draw, level: int) -> Problem:
    """People in an order that is told by comparisons; one place in it is asked for.

    Args:
        draw: chance.
        level: 1 to 100; more people, more redundant clues.

    Returns:
        The problem.
    """
    count = grown(draw, level, 3, 10)
    people = draw.sample(NAMES, count)  # the greatest first
    more, less, most, least = draw.choice(SCALES)
    pairs = [(place, place + 1) for place in range(count - 1)]
    for _ in range(grown(draw, level, 0, 5)):
        first = draw.below(count - 1)
        pairs.append((first, draw.between(first + 1, count - 1)))
    clues: list[str] = []
    for greater, lesser in pairs:
        if draw.below(2):
            clues.append(f"{people[greater]} is {more} than {people[lesser]}.")
        else:
            clues.append(f"{people[lesser]} is {less} than {people[greater]}.")
    draw.shuffle(clues)
    place = draw.below(count)
    question = _asked_place(draw, place, count, most, least)
    steps = [f"From the {most} to the {least}: {', '.join(people)}."]
    world: Certificate = {
        "people": tuple(people),
        "place": place,
        "more": more,
        "less": less,
        "answer": people[place],
    }
    return lay_out(draw, " ".join([*clues, question]), steps, people[place], world)


_PLACES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
           "tenth")  # fmt: skip


def _asked_place(draw: Draw, place: int, count: int, most: str, least: str) -> str:
    if place == 0:
        return f"Who is the {most}?"
    if place == count - 1:
        return f"Who is the {least}?"
    if draw.below(2):
        return f"Who is in {_PLACES[place]} place, counted from the {most}?"
    return f"Who is in {_PLACES[count - 1 - place]} place, counted from the {least}?"


def syllogism(draw: Draw, level: int) -> Problem:
    """Does a conclusion follow from premises of the forms all, no, some?

    Args:
        draw: chance.
        level: 1 to 100; longer chains, premises that lead nowhere.

    Returns:
        The problem.
    """
    length = grown(draw, level, 2, 6)
    stray = grown(draw, level, 0, 2)
    words = draw.sample(KINDS, length + 2 + stray)
    chain, (some, none), beside = words[:length], words[length : length + 2], words[length + 2 :]
    premises = [f"All {lower} are {upper}." for lower, upper in pairwise(chain)]
    # Some members of `some` are at the bottom of the chain; nothing at its top is in `none`.
    premises.append(f"Some {some} are {chain[0]}.")
    premises.append(f"No {chain[-1]} are {none}.")
    premises += [f"All {word} are {draw.choice(chain)}." for word in beside]
    conclusion, follows, why = _conclusion(draw, chain, some, none)
    draw.shuffle(premises)
    answer = "yes" if follows else "no"
    ask = draw.choice(
        (
            "Does it follow that {}?",
            "Can one conclude that {}?",
            "Must it be true that {}?",
            "Is it certain that {}?",
        )
    )
    question = " ".join([*premises, ask.format(conclusion)])
    world: Certificate = {
        "premises": tuple(premises),
        "conclusion": conclusion,
        "kinds": tuple(sorted(words)),
        "answer": answer,
    }
    return lay_out(draw, question, [why], answer, world)


def _conclusion(draw: Draw, chain: list[str], some: str, none: str) -> tuple[str, bool, str]:
    bottom, top = chain[0], chain[-1]
    path = " -> ".join(chain)
    up = f"Following the chain {path}, all {bottom} are {top}."
    match draw.below(8):
        case 0 | 1:
            return f"all {bottom} are {top}", True, up
        case 2:
            return f"some {some} are {top}", True, f"{up} Some {some} are {bottom}."
        case 3:
            why = f"{up} No {top} are {none}."
            return f"no {bottom} are {none}", True, why
        case 4:
            why = f"{up} Those {some} that are {bottom} are no {none}."
            return f"some {some} are not {none}", True, why
        case 5:
            why = f"The chain {path} leads one way only."
            return f"all {top} are {bottom}", False, why
        case 6:
            why = f"Only some {some} are known to be {bottom}; the others may be anything."
            return f"all {some} are {top}", False, why
        case _:
            why = f"Those {some} that are {bottom} are no {none}; the others may be."
            return f"no {some} are {none}", False, why


Statement = tuple[str, int, int]
"""(form, first person, second person)."""

_FORMS = ("knave", "knight", "same", "differ", "either", "both")


def knights(draw: Draw, level: int) -> Problem:
    """Knights always tell the truth, knaves always lie; who is what?

    Args:
        draw: chance.
        level: 1 to 100; more islanders.

    Returns:
        The problem.
    """
    count = grown(draw, level, 2, 6)
    people = draw.sample(NAMES, count)
    honest = [draw.below(2) == 1 for _ in people]
    worlds = set(range(1 << count))
    said: list[str] = []
    speakers = list(range(count))
    draw.shuffle(speakers)
    for turn in range(4 * count):
        if len(worlds) == 1:
            break
        speaker = speakers[turn % count]
        statement = _statement(draw, speaker, honest)
        left = {w for w in worlds if _holds(statement, w) == bool(w >> speaker & 1)}
        if len(left) < len(worlds):
            worlds = left
            said.append(_quoted(draw, people, speaker, statement))
    truth = sum(1 << number for number in range(count) if honest[number])
    for number in range(count):
        if len(worlds) == 1:
            break
        # Statements that only compare cannot tell a world from its mirror image.
        said.append(f"It is known that {people[number]} is a {_kind(truth >> number & 1)}.")
        worlds = {w for w in worlds if w >> number & 1 == truth >> number & 1}
    asked = draw.below(count)
    answer = _kind(truth >> asked & 1)
    head = draw.choice(
        (
            "On an island knights always tell the truth and knaves always lie.",
            "Knights always tell the truth; knaves always lie.",
            "Each islander is a knight, who always tells the truth, or a knave, who always lies.",
        )
    )
    question = f"{head} {' '.join(said)} Is {people[asked]} a knight or a knave?"
    steps = [f"{name} is a {_kind(truth >> n & 1)}." for n, name in enumerate(people)]
    world: Certificate = {
        "people": tuple(people),
        "honest": truth,
        "asked": asked,
        "answer": answer,
    }
    return lay_out(draw, question, steps, answer, world)


def _kind(honest: int) -> str:
    return "knight" if honest else "knave"


def _statement(draw: Draw, speaker: int, honest: list[bool]) -> Statement:
    others = [number for number in range(len(honest)) if number != speaker]
    truth = sum(1 << number for number, good in enumerate(honest) if good)
    while True:
        form = draw.choice(_FORMS)
        first = draw.choice(others)
        rest = [number for number in others if number != first] or [speaker]
        statement = (form, first, draw.choice(rest))
        # The speaker's nature decides which statements can be said at all.
        if _holds(statement, truth) == honest[speaker]:
            return statement


def _holds(statement: Statement, world: int) -> bool:
    form, one, other = statement
    first, second = world >> one & 1, world >> other & 1
    match form:
        case "knave":
            return not first
        case "knight":
            return bool(first)
        case "same":
            return first == second
        case "differ":
            return first != second
        case "either":
            return not (first and second)
        case _:
            return not (first or second)


def _quoted(draw: Draw, people: list[str], speaker: int, statement: Statement) -> str:
    form, one, other = statement
    first, second = people[one], "I" if other == speaker else people[other]
    words = {
        "knave": f"{first} is a knave",
        "knight": f"{first} is a knight",
        "same": f"{first} and {second} are of the same kind",
        "differ": f"{first} and {second} are of different kinds",
        "either": f"At least one of {first} and {second} is a knave",
        "both": f"{first} and {second} are both knaves",
    }[form]
    verb = draw.choice(("says", "claims", "declares"))
    return f'{people[speaker]} {verb}: "{words}."'
