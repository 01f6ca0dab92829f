"""Solvers of plans with a least cost: relaxation, all loads, all sides of the bridge."""

from itertools import combinations

from qmpi.content.exercise import Exercise, steps_of
from qmpi.content.verify.evaluate import chain_fault
from qmpi.content.verify.reading import (
    Check,
    Values,
    certificate_fault,
    first_fault,
    listed,
    matched,
    only,
    sorted_out,
    steps_fault,
)

_LENGTHS = "(?:kilometres|miles|leagues)"
_ROUTE = {
    "asked": (
        f"How many {_LENGTHS} long is the shortest way from {{start:w}} to {{goal:w}}",
        f"What is the length, in {_LENGTHS}, of the shortest way from {{start:w}} to {{goal:w}}",
        r"\w+ wants to get from {start:w} to {goal:w} on the shortest way",
        f"How far is it at least from {{start:w}} to {{goal:w}}, in {_LENGTHS}",
    ),
    "road": (
        "A road of {far:d} " + _LENGTHS + " joins {one:w} and {two:w}",
        "From {one:w} to {two:w} it is {far:d} " + _LENGTHS,
        "{one:w} and {two:w} are {far:d} " + _LENGTHS + " apart by road",
        "The way between {one:w} and {two:w} is {far:d} " + _LENGTHS + " long",
        "{far:d} " + _LENGTHS + " of track lie between {one:w} and {two:w}",
    ),
}
_ROUTE_STEPS = (
    "{town:w}: {far:d}",
    r"{town:w} is {far:d} away\.",
    r"It is {far:d} to {town:w}\.",
    r"{town:w} can be reached after {far:d}\.",
)


def check_route(exercise: Exercise, answer: str) -> str | None:
    """Check the length of the shortest way.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _ROUTE)
    asked = only(found["asked"], "the way")
    start, goal = asked["start"], asked["goal"]
    far = {start: 0}
    for _ in found["road"]:
        for v in found["road"]:
            for a, b in ((v["one"], v["two"]), (v["two"], v["one"])):
                if a in far:
                    far[b] = min(far.get(b, 10**9), far[a] + int(v["far"]))
    if str(far.get(goal)) != answer:
        return f"the shortest way is {far.get(goal)} long, not {answer}"
    order = sorted((f, town) for town, f in far.items() if town != start)
    expected = [
        {"town": town, "far": str(f)} for f, town in order if (f, town) <= (far[goal], goal)
    ]
    return first_fault(
        certificate_fault(
            exercise, start=start, goal=goal, roads=sorted(int(v["far"]) for v in found["road"])
        ),
        steps_fault(exercise, _ROUTE_STEPS, expected),
    )


_COINS = "(?:crowns|coins|dinars|marks|pesos|florins)"
_PACKING = {
    "head": (
        r"\w+, an? \w+ from \w+, can carry {limit:d} kg",
        r"The cart of \w+, an? \w+ of \w+, bears {limit:d} kg",
        r"On the way to \w+ the \w+ \w+ may load no more than {limit:d} kg",
        r"\w+ of \w+ owns a mule that bears {limit:d} kg at most",
    ),
    "load": (
        "The {what} weighs {kg:d} kg and is worth {worth:d} " + _COINS,
        "At {kg:d} kg the {what} would bring {worth:d} " + _COINS,
        "For the {what}, of {kg:d} kg, buyers pay {worth:d} " + _COINS,
        "{worth:d} " + _COINS + " is the price of the {what}, which weighs {kg:d} kg",
    ),
}
_PACKING_STEPS = {
    "take": (r"Take the {what}\.", "Best load: {what}", r"The {what} go on board\."),
    "weight": ("Weight: {sum}", "{sum} kg", r"They weigh {sum}\."),
    "value": ("Value: {sum}", "{sum} in all", r"They bring {sum}\."),
}


def check_packing(exercise: Exercise, answer: str) -> str | None:
    """Check the value of the best load.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _PACKING)
    limit = int(only(found["head"], "the limit")["limit"])
    goods = {v["what"]: (int(v["kg"]), int(v["worth"])) for v in found["load"]}
    if len(goods) > 12:
        return "too many things to try all loads"
    best = max(
        sum(worth for _, worth in load)
        for size in range(len(goods) + 1)
        for load in combinations(goods.values(), size)
        if sum(kg for kg, _ in load) <= limit
    )
    if str(best) != answer:
        return f"the best load is worth {best}, not {answer}"
    return first_fault(
        certificate_fault(
            exercise,
            limit=limit,
            weights=sorted(kg for kg, _ in goods.values()),
            values=sorted(worth for _, worth in goods.values()),
        ),
        _packing_steps_fault(exercise, goods, limit, best),
    )


def _packing_steps_fault(
    exercise: Exercise, goods: dict[str, tuple[int, int]], limit: int, best: int
) -> str | None:
    steps = steps_of(exercise.text)
    if not steps:
        return None
    if len(steps) != len(_PACKING_STEPS):
        return "the steps are not load, weight and value"
    read: list[Values] = []
    for step, (kind, shapes) in zip(steps, _PACKING_STEPS.items(), strict=True):
        found = matched(step, {kind: shapes})
        if found is None:
            return f"nobody can read the step {step!r}"
        read.append(found[1])
    taken, weight, value = read
    rows = [goods[what] for what in listed(taken["what"])]
    if len(set(listed(taken["what"]))) != len(rows) or sum(kg for kg, _ in rows) > limit:
        return "the load is too heavy or holds a thing twice"
    for values, numbers, total in (
        (weight, [kg for kg, _ in rows], sum(kg for kg, _ in rows)),
        (value, [worth for _, worth in rows], best),
    ):
        left, _, right = values["sum"].partition(" = ")
        if [int(n) for n in left.split(" + ")] != numbers or int(right) != total:
            return f"{values['sum']} is not the sum of the load"
        if sum(numbers) != total:
            return "the load shown is not the best one"
    return None


_BRIDGE = {
    "head": (
        "At night {count:d} people have to cross the old bridge of {town:w} with a single lamp",
        "The bridge at {town:w} must be crossed in the dark by {count:d} people who share one lamp",
        "With one lamp between them, {count:d} people want to get over the bridge of {town:w}",
    ),
    "pace": (
        "{who:w} needs {time:d} minutes to cross",
        "For {who:w} the crossing takes {time:d} minutes",
        "In {time:d} minutes {who:w} is on the other side",
        "{time:d} minutes is what {who:w} needs",
        r"{who:w}, an? \w+, takes {time:d} minutes",
    ),
}
_BRIDGE_STEPS = {
    "over": (
        "{who} cross: {time:d}",
        r"{who} go over in {time:d} minutes\.",
        r"-> {who} \({time:d}\)",
    ),
    "back": (
        "{who} returns: {time:d}",
        r"{who} comes back in {time:d} minutes\.",
        r"<- {who} \({time:d}\)",
    ),
}


def check_bridge(exercise: Exercise, answer: str) -> str | None:
    """Check the least time to cross the bridge.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _BRIDGE)
    head = only(found["head"], "the bridge")
    pace = {v["who"]: int(v["time"]) for v in found["pace"]}
    if len(pace) != int(head["count"]) or len(pace) > 8:
        return "the number of people is another one"
    least = _least_time(pace)
    if str(least) != answer:
        return f"the least time is {least}, not {answer}"
    return first_fault(
        certificate_fault(exercise, people=len(pace), place=head["town"]),
        _bridge_steps_fault(exercise, pace, least),
    )


# The state after each return is who is still on the near side; all pairs and returners are tried.
def _least_time(pace: dict[str, int]) -> int:
    best = {frozenset(pace): 0}
    for _ in range(len(pace) - 2):
        following: dict[frozenset[str], int] = {}
        for near, time in best.items():
            for pair in combinations(sorted(near), 2):
                gone = near - set(pair)
                for back in set(pace) - gone:
                    spent = time + max(pace[p] for p in pair) + pace[back]
                    state = gone | {back}
                    following[state] = min(spent, following.get(state, spent))
        best = following
    return min(time + max(pace[p] for p in near) for near, time in best.items())


def _bridge_steps_fault(exercise: Exercise, pace: dict[str, int], least: int) -> str | None:
    steps, near, times = steps_of(exercise.text), set(pace), list[str]()
    if not steps:
        return None
    for number, step in enumerate(steps[:-1]):
        found = matched(step, _BRIDGE_STEPS)
        if found is None or (found[0] == "over") != (number % 2 == 0):
            return f"nobody can read the step {step!r}"
        group = set(listed(found[1]["who"]))
        side = near if found[0] == "over" else set(pace) - near
        if not group <= side or not 1 <= len(group) <= 2:
            return f"those of {step!r} are elsewhere"
        if str(max(pace[who] for who in group)) != found[1]["time"]:
            return f"the time in {step!r} is wrong"
        near ^= group
        times.append(found[1]["time"])
    if near or steps[-1] != f"{' + '.join(times)} = {least}":
        return "the plan does not bring all across in the least time"
    return chain_fault(steps[-1])


CHECKS: dict[str, Check] = {
    "route": check_route,
    "packing": check_packing,
    "bridge": check_bridge,
}
"""Solvers by family."""
