"""Solvers about evidence: each suspect tried, each seating tried, rings turned, rules run."""

import re
from itertools import pairwise

from qmpi.content.exercise import Exercise, question_of
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
    worked,
)

_CRIME = {
    "crime": (
        r"One of {names} has taken an? \w+ \w+ from \w+",
        r"In \w+ an? \w+ \w+ is missing, and one of {names} has it",
        r"Exactly one of {names} broke an? \w+ \w+ in \w+",
    ),
    "lies": (
        "Of the {all:d} statements exactly {n:d} (?:is|are) false",
        "{n:d} of these {all:d} statements (?:is|are) false, and the others are true",
        "Inspectors found that just {n:d} of the {all:d} statements (?:is|are) false",
    ),
}
_STATEMENT = re.compile(r'"It was ((?:not|neither) )?([^."]+)\."')
_CRIME_STEPS = (
    "{who:w}: {n:d} false",
    r"If {who:w} did it, {n:d} are false\.",
    "{who:w} -> {n:d}",
)


def check_witnesses(exercise: Exercise, answer: str) -> str | None:
    """Check who is guilty.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _CRIME)
    suspects = listed(only(found["crime"], "the crime")["names"])
    lies = only(found["lies"], "the lies")
    said = _STATEMENT.findall(question_of(exercise.text))
    if len(said) != int(lies["all"]):
        return f"{len(said)} statements are made"
    false = {
        suspect: sum((suspect in re.split(" n?or ", names)) == bool(no) for no, names in said)
        for suspect in suspects
    }
    fitting = [suspect for suspect in suspects if false[suspect] == int(lies["n"])]
    if fitting != [answer]:
        return f"{fitting} fit the statements, not {answer}"
    expected = [{"who": suspect, "n": str(number)} for suspect, number in false.items()]
    return first_fault(
        certificate_fault(exercise, suspects=suspects, false=int(lies["n"])),
        steps_fault(exercise, _CRIME_STEPS, expected),
    )


_FEUDS = {
    "feud": (
        "{a:w} and {b:w} have quarrelled",
        "{a:w} is not on speaking terms with {b:w}",
        "{a:w} cannot stand {b:w}",
        "Between {a:w} and {b:w} there is a feud",
    ),
    "asked": (
        "Who shares the table of {who:w}, if it can be done at all",
        "Name those at the same table as {who:w}, if there is a way",
        "With whom does {who:w} sit, if all can be placed",
    ),
}
_FEUD_STEPS = (
    "{who:w}: {side:w} table",
    r"{who:w} sits at the {side:w} table\.",
    "{who:w} = {side:w}",
)


def check_two_tables(exercise: Exercise, answer: str) -> str | None:
    """Check who shares a table.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _FEUDS)
    asked = only(found["asked"], "the guest")["who"]
    feuds = {frozenset((v["a"], v["b"])) for v in found["feud"]}
    guests = sorted(set[str]().union(*feuds))
    if asked not in guests or len(guests) > 16:
        return "the guest quarrels with nobody, or there are too many to try"
    fitting = _seatings(guests, feuds, asked)
    fault = certificate_fault(exercise, guests=len(guests), asked=asked)
    if not fitting:
        right = "it cannot be done"
        return fault or _ring_fault(exercise, feuds) if answer == right else right
    if len(fitting) > 1:
        return "there is more than one way to seat them"
    mates = [guest for guest in guests if guest in fitting[0] and guest != asked]
    right = " and ".join(mates).replace(" and ", ", ", max(0, len(mates) - 2)) or "nobody"
    if right != answer:
        return f"{right} share that table, not {answer}"
    expected = [
        {"who": guest, "side": "same" if guest in fitting[0] else "other"} for guest in guests
    ]
    return first_fault(fault, steps_any_order_fault(exercise, _FEUD_STEPS, expected))


# All ways to fill the table of one guest, a guest at a time, given up at the first feud.
def _seatings(guests: list[str], feuds: set[frozenset[str]], asked: str) -> list[set[str]]:
    tables: list[tuple[set[str], set[str]]] = [({asked}, set())]
    # Who quarrels with somebody placed comes next, so that each is placed at once or refused.
    left = [guest for guest in guests if guest != asked]
    while left:
        placed = tables[0][0] | tables[0][1]
        guest = next((g for g in left if any(frozenset((g, p)) in feuds for p in placed)), left[0])
        left.remove(guest)
        following: list[tuple[set[str], set[str]]] = []
        for here, there in tables:
            if not any(frozenset((guest, other)) in feuds for other in here):
                following.append((here | {guest}, there))
            if not any(frozenset((guest, other)) in feuds for other in there):
                following.append((here, there | {guest}))
        tables = following
        if not tables:
            return []
    return [here for here, _ in tables]


def _ring_fault(exercise: Exercise, feuds: set[frozenset[str]]) -> str | None:
    for step in worked(exercise):
        ring = step.removeprefix("A ring of odd length quarrels, ").split(" - ")
        pairs = [frozenset(pair) for pair in pairwise(ring)]
        if len(pairs) % 2 == 0 or ring[0] != ring[-1] or not feuds.issuperset(pairs):
            return f"{step!r} is no ring of odd length"
    return None


_RINGS = {
    "ring": (
        "Let {ring} follow each other in a ring",
        "The ring {ring} begins anew after its end",
        "In order, and round again, there come {ring}",
    ),
    "forth": (
        "An? {a} is to an? {b} as an? {c} is to what",
        "As an? {a} becomes an? {b}, so an? {c} becomes what",
        "If an? {a} goes with an? {b}, what goes with an? {c}",
    ),
    "back": (
        "An? {a} is to an? {b} as what is to an? {c}",
        "As an? {a} becomes an? {b}, so what becomes an? {c}",
    ),
}
_RING_STEPS = (
    "{a:w} -> {b:w}, {k:d} on; {c:w} -> {d:w}",
    "{a:w} to {b:w} is {k:d}, so {c:w} to {d:w}",
)


def check_analogy(exercise: Exercise, answer: str) -> str | None:
    """Check an analogy.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _RINGS)
    rings = [listed(v["ring"]) for v in found["ring"]]
    asked = only(found["forth"] + found["back"], "the cards")
    cards = [asked[slot].split() for slot in "abc"]
    way = 1 if found["forth"] else -1
    moves: list[int] = []
    wanted: list[str] = []
    expected: list[Values] = []
    for ring, a, b, c in zip(rings, *cards, strict=True):
        # Turn the ring one by one until the first card fits the second.
        turned, steps = ring, 0
        while turned[ring.index(a)] != b:
            turned, steps = turned[1:] + turned[:1], steps + 1
            if steps > len(ring):
                return f"{b!r} is not in the ring of {a!r}"
        moves.append(steps)
        for _ in range(steps if way > 0 else len(ring) - steps):
            ring = ring[1:] + ring[:1]
        original = rings[len(wanted)]
        wanted.append(ring[original.index(c)])
        pair = (c, wanted[-1]) if way > 0 else (wanted[-1], c)
        expected.append({"a": a, "b": b, "k": str(steps), "c": pair[0], "d": pair[1]})
    right = " ".join(wanted)
    right = f"{'an' if right[0] in 'aeiou' else 'a'} {right}"
    if right != answer:
        return f"it is {right}, not {answer}"
    return first_fault(
        certificate_fault(exercise, shift=moves),
        steps_fault(exercise, _RING_STEPS, expected),
    )


_CASES = {
    "case": (
        "From {n:d} comes {m:d}",
        "{n:d} gives {m:d}",
        "{n:d} turns into {m:d}",
        "Put in {n:d}, get {m:d}",
    ),
}
_RULE_STEPS = (
    "{rule:w}: {n:d} would give {m:d}",
    r"{rule:w} fails at {n:d}, giving {m:d}\.",
    "{rule:w} {fits:w}",
)
_RULE_WORDS: tuple[tuple[str, str], ...] = (
    (r"multiply by (\d+) and add (\d+)", "0 * n + 1"),
    (r"take (\d+) times the number plus (\d+)", "0 * n + 1"),
    (r"add (\d+) and multiply by (\d+)", "n * 1 + 0 * 1"),
    (r"take the number plus (\d+), times (\d+)", "n * 1 + 0 * 1"),
    (r"square the number and add (\d+)", "n * n + 0"),
    (r"take the number times itself plus (\d+)", "n * n + 0"),
    (r"add (\d+) times the sum of digits, and (\d+)", "n + 0 * s + 1"),
    (r"add (\d+) to an even number and (\d+) to an odd one", "n + 0 * e + 1 * o"),
    (r"add (\d+) to numbers below 20 and (\d+) to all others", "n + 0 * l + 1 * h"),
    (r"take the remainder by (\d+) and add (\d+)", "n - q * 0 + 1"),
    (r"read the digits backwards and add (\d+)", "b + 0"),
)


def check_rule_induction(exercise: Exercise, answer: str) -> str | None:
    """Check which rule fits all examples.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    cases = [(int(v["n"]), int(v["m"])) for v in sorted_out(exercise, _CASES)["case"]]
    rules = re.findall(r"\(([A-G])\) ([^;?]+)", question_of(exercise.text))
    if [letter for letter, _ in rules] != list("ABCDEFG"[: len(rules)]):
        return "the rules are not lettered from A"
    fitting: list[str] = []
    expected: list[Values] = []
    for letter, words in rules:
        images = [(n, _image(words, n), m) for n, m in cases]
        wrong = [(n, image) for n, image, m in images if image != m]
        if wrong:
            expected.append({"rule": letter, "n": str(wrong[0][0]), "m": str(wrong[0][1])})
        else:
            fitting.append(letter)
            expected.append({"rule": letter, "fits": "fits"})
    if fitting != [answer]:
        return f"{fitting} fit all cases, not {answer}"
    return first_fault(
        certificate_fault(exercise, inputs=[n for n, _ in cases], rules=len(rules)),
        steps_fault(exercise, _RULE_STEPS, expected),
    )


# A rule is a sum of products; names stand for the number and what is worked out from it.
def _image(words: str, number: int) -> int:
    for pattern, terms in _RULE_WORDS:
        found = re.fullmatch(pattern, words)
        if found is None:
            continue
        names = {
            "n": number,
            "s": sum(map(int, str(number))),
            "e": 1 - number % 2,
            "o": number % 2,
            "l": int(number < 20),
            "h": int(number >= 20),
            "q": number // int(found[1]),
            "b": int("".join(reversed(str(number)))),
            **{str(n): int(value) for n, value in enumerate(found.groups())},
        }
        total = 0
        for term in terms.replace(" - ", " + -").split(" + "):
            product = -1 if term.startswith("-") else 1
            for factor in term.removeprefix("-").split(" * "):
                product *= names[factor]
            total += product
        return total
    raise ValueError(f"nobody knows the rule {words!r}")


CHECKS: dict[str, Check] = {
    "witnesses": check_witnesses,
    "two_tables": check_two_tables,
    "analogy": check_analogy,
    "rule_induction": check_rule_induction,
}
"""Solvers by family."""
