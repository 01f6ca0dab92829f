"""Books, rights, packages: transfers between accounts, rules of access, versions that fit."""

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scene_words import (
    JOBS,
    QUALITIES,
    joined,
    numbered,
    one,
    people,
    places,
    things,
    woven,
)

_OPEN = (
    "{0} starts with {1} {2}.",
    "At first {0} has {1} {2}.",
    "The account of {0} opens at {1} {2}.",
    "{1} {2} stand in the account of {0} to begin with.",
)
_PAY = (
    "{0} pays {1} {2} {3}.",
    "{1} receives {2} {3} from {0}.",
    "{2} {3} go from {0} to {1}.",
    "{0} owes {1} {2} {3} and settles that.",
)
_FEE = (
    "A fee of {1} {2} is taken from {0}.",
    "{0} loses {1} {2} to the tax.",
)
_EARN = (
    "{0} earns {1} {2} from outside.",
    "Interest of {1} {2} is credited to {0}.",
)
_BOOKS = (
    "{0}, {2} in {1}, keeps the books.",
    "These are the books of {0} from {1}.",
    "In {1} {0} writes down all payments.",
)
_BALANCE_ASK = (
    "How much does {0} have in the end, in {1}?",
    "What is the last balance of {0}, in {1}?",
    "How many {1} are left to {0}?",
)
_RICH_ASK = ("Who has most in the end?", "Whose balance is the largest at last?")


def ledger(draw: Draw, level: int) -> Problem:
    """Payments between people; the last balance of one, or who has most.

    Args:
        draw: chance.
        level: 1 to 100; more people and payments, larger sums.

    Returns:
        The problem.
    """
    who = people(draw, grown(draw, level, 2, 6))
    coin = draw.choice(("crowns", "dinars", "florins", "marks", "pesos", "tokens", "credits"))
    largest = 40 + 8 * level
    balance = {name: draw.between(10, largest) for name in who}
    told = [draw.choice(_OPEN).format(name, number, coin) for name, number in balance.items()]
    draw.shuffle(told)
    steps, changed = list[str](), who
    style = draw.choice(("{0} {1}", "{0}: {1}", "{0} = {1}"))
    between = draw.choice((", ", "; "))
    for _ in range(grown(draw, level, 2, 13)):
        number, kind = draw.between(2, largest // 3), draw.below(8)
        first = draw.choice(who)
        if kind == 0:
            told.append(draw.choice(_FEE).format(first, number, coin))
            balance[first] -= number
            changed = [first]
        elif kind == 1:
            told.append(draw.choice(_EARN).format(first, number, coin))
            balance[first] += number
            changed = [first]
        else:
            second = draw.choice([name for name in who if name != first])
            told.append(draw.choice(_PAY).format(first, second, number, coin))
            balance[first] -= number
            balance[second] += number
            changed = [first, second]
        steps.append(between.join([style.format(name, balance[name]) for name in changed]))
    head = draw.choice(_BOOKS).format(
        people(draw, 1)[0], places(draw, 1)[0], one(draw.choice(JOBS))
    )
    told = [head, *woven(draw, level, told)]
    numbers = sorted(balance.values())
    if numbers[-1] > numbers[-2] and draw.below(3) == 0:
        asked = "most"
        told.append(draw.choice(_RICH_ASK))
        answer = max(balance, key=balance.__getitem__)
    else:
        asked = draw.choice(changed)
        told.append(draw.choice(_BALANCE_ASK).format(asked, coin))
        answer = str(balance[asked])
    world: Certificate = {"asked": asked, "entries": len(steps), "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


_INCLUDES = (
    "Every {0} is also a {1}.",
    "The role {0} includes the role {1}.",
    "Whoever is {0} counts as {1} too.",
)
_GRANT = (
    "The role {0} may {1} the {2}.",
    "To {1} the {2} is allowed to the role {0}.",
    "The right to {1} the {2} belongs to the role {0}.",
)
_BAN = (
    "The role {0} must not {1} the {2}.",
    "To {1} the {2} is forbidden to the role {0}.",
    "For the role {0} there is a ban to {1} the {2}.",
)
_HOLDS = (
    "{0} has the role {1}.",
    "The role {1} was given to {0}.",
    "{0} works under the role {1}.",
)
_HOUSE = (
    "In the office of {0} at {1} all is forbidden that is not allowed, and a ban beats a right.",
    "{0} of {1} decrees that a ban outweighs any right and what nobody allowed is forbidden.",
    "By the statutes of {1}, signed by {0}, bans go before rights, and silence means no.",
)
_MAY_ASK = (
    "May {0} {1} the {2}?",
    "Is {0} allowed to {1} the {2}?",
    "Can {0} {1} the {2} by right?",
)
_VERBS = ("read", "change", "delete", "copy", "open", "sign", "print", "move", "lend", "sell")
_RECORDS = ("ledger", "archive", "register", "blueprint", "contract", "diary", "catalogue", "map",
            "manual", "roster", "recipe", "minutes", "atlas", "invoice", "charter",
            "logbook")  # fmt: skip


def access(draw: Draw, level: int) -> Problem:
    """Roles within roles, rights and bans; may somebody do something?

    Args:
        draw: chance.
        level: 1 to 100; more roles, rules and people.

    Returns:
        The problem.
    """
    roles = draw.sample(JOBS, grown(draw, level, 3, 10))
    verbs, records = draw.sample(_VERBS, 2 + level // 40), draw.sample(_RECORDS, 2 + level // 40)
    told: list[str] = []
    above: dict[int, list[int]] = {n: [] for n in range(len(roles))}
    for n in range(1, len(roles)):
        for m in draw.sample(range(n), 1 if n < 2 or draw.below(3) else 2):
            above[n].append(m)
            told.append(draw.choice(_INCLUDES).format(roles[n], roles[m]))
    rules: dict[tuple[int, str, str], bool] = {}
    deed = (draw.choice(verbs), draw.choice(records))
    for n in draw.sample(range(len(roles)), grown(draw, level, 2, 4)):
        rules[n, *deed] = draw.below(3) > 0
    for _ in range(grown(draw, level, 1, 7)):
        rules.setdefault(
            (draw.below(len(roles)), draw.choice(verbs), draw.choice(records)), draw.below(2) > 0
        )
    for (n, verb, record), allowed in rules.items():
        told.append(draw.choice(_GRANT if allowed else _BAN).format(roles[n], verb, record))
    who = people(draw, 1 + grown(draw, level, 1, 4))
    held = [draw.below(len(roles)) for _ in who]
    told += [draw.choice(_HOLDS).format(w, roles[n]) for w, n in zip(who, held, strict=True)]
    draw.shuffle(told)
    head = draw.choice(_HOUSE).format(people(draw, 1)[0], places(draw, 1)[0])
    told = [head, *woven(draw, level, told), draw.choice(_MAY_ASK).format(who[0], *deed)]
    reach = [held[0]]
    for n in reach:
        reach += [m for m in above[n] if m not in reach]
    style = draw.choice(
        (
            (
                "The role {0} says nothing of it.",
                "The role {0} allows it.",
                "The role {0} bans it.",
            ),
            ("{0}: silent", "{0}: right", "{0}: ban"),
            ("{0} = none", "{0} = yes", "{0} = no"),
        )
    )
    ordered = sorted(reach, key=lambda n: roles[n])
    verdicts = [rules.get((n, *deed)) for n in ordered]
    steps = [
        style[0 if v is None else 1 if v else 2].format(roles[n])
        for n, v in zip(ordered, verdicts, strict=True)
    ]
    answer = "yes" if True in verdicts and False not in verdicts else "no"
    world: Certificate = {"who": who[0], "deed": " ".join(deed), "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


_SHELF = (
    "Of {0} there are the versions {1}.",
    "The versions {1} of {0} have been released.",
    "{0} exists in the versions {1}.",
)
_NEEDS = (
    "{0} {1} needs {2} from {3} to {4}.",
    "Version {1} of {0} works only with {2} {3} to {4}.",
    "For {0} {1} one must have {2}, at least {3} and at most {4}.",
)
_NEEDS_ALL = (
    "Every version of {0} needs {2} from {3} to {4}.",
    "Any {0} works only with {2} {3} to {4}.",
)
_INSTALL = (
    "{0} of {1} installs {2}.",
    "On a server in {1} {0} sets up {2}.",
    "{0}, {3} in {1}, wants to use {2}.",
)
_NEWEST = (
    "For each package the newest version that all versions chosen before allow is taken, in the "
    "order {0}.",
    "Packages are chosen in the order {0}, each as new as the earlier choices permit.",
    "In the order {0}, each gets its highest version that the ones already taken accept.",
)
_VERSION_ASK = (
    "Which version of {0} is taken?",
    "What version of {0} results?",
    "Which {0} is installed?",
)


def versions(draw: Draw, level: int) -> Problem:
    """Packages that need each other in certain versions; which version of the last is chosen?

    Args:
        draw: chance.
        level: 1 to 100; more packages and versions.

    Returns:
        The problem.
    """
    count = grown(draw, level, 2, 5)
    names = [f"{q}{noun.split()[-1]}" for q, noun in zip(
        draw.sample(QUALITIES, count), things(draw, count), strict=True)]  # fmt: skip
    shelf = [
        sorted(draw.sample(range(1, 30 + level // 2), grown(draw, level, 3, 5))) for _ in names
    ]
    told = [
        draw.choice(_SHELF).format(name, joined([str(n) for n in draw.sample(row, len(row))]))
        for name, row in zip(names, shelf, strict=True)
    ]
    needs: dict[tuple[int, int, int], tuple[int, int]] = {}
    for n in range(1, count):
        everybody = draw.below(n)
        for m in range(n):
            if m != everybody and draw.below(2):
                continue
            whole = draw.below(3) == 0
            for version in (0,) if whole else shelf[m]:
                low, high = sorted(draw.sample(shelf[n], 2))
                low, high = max(1, low - draw.below(2)), high + draw.below(2)
                needs[m, version, n] = (low, high)
                words = draw.choice(_NEEDS_ALL if whole else _NEEDS)
                told.append(words.format(names[m], version, names[n], low, high))
    draw.shuffle(told)
    who, town, job = people(draw, 1)[0], places(draw, 1)[0], one(draw.choice(JOBS))
    head = draw.choice(_INSTALL).format(who, town, names[-1], job)
    told = [head, *woven(draw, level, told), draw.choice(_NEWEST).format(joined(names))]
    told.append(draw.choice(_VERSION_ASK).format(names[-1]))
    taken: list[int] = []
    steps: list[str] = []
    style = draw.choice(("{0}: {1}", "{0} is taken as {1}.", "{0} = {1}"))
    for n in range(count):
        limits = [needs[m, v, n] for m in range(n) for v in (0, taken[m]) if (m, v, n) in needs]
        fits = [v for v in shelf[n] if all(low <= v <= high for low, high in limits)]
        taken.append(fits[-1] if fits else -1)
        steps.append(style.format(names[n], taken[n] if fits else "none"))
    answer = str(taken[-1]) if taken[-1] > 0 else "none"
    world: Certificate = {
        "packages": tuple(names),
        "town": town,
        "released": tuple(sorted(version for row in shelf for version in row)),
        "ranges": tuple(sorted(f"{low}-{high}" for low, high in needs.values())),
        "answer": answer,
    }
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


FAMILIES: dict[str, Family] = {"ledger": ledger, "access": access, "versions": versions}
"""Families of this module by name."""
