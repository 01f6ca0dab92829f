"""Logic families: the world is an order, a set model, a truth assignment; the text says part of it."""

from itertools import pairwise

from qmpi.content.counter import Draw
from qmpi.content.document import ANSWER_MARK, Document
from qmpi.content.words import KINDS, NAMES, TRAITS

LETTERS = "pqrstuvw"


def ordering(draw: Draw, level: int) -> Document:
    """Neighbours of a hidden order are compared in random sequence; who comes at a place?

    Args:
        draw: randomness of the address.
        level: more people, and comparisons that are not needed.

    Returns:
        The document.
    """
    people = draw.sample(NAMES, 3 + min(12, level // 8))
    trait = draw.choice(TRAITS)
    claims = list(pairwise(people))
    for _ in range(level // 15):
        low = draw.below(len(people) - 1)
        claims.append((people[low], people[draw.between(low + 1, len(people) - 1)]))
    claims = draw.sample(claims, len(claims))
    place = draw.below(len(people))
    more = f"more {trait}" if len(trait) > 5 else f"{trait}er".replace("yer", "ier")
    said = " ".join(f"{a} is {more} than {b}." for a, b in claims)
    ask = draw.choice(
        (
            f"Counting from the most {trait}, who is number {place + 1}?",
            f"Who stands at place {place + 1} when the most {trait} stands first?",
        )
    )
    chain = draw.choice((" > ", ", then ", " before ")).join(people)
    body = f"{said} {ask}\nIn order: {chain}.\n{ANSWER_MARK} {people[place]}"
    facts = (("claims", ";".join(f"{a}>{b}" for a, b in claims)), ("place", str(place)))
    return Document("ordering", level, body, people[place], facts)


def formula(draw: Draw, level: int) -> Document:
    """A propositional formula under an assignment, evaluated from the inside.

    Args:
        draw: randomness of the address.
        level: more connectives.

    Returns:
        The document.
    """
    names = draw.sample(LETTERS, 2 + min(5, level // 12))
    world = {name: bool(draw.below(2)) for name in names}
    text = draw.choice(names)
    value = world[text]
    steps: list[str] = []
    for _ in range(2 + level // 6):
        kind = draw.choice(("and", "or", "implies", "not", "iff"))
        other = draw.choice(names)
        right = world[other]
        if kind == "not":
            text, value = f"not {text}", not value
        else:
            made = {
                "and": value and right,
                "or": value or right,
                "implies": (not value) or right,
                "iff": value == right,
            }
            text, value = f"({text} {kind} {other})", made[kind]
        steps.append(f"{text} is {str(value).lower()}")
    given = ", ".join(f"{name} is {str(flag).lower()}" for name, flag in world.items())
    ask = draw.choice(
        ("Let {g}. Is {t} true?", "Suppose {g}. Evaluate {t}.", "If {g}, what is the truth of {t}?")
    ).format(g=given, t=text)
    answer = str(value).lower()
    body = f"{ask}\n{'. '.join(steps)}.\n{ANSWER_MARK} {answer}"
    facts = (("formula", text), ("world", ",".join(f"{n}={int(v)}" for n, v in world.items())))
    return Document("formula", level, body, answer, facts)


def kinds(draw: Draw, level: int) -> Document:
    """A chain of 'all A are B' and 'no B are C'; does a conclusion follow?

    Args:
        draw: randomness of the address.
        level: longer chains.

    Returns:
        The document.
    """
    chain = draw.sample(KINDS, 3 + min(8, level // 10))
    cut = draw.below(len(chain) - 1) if draw.below(2) else -1
    rules = [
        f"{'no' if i == cut else 'all'} {a} are {b}" for i, (a, b) in enumerate(pairwise(chain))
    ]
    # 'No' holds to the end only if everything after it is reached from inside the excluded kind.
    if cut >= 0:
        chain, rules = chain[: cut + 2], rules[: cut + 1]
    said = ". ".join(rule.capitalize() for rule in draw.sample(rules, len(rules)))
    first, last = chain[0], chain[-1]
    claim = f"{draw.choice(('all', 'no'))} {first} are {last}"
    answer = "yes" if claim.startswith("no") == (cut >= 0) else "no"
    reason = ", ".join(rules)
    ask = draw.choice(
        (
            f"{said}. There are {first}. Is it true that {claim}?",
            f"{said}. Some {first} exist. Does it follow that {claim}?",
        )
    )
    relation = "no" if cut >= 0 else "all"
    body = f"{ask}\nSince {reason}: {relation} {first} are {last}.\n{ANSWER_MARK} {answer}"
    return Document("kinds", level, body, answer, (("rules", ";".join(rules)), ("claim", claim)))


def knights(draw: Draw, level: int) -> Document:
    """Knights tell the truth, knaves lie; what everybody says fixes who is who.

    Args:
        draw: randomness of the address.
        level: more people.

    Returns:
        The document.
    """
    people = draw.sample(NAMES, 2 + min(6, level // 14))
    honest = [bool(draw.below(2)) for _ in people]
    sayings: list[tuple[int, int, bool]] = []
    for i in range(1, len(people)):
        about = draw.below(i)
        sayings.append((i, about, honest[about] == honest[i]))
    known = draw.below(len(people))
    lines = [
        f'{people[i]} says: "{people[about]} is a {"knight" if claim else "knave"}."'
        for i, about, claim in draw.sample(sayings, len(sayings))
    ]
    target = draw.below(len(people))
    answer = "knight" if honest[target] else "knave"
    given = f"{people[known]} is a {'knight' if honest[known] else 'knave'}"
    listed = ", ".join(
        f"{n} is a {'knight' if h else 'knave'}" for n, h in zip(people, honest, strict=True)
    )
    body = (
        f"Knights always tell the truth and knaves always lie. {' '.join(lines)} We know that {given}. "
        f"What is {people[target]}?\nWorking from what is known: {listed}.\n{ANSWER_MARK} {answer}"
    )
    facts = (
        ("people", ",".join(people)),
        ("sayings", ";".join(f"{people[i]}:{people[a]}:{int(c)}" for i, a, c in sayings)),
        ("given", f"{people[known]}={int(honest[known])}"),
        ("target", people[target]),
    )
    return Document("knights", level, body, answer, facts)
