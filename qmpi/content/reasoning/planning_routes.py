"""Plans with a least cost: roads, rucksacks, a bridge at night."""

from heapq import heappop, heappush

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scene_words import (
    JOBS,
    joined,
    one,
    people,
    places,
    spelled,
    things,
    woven,
)

_ROAD = (
    "A road of {2} {3} joins {0} and {1}.",
    "From {0} to {1} it is {2} {3}.",
    "{0} and {1} are {2} {3} apart by road.",
    "The way between {0} and {1} is {2} {3} long.",
    "{2} {3} of track lie between {0} and {1}.",
)
_ROAD_ASK = (
    "How many {2} long is the shortest way from {0} to {1}?",
    "What is the length, in {2}, of the shortest way from {0} to {1}?",
    "{3} wants to get from {0} to {1} on the shortest way. How many {2} is that?",
    "How far is it at least from {0} to {1}, in {2}?",
)


def route(draw: Draw, level: int) -> Problem:
    """The length of the shortest way through a net of roads open in both directions.

    Args:
        draw: chance.
        level: 1 to 100; more towns and roads.

    Returns:
        The problem.
    """
    count = grown(draw, level, 4, 12)
    towns = places(draw, count)
    unit = draw.choice(("kilometres", "miles", "leagues"))
    roads: dict[tuple[str, str], int] = {}
    for n in range(1, count):
        roads[towns[draw.below(n)], towns[n]] = draw.between(2, 20 + level)
    for _ in range(count // 2 + 1):
        one_end, other = draw.sample(towns, 2)
        if (other, one_end) not in roads:
            roads.setdefault((one_end, other), draw.between(2, 20 + level))
    start, goal = draw.sample(towns, 2)
    reached = _settled(roads, start, goal)
    told = [draw.choice(_ROAD).format(*ends, far, unit) for ends, far in roads.items()]
    draw.shuffle(told)
    told = woven(draw, level, told)
    told.append(draw.choice(_ROAD_ASK).format(start, goal, unit, people(draw, 1)[0]))
    style = draw.choice(
        ("{0}: {1}", "{0} is {1} away.", "It is {1} to {0}.", "{0} can be reached after {1}.")
    )
    steps = [style.format(town, far) for town, far in reached]
    answer = str(reached[-1][1])
    world: Certificate = {
        "start": start,
        "goal": goal,
        "roads": tuple(sorted(roads.values())),
        "answer": answer,
    }
    return lay_out(draw, " ".join(told), steps, answer, world)


def _settled(roads: dict[tuple[str, str], int], start: str, goal: str) -> list[tuple[str, int]]:
    near: dict[str, list[tuple[str, int]]] = {}
    for (one_end, other), far in roads.items():
        near.setdefault(one_end, []).append((other, far))
        near.setdefault(other, []).append((one_end, far))
    heap, known = [(0, start)], dict[str, int]()
    while goal not in known:
        far, town = heappop(heap)
        if town in known:
            continue
        known[town] = far
        for other, length in near[town]:
            if other not in known:
                heappush(heap, (far + length, other))
    return list(known.items())[1:]


_LOAD = (
    "The {0} weighs {1} kg and is worth {2} {3}.",
    "At {1} kg the {0} would bring {2} {3}.",
    "For the {0}, of {1} kg, buyers pay {2} {3}.",
    "{2} {3} is the price of the {0}, which weighs {1} kg.",
)
_SACK_HEAD = (
    "{0}, {1} from {2}, can carry {3} kg.",
    "The cart of {0}, {1} of {2}, bears {3} kg.",
    "On the way to {2} the {4} {0} may load no more than {3} kg.",
    "{0} of {2} owns a mule that bears {3} kg at most.",
)
_SACK_ASK = (
    "What is the greatest value, in {0}, that fits?",
    "How many {0} is the best load worth?",
    "Which total value in {0} can be carried at most?",
    "At most how many {0} can one load bring?",
)


def packing(draw: Draw, level: int) -> Problem:
    """The most valuable load within a limit of weight; each thing is there once.

    Args:
        draw: chance.
        level: 1 to 100; more things.

    Returns:
        The problem.
    """
    count = grown(draw, level, 3, 9)
    goods = things(draw, count)
    heavy = [draw.between(1, 9 + level // 8) for _ in goods]
    dear = [draw.between(2, 20 + level) for _ in goods]
    limit = max(min(heavy), sum(heavy) * draw.between(35, 70) // 100)
    money = draw.choice(("crowns", "coins", "dinars", "marks", "pesos", "florins"))
    told = [draw.choice(_LOAD).format(*row, money) for row in zip(goods, heavy, dear, strict=True)]
    draw.shuffle(told)
    job = draw.choice(JOBS)
    head = draw.choice(_SACK_HEAD).format(
        people(draw, 1)[0], one(job), places(draw, 1)[0], limit, job
    )
    told = [head, *woven(draw, level, told), draw.choice(_SACK_ASK).format(money)]
    chosen = _best_load(heavy, dear, limit)
    answer = str(sum(dear[n] for n in chosen))
    take = draw.choice(("Take the {0}.", "Best load: {0}", "The {0} go on board."))
    weight = " + ".join(str(heavy[n]) for n in chosen)
    value = " + ".join(str(dear[n]) for n in chosen)
    weight_words = draw.choice(("Weight: {0} = {1}", "{0} = {1} kg", "They weigh {0} = {1}."))
    value_words = draw.choice(("Value: {0} = {1}", "{0} = {1} in all", "They bring {0} = {1}."))
    steps = [
        take.format(joined([goods[n] for n in chosen])),
        weight_words.format(weight, sum(heavy[n] for n in chosen)),
        value_words.format(value, answer),
    ]
    world: Certificate = {
        "limit": limit,
        "weights": tuple(sorted(heavy)),
        "values": tuple(sorted(dear)),
        "answer": answer,
    }
    return lay_out(draw, " ".join(told), steps, answer, world)


def _best_load(heavy: list[int], dear: list[int], limit: int) -> list[int]:
    best: list[tuple[int, int]] = [(0, 0)] * (limit + 1)
    for n, (weight, worth) in enumerate(zip(heavy, dear, strict=True)):
        for room in range(limit, weight - 1, -1):
            value, taken = best[room - weight]
            if value + worth > best[room][0]:
                best[room] = (value + worth, taken | 1 << n)
    return [n for n in range(len(heavy)) if best[limit][1] >> n & 1]


_PACE = (
    "{0} needs {1} minutes to cross.",
    "For {0} the crossing takes {1} minutes.",
    "In {1} minutes {0} is on the other side.",
    "{1} minutes is what {0} needs.",
    "{0}, {2}, takes {1} minutes.",
)
_BRIDGE_HEAD = (
    "At night {0} people have to cross the old bridge of {1} with a single lamp.",
    "The bridge at {1} must be crossed in the dark by {0} people who share one lamp.",
    "With one lamp between them, {0} people want to get over the bridge of {1}.",
)
_BRIDGE_RULE = (
    ("It bears two at a time", "No more than two may be on it", "Its planks hold two people",
     "One or two can go at once"),
    (", ", ", and ", "; "),
    ("a pair goes as fast as its slower half", "two walk at the pace of the slower one",
     "the slower of two sets the pace", "with two the larger time counts"),
    (", and ", "; "),
    ("nobody goes without the lamp.", "the lamp must be carried each time.",
     "every crossing needs the lamp.", "without the lamp no step is possible."),
)  # fmt: skip
_BRIDGE_ASK = (
    "After how many minutes can all be across at the earliest?",
    "What is the least total time in minutes?",
    "How many minutes does the quickest plan take?",
    "In how few minutes can all of them get over?",
)


def bridge(draw: Draw, level: int) -> Problem:
    """The quickest plan for people of different pace to cross with one lamp.

    Args:
        draw: chance.
        level: 1 to 100; more people.

    Returns:
        The problem.
    """
    count = grown(draw, level, 3, 7)
    who, town = people(draw, count), places(draw, 1)[0]
    pace = draw.sample(range(2, 20 + level // 2), count)
    told = [
        draw.choice(_PACE).format(w, p, one(draw.choice(JOBS)))
        for w, p in zip(who, pace, strict=True)
    ]
    told.append(spelled(draw, _BRIDGE_RULE))
    draw.shuffle(told)
    told = [draw.choice(_BRIDGE_HEAD).format(count, town), *woven(draw, level, told)]
    told.append(draw.choice(_BRIDGE_ASK))
    plan = _night_plan(sorted(range(count), key=lambda n: pace[n]), pace)
    style = draw.choice(
        (
            ("{0} cross: {1}", "{0} returns: {1}"),
            ("{0} go over in {1} minutes.", "{0} comes back in {1} minutes."),
            ("-> {0} ({1})", "<- {0} ({1})"),
        )
    )
    steps = [
        style[n % 2].format(joined([who[i] for i in group]), max(pace[i] for i in group))
        for n, group in enumerate(plan)
    ]
    times = [max(pace[i] for i in group) for group in plan]
    answer = str(sum(times))
    steps.append(f"{' + '.join(map(str, times))} = {answer}")
    world: Certificate = {"people": count, "place": town, "answer": answer}
    return lay_out(draw, " ".join(told), steps, answer, world)


# The two slowest left go together, sent either by the two quickest or each by the quickest.
def _night_plan(order: list[int], pace: list[int]) -> list[tuple[int, ...]]:
    plan: list[tuple[int, ...]] = []
    left = order.copy()
    while len(left) > 3:
        first, second, slow, slowest = left[0], left[1], left[-2], left[-1]
        if 2 * pace[second] <= pace[first] + pace[slow]:
            plan += [(first, second), (first,), (slow, slowest), (second,)]
        else:
            plan += [(first, slowest), (first,), (first, slow), (first,)]
        left = left[:-2]
    if len(left) == 3:
        plan += [(left[0], left[2]), (left[0],)]
    return [*plan, (left[0], left[1])]


FAMILIES: dict[str, Family] = {"route": route, "packing": packing, "bridge": bridge}
"""Families of this module by name."""
