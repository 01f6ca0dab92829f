"""Solvers of layouts: offsets spread over a graph, every seating, moves read from the last one."""

import re

from qmpi.content.exercise import Exercise
from qmpi.content.verify.reading import (
    Check,
    Values,
    certificate_fault,
    first_fault,
    only,
    sorted_out,
    steps_fault,
    told,
)

_MOVES = {"north": 1j, "south": -1j, "east": 1 + 0j, "west": -1 + 0j}
_UNITS = "(?P<unit>metres|feet|paces)"
_PLAN = {
    "offset": (
        "The {one:w} lies {far:d} " + _UNITS + " {wind:w} of the {two:w}",
        "{far:d} " + _UNITS + " {wind:w} of the {two:w} is the {one:w}",
        "Going {far:d} " + _UNITS + " {wind:w} from the {two:w} one gets to the {one:w}",
        "From the {two:w} it is {far:d} " + _UNITS + " {wind:w} to the {one:w}",
    ),
    "asked": (
        "Where is the {goal:w}, seen from the {origin:w}",
        "How does the {goal:w} lie from the {origin:w}",
        "Give the place of the {goal:w} as seen from the {origin:w}",
        "Standing in the {origin:w}, how far and in which direction is the {goal:w}",
    ),
}
_PLAN_STEPS = (
    r"{room:w}: \({x:d}, {y:d}\)",
    r"The {room:w} is at \({x:d}, {y:d}\)\.",
    r"\({x:d}, {y:d}\) is the {room:w}\.",
)


def check_floor_plan(exercise: Exercise, answer: str) -> str | None:
    """Check how a room lies from another.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _PLAN)
    asked = only(found["asked"], "the rooms")
    near: dict[str, list[tuple[str, complex]]] = {}
    for v in found["offset"]:
        step = _MOVES[v["wind"]] * int(v["far"])
        near.setdefault(v["two"], []).append((v["one"], step))
        near.setdefault(v["one"], []).append((v["two"], -step))
    way = _way(near, [(asked["origin"], 0j)], asked["goal"])
    if way is None:
        return "nothing joins the two rooms"
    right = _offset(way[-1][1], found["offset"][0]["unit"])
    if right != answer:
        return f"the room lies {right}, not {answer}"
    expected = [{"room": room, "x": str(int(at.real)), "y": str(int(at.imag))} for room, at in way]
    return first_fault(
        certificate_fault(
            exercise,
            goal=asked["goal"],
            origin=asked["origin"],
            distances=sorted(int(v["far"]) for v in found["offset"]),
        ),
        steps_fault(exercise, _PLAN_STEPS, expected),
    )


def _way(
    near: dict[str, list[tuple[str, complex]]], way: list[tuple[str, complex]], goal: str
) -> list[tuple[str, complex]] | None:
    room, at = way[-1]
    if room == goal:
        return way
    for other, step in near.get(room, []):
        if all(other != passed for passed, _ in way):
            whole = _way(near, [*way, (other, at + step)], goal)
            if whole:
                return whole
    return None


def _offset(place: complex, unit: str) -> str:
    x, y = int(place.real), int(place.imag)
    parts = [f"{y} {unit} north"] if y > 0 else [f"{-y} {unit} south"] if y < 0 else []
    parts += [f"{x} {unit} east"] if x > 0 else [f"{-x} {unit} west"] if x < 0 else []
    parts = [re.sub(r"^1 (?:(feet)|(\w+)s)\b", _single, part) for part in parts]
    return " and ".join(parts) or "in the same place"


def _single(found: re.Match[str]) -> str:
    return "1 foot" if found[1] else f"1 {found[2]}"


_TABLE = {
    "head": (
        r"{count:d} people sit at a round table in \w+, on chairs numbered clockwise from 1 to "
        "{count:d}",
        r"At a round table of \w+ stand {count:d} chairs, numbered clockwise from 1, and all are "
        "taken",
        r"Clockwise from 1 to {count:d} are numbered the chairs of a round table in \w+; none is "
        "empty",
    ),
    "seat": (
        "{who:w} has chair {chair:d}",
        "Chair {chair:d} belongs to {who:w}",
        "On chair {chair:d} sits {who:w}",
    ),
    "after": (
        "{one:w} sits {far:d} places? clockwise of {two:w}",
        "Counted clockwise, {one:w} comes {far:d} places? after {two:w}",
        "{two:w} sits {far:d} places? anticlockwise of {one:w}",
        "Going clockwise from {two:w} one meets {one:w} after {far:d} places?",
    ),
    "asked": (
        "Who sits on chair {chair:d}",
        "Whose chair is number {chair:d}",
        "Who has taken chair {chair:d}",
        "Name the one on chair {chair:d}",
    ),
}
_TABLE_STEPS = (
    "Chair {chair:d}: {who:w}",
    r"{who:w} sits on chair {chair:d}\.",
    "{chair:d} = {who:w}",
    r"{chair:d}\. {who:w}",
)


def check_seating(exercise: Exercise, answer: str) -> str | None:
    """Check who sits on a chair.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _TABLE)
    count = int(only(found["head"], "the table")["count"])
    fixed = {v["who"]: int(v["chair"]) for v in found["seat"]}
    clues = [(v["one"], v["two"], int(v["far"])) for v in found["after"]]
    who = list(dict.fromkeys([*fixed, *(name for one, two, _ in clues for name in (one, two))]))
    if len(who) != count or count > 10:
        return f"{len(who)} people are named, not {count}"
    tables = _seatings(who, count, (fixed, clues), {})
    if len(tables) != 1:
        return f"{len(tables)} seatings fit"
    at = {chair: name for name, chair in tables[0].items()}
    chair = int(only(found["asked"], "the chair")["chair"])
    if at[chair] != answer:
        return f"{at[chair]} sits there, not {answer}"
    expected = [{"chair": str(n), "who": at[n]} for n in range(1, count + 1)]
    return first_fault(
        certificate_fault(exercise, people=sorted(who), chair=chair),
        steps_fault(exercise, _TABLE_STEPS, expected),
    )


# One person after the other on every free chair, given up at the first clue that is broken.
def _seatings(
    left: list[str],
    count: int,
    rules: tuple[dict[str, int], list[tuple[str, str, int]]],
    at: dict[str, int],
) -> list[dict[str, int]]:
    if not left:
        return [at]
    fixed, clues = rules
    tables: list[dict[str, int]] = []
    for chair in range(1, count + 1):
        if chair in at.values() or fixed.get(left[0], chair) != chair:
            continue
        now = {**at, left[0]: chair}
        if all(
            (now[one] - now[two]) % count == far
            for one, two, far in clues
            if one in now and two in now
        ):
            tables += _seatings(left[1:], count, rules, now)
    return tables


_BOXES = {
    "asked": (
        "In which room is the {what} now",
        "Which room has the {what} in the end",
        r"Where in the house must \w+ look for the {what}",
        "To which room did the {what} get",
    ),
    "in": (
        r"\w+ puts the {what} into the {where}",
        "Into the {where} goes the {what}",
        r"The {what} is laid into the {where} by \w+",
        r"\w+ hides the {what} inside the {where}",
    ),
    "to": (
        r"\w+ carries the {what}, with all that it may hold, to the {where:w}",
        r"Now \w+ brings the {what} to the floor of the {where:w}",
        r"The {what} is moved by \w+ to the {where:w}",
        r"\w+ drags the {what} off to the {where:w}",
    ),
    "lies": (
        "On the floor of the {where:w} is the {what}",
        "The {where:w} has the {what} on its floor",
        "The {what} is in the {where}",
        "In the {where} is the {what}",
        "The {where} contains the {what}",
    ),
}
_BOX_STEPS = (
    r"The {what} is now in the {where}\.",
    r"(?P<what>[^>:]+) -> (?P<where>[^>:]+)",
    "{what}: in the {where}",
    r"(?P<chain>.+ -> .+ -> .+)",
)


def check_containers(exercise: Exercise, answer: str) -> str | None:
    """Check which room a thing gets to.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    history: list[tuple[str, str]] = []
    moves: list[Values] = []
    asked: list[str] = []
    for kind, v in told(exercise, _BOXES):
        if kind == "asked":
            asked.append(v["what"])
            continue
        history.append((v["what"], v["where"]))
        if kind != "lies":
            moves.append({"what": v["what"], "where": v["where"]})
    if len(asked) != 1:
        return "the question does not say what is sought"
    # From the last move backwards: the latest word on each thing holds.
    chain = [asked[0]]
    while len(chain) < 20:
        where = next((w for what, w in reversed(history) if what == chain[-1]), None)
        if where is None:
            break
        chain.append(where)
    if chain[-1] != answer:
        return f"it is in the {chain[-1]}, not the {answer}"
    last = {"chain": " -> ".join(chain), "what": chain[0], "where": chain[1]}
    return first_fault(
        certificate_fault(exercise, asked=asked[0], moves=len(moves)),
        steps_fault(exercise, _BOX_STEPS, [*moves, last]),
    )


CHECKS: dict[str, Check] = {
    "floor_plan": check_floor_plan,
    "seating": check_seating,
    "containers": check_containers,
}
"""Solvers by family."""
