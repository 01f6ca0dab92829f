"""Solvers of relations: common ancestors, nearest rules, streets filled house by house."""

from itertools import pairwise

from qmpi.content.exercise import Exercise
from qmpi.content.verify.reading import (
    Check,
    Values,
    certificate_fault,
    first_fault,
    listed,
    only,
    sorted_out,
    steps_fault,
    worked,
)

_KIN = {
    "parent": (
        "{elder:w} is the (?P<mother>mother|father) of {child:w}",
        "{child:w} has {elder:w} as (?P<mother>mother|father)",
        "The (?P<mother>mother|father) of {child:w} is called {elder:w}",
        "{elder:w} became the (?P<mother>mother|father) of {child:w}",
        "{child:w} is a (?P<son>son|daughter) of {elder:w}",
        "{elder:w} has {child:w} as a (?P<son>son|daughter)",
        "A (?P<son>son|daughter) of {elder:w} is called {child:w}",
        "{elder:w} has a (?P<son>son|daughter), {child:w}",
    ),
    "sex": ("{who:w} is a (?P<sex>woman|man)", "We know {who:w} to be a (?P<sex>woman|man)"),
    "asked": (
        "What is {who:w} to {whose:w}",
        "How is {who:w} related to {whose:w}",
        "Which relative of {whose:w} is {who:w}",
        "{who:w} is which relation of {whose:w}",
    ),
}
_KIN_STEPS = (
    r"{elder:w} is a parent of {child:w}\.",
    "{elder:w} -> {child:w}",
    r"{child:w} is a child of {elder:w}\.",
)


def check_kinship(exercise: Exercise, answer: str) -> str | None:
    """Check what one is to another.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _KIN)
    asked = only(found["asked"], "the relatives")
    parent = {v["child"]: v["elder"] for v in found["parent"]}
    female = {v["who"]: v["sex"] == "woman" for v in found["sex"]}
    for v in found["parent"]:
        if "son" in v:
            female[v["child"]] = v["son"] == "daughter"
        else:
            female[v["elder"]] = v["mother"] == "mother"
    who, whose = _line(parent, asked["who"]), _line(parent, asked["whose"])
    shared = next((elder for elder in whose if elder in who), None)
    if shared is None or asked["who"] not in female:
        return "the two are not known to be related, or a sex is not known"
    up, down = whose.index(shared), who.index(shared)
    right = _kin_word(up, down, female=female[asked["who"]])
    if right != answer:
        return f"the relation is {right}, not {answer}"
    way = [*pairwise(whose[: up + 1])]
    way += reversed([*pairwise(who[: down + 1])])
    expected = [{"child": child, "elder": elder} for child, elder in way]
    return first_fault(
        certificate_fault(exercise, who=asked["who"], whose=asked["whose"]),
        steps_fault(exercise, _KIN_STEPS, expected),
    )


def _line(parent: dict[str, str], who: str) -> list[str]:
    line = [who]
    while line[-1] in parent and len(line) < 99:
        line.append(parent[line[-1]])
    return line


# The words are put together by rule: greats and grands for the line, removal for cousins.
def _kin_word(up: int, down: int, *, female: bool) -> str:
    if min(up, down) > 1:
        times = {0: "", 1: " once removed", 2: " twice removed"}[abs(up - down)]
        return ("first", "second", "third")[min(up, down) - 2] + " cousin" + times
    if up == 1 == down:
        return "sister" if female else "brother"
    if down == 0:
        return (
            "great-" * (up - 2) + ("grand" if up > 1 else "") + ("mother" if female else "father")
        )
    if up == 0:
        word = "daughter" if female else "son"
        return "great-" * (down - 2) + ("grand" if down > 1 else "") + word
    if down == 1:
        return "great-" * (up - 2) + ("aunt" if female else "uncle")
    return "grand" * (down - 2) + ("niece" if female else "nephew")


_BEINGS = {
    "asked": (
        r"(?:Does|By these rules, does) {who:w} {deed:w}",
        "Should one expect that {who:w} does {deed:w}",
    ),
    "are": (
        r"All {sub:w}s are {sup:w}s",
        r"Every {sub:w} is a {sup:w}",
        r"The {sub:w}s belong to the {sup:w}s",
    ),
    "not": (
        "(?:As a rule|Most) {sub:w}s do not {deed:w}",
        "Unlike what holds otherwise, {sub:w}s do not {deed:w}",
        "{sub:w}, however, does not {deed:w}",
        "Against its kind {sub:w} does not {deed:w}",
    ),
    "do": (
        "(?:As a rule|Most|By default) {sub:w}s {deed:w}",
        "{sub:w}, however, does {deed:w}",
        "Against its kind {sub:w} does {deed:w}",
    ),
    "is": ("{sub:w} is a {sup:w}", "{sub:w} belongs to the {sup:w}s", "We meet {sub:w}, a {sup:w}"),
}
_BEING_STEPS = (
    r"Who decides: {chain}\.",
    r"Going up: {chain}\.",
    "{last:w}: {deed:w}, {does:w}",
    "(?P<chain>[^.:]+ -> [^.:]+|[A-Z][a-z]+)",
)


def check_defaults(exercise: Exercise, answer: str) -> str | None:
    """Check whether a being follows a rule.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _BEINGS)
    asked = only(found["asked"], "the being")
    above = {v["sub"]: v["sup"] for v in found["are"] + found["is"]}
    rules = {(v["sub"], v["deed"]): kind for kind in ("do", "not") for v in found[kind]}
    # How far each rule lies above the being; the nearest one decides.
    chain = _line(above, asked["who"])
    near = [
        (chain.index(sub), sub) for sub, deed in rules if deed == asked["deed"] and sub in chain
    ]
    place, sub = min(near)
    does = "yes" if rules[sub, asked["deed"]] == "do" else "no"
    if does != answer:
        return f"the nearest rule says {does}"
    expected = [
        {"chain": " -> ".join(chain[: place + 1])},
        {"last": sub, "deed": asked["deed"], "does": does},
    ]
    return first_fault(
        certificate_fault(exercise, who=asked["who"], deed=asked["deed"]),
        steps_fault(exercise, _BEING_STEPS, expected),
    )


_HOUSES = "{far:d} houses?"
_STREET = {
    "street": (
        r"In a street of {town:w} there are {count:d} houses, numbered from left to right, with "
        "one person each",
        "{count:d} houses of {town:w}, numbered from left to right, have one tenant each",
        "Side by side, numbered from left to right, stand {count:d} houses of {town:w}, with one "
        "person in each",
    ),
    "who": ("Who is {a}", "What is the name of {a}", "Which of them is {a}"),
    "house": ("In which house lives {a}", "What is the number of the house of {a}"),
    "at": ("{a} lives in house {n:d}", "House {n:d} is that of {a}", "In house {n:d} lives {a}"),
    "tenants": (
        "The tenants are {names}",
        "They are called {names}",
        "The names of the people are {names}",
    ),
    "right": (
        "{a} lives " + _HOUSES + " to the right of {b}",
        "{b} lives " + _HOUSES + " to the left of {a}",
        "Looking right from the house of {b}, {a} lives " + _HOUSES + " on",
    ),
    "same": ("{a} is nobody else than {b}", "{a} and {b} are one and the same", "{a} is {b}"),
}
_SORTS = ("the owner of", "the drinker of", "the keeper of", "the player of", "the ")
_STREET_STEPS = (r"(?:House|In house) {n:d}: {all}\.", "{n:d}: {all}")


def check_zebra(exercise: Exercise, answer: str) -> str | None:
    """Check who lives where in a street.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _STREET)
    street = only(found["street"], "the street")
    asked = only(found["who"] + found["house"], "what is asked")["a"]
    count = int(street["count"])
    clues = [
        (_low(v["a"]), _low(v["b"]), int(v.get("far", 0))) for v in found["right"] + found["same"]
    ]
    # Houses that each value may still have.
    may = {name: set(range(1, count + 1)) for a, b, _ in clues for name in (a, b)}
    may.update({_low(v["a"]): {int(v["n"])} for v in found["at"]})
    for name in listed(only(found["tenants"], "the tenants")["names"]):
        may.setdefault(name, set(range(1, count + 1)))
    return first_fault(
        certificate_fault(exercise, town=street["town"], asked=asked),
        _street_fault(exercise, may, (clues, count), (asked, answer)),
    )


def _low(value: str) -> str:
    return value[0].lower() + value[1:] if value.startswith("The ") else value


def _shown(exercise: Exercise) -> list[list[str]]:
    return [line.partition(": ")[2].rstrip(".").split("; ") for line in worked(exercise)]


def _sort(value: str) -> str:
    return next((sort for sort in _SORTS if value.startswith(sort)), "name")


def _street_fault(
    exercise: Exercise,
    may: dict[str, set[int]],
    rules: tuple[list[tuple[str, str, int]], int],
    asked: tuple[str, str],
) -> str | None:
    clues, count = rules
    streets = _streets(may, clues)
    if len(streets) != 1:
        return f"{len(streets)} streets fit"
    at = streets[0]
    names: dict[int, str] = {house: v for v, house in at.items() if _sort(v) == "name"}
    right = (names.get(at[asked[0]], ""), str(at[asked[0]]))
    by_number = asked[1].isdigit()
    if asked[1] != right[by_number] or by_number != _asks_number(exercise):
        return f"it is {right}, not {asked[1]}"
    expected: list[Values] = []
    for house, line in enumerate(_shown(exercise), 1):
        here = {value for value, place in at.items() if place == house}
        whole = len(line) == len(set(line)) and set(line) == here
        expected.append({"n": str(house), "all": "; ".join(line) if whole else "?"})
    if expected and len(expected) != count:
        return f"{len(expected)} houses are shown"
    return steps_fault(exercise, _STREET_STEPS, expected)


def _asks_number(exercise: Exercise) -> bool:
    return bool(sorted_out(exercise, _STREET)["house"])


# Search with the fewest choices first; two values of one sort never share a house.
def _streets(may: dict[str, set[int]], clues: list[tuple[str, str, int]]) -> list[dict[str, int]]:
    may = _narrowed({name: set(houses) for name, houses in may.items()}, clues)
    if not all(may.values()):
        return []
    free = [name for name, houses in may.items() if len(houses) > 1]
    if not free:
        return [{name: min(houses) for name, houses in may.items()}]
    name = min(free, key=lambda value: len(may[value]))
    found: list[dict[str, int]] = []
    for house in sorted(may[name]):
        found += _streets({**may, name: {house}}, clues)
        if len(found) > 1:
            break
    return found


def _narrowed(may: dict[str, set[int]], clues: list[tuple[str, str, int]]) -> dict[str, set[int]]:
    size = -1
    while size != (size := sum(map(len, may.values()))):
        for a, b, far in clues:
            may[a] &= {house + far for house in may[b]}
            may[b] &= {house - far for house in may[a]}
        for name, houses in may.items():
            if len(houses) == 1:
                for other, rest in may.items():
                    if other != name and _sort(other) == _sort(name):
                        rest -= houses
    return may


CHECKS: dict[str, Check] = {
    "kinship": check_kinship,
    "defaults": check_defaults,
    "zebra": check_zebra,
}
"""Solvers by family."""
