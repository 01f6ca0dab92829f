"""Solver of river crossings: all states, layer by layer, and the shown plan carried out."""

from itertools import combinations

from qmpi.content.exercise import Exercise
from qmpi.content.verify.reading import (
    Check,
    Values,
    certificate_fault,
    first_fault,
    listed,
    matched,
    only,
    told,
    worked,
)

_FERRY_SHAPES = {
    "head": (
        r"{who:w} of \w+ wants to take {cargo} over the river",
        r"At the ford of \w+, {who:w} has to bring {cargo} to the far bank",
        r"{who:w} stands on the near bank at \w+ with {cargo} and wants all on the far bank",
        r"On the way to \w+, {who:w} comes to a river with {cargo}, all of which must cross",
    ),
    "boat": (
        "The boat carries {who:w} and at most {room:d} of them",
        "Besides {who:w}, who rows, the boat has room for {room:d}",
        "{who:w} must row and can take {room:d} or fewer along",
    ),
    "pair": (
        "The {one} and the {two} must not be left together without {who:w}",
        "Without {who:w} near, the {one} would harm the {two}",
        "Only {who:w} keeps the {one} away from the {two}",
    ),
}
_FERRY_STEPS = {
    "over": (r"Over: {load}\.", r"{who:w} takes {load} over\.", "-> {load}"),
    "back": (r"Back: {load}\.", r"{who:w} takes {load} back\.", "<- {load}"),
    "never": (r"Only {reached:d} states can be reached, and none of them has all across\.",),
}
Bank = tuple[frozenset[str], bool]
"""What is on the near bank, and whether the boat is there."""


def check_ferry(exercise: Exercise, answer: str) -> str | None:
    """Check the least number of crossings.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found: dict[str, list[Values]] = {"head": [], "boat": [], "pair": []}
    for kind, values in told(exercise, _FERRY_SHAPES):
        found[kind].append(values)
    head, boat = only(found["head"], "the cargo"), only(found["boat"], "the boat")
    cargo = [item.partition(" ")[2] for item in listed(head["cargo"])]
    pairs = [frozenset((v["one"], v["two"])) for v in found["pair"]]
    if {v["who"] for part in found.values() for v in part} != {head["who"]} or len(cargo) > 6:
        return "the sentences speak of different people"
    if not all(pair <= set(cargo) for pair in pairs):
        return "a quarrel is about nothing"
    room = int(boat["room"])
    layers = _ferry_layers(frozenset(cargo), room, pairs)
    done = [n for n, layer in enumerate(layers) if (frozenset[str](), False) in layer]
    right = str(done[0]) if done else "impossible"
    if right != answer:
        return f"the least number of crossings: {right}, not {answer}"
    reached = sum(map(len, layers))
    return first_fault(
        certificate_fault(exercise, cargo=cargo, room=room),
        _ferry_steps_fault(exercise, layers, (head["who"], room), reached),
    )


def _ferry_next(state: Bank, cargo: frozenset[str], room: int) -> list[tuple[Bank, frozenset[str]]]:
    near, here = state
    side = near if here else cargo - near
    loads = [frozenset(c) for size in range(room + 1) for c in combinations(sorted(side), size)]
    return [((near ^ load, not here), side - load) for load in loads]


def _ferry_layers(cargo: frozenset[str], room: int, pairs: list[frozenset[str]]) -> list[set[Bank]]:
    seen: set[Bank] = {(cargo, True)}
    layers = [set(seen)]
    while layers[-1]:
        front = {
            after
            for state in layers[-1]
            for after, left in _ferry_next(state, cargo, room)
            if not any(pair <= left for pair in pairs)
        } - seen
        seen |= front
        layers.append(front)
    return layers


def _ferry_steps_fault(
    exercise: Exercise, layers: list[set[Bank]], boat: tuple[str, int], reached: int
) -> str | None:
    steps = worked(exercise)
    (cargo, _), (who, room) = next(iter(layers[0])), boat
    near = cargo
    for number, step in enumerate(steps, 1):
        found = matched(step, _FERRY_STEPS)
        if found is None:
            return f"nobody can read the step {step!r}"
        kind, values = found
        if kind == "never":
            return None if int(values["reached"]) == reached else f"{reached} states are reached"
        if (kind == "over") != (number % 2 == 1) or values.get("who", who) != who:
            return f"the boat or rower of {step!r} is elsewhere"
        bare = ("alone", "nothing", "nobody")
        named = listed(values["load"]) if values["load"] not in bare else []
        load = frozenset(item.removeprefix("the ") for item in named)
        if not load <= (near if kind == "over" else cargo - near) or len(load) > room:
            return f"the load of {step!r} is not there"
        near ^= load
        if number >= len(layers) or (near, kind == "back") not in layers[number]:
            return f"the crossing {step!r} is not allowed or a detour"
    return "something is left behind" if steps and near else None


CHECKS: dict[str, Check] = {"ferry": check_ferry}
"""Solvers by family."""
