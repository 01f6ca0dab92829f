"""Where things are: floor plans, round tables, boxes in boxes."""

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

ROOMS = (
    "kitchen", "hall", "library", "pantry", "cellar", "attic", "chapel", "armoury", "nursery",
    "study", "laundry", "ballroom", "larder", "gallery", "workshop", "studio", "office", "garage",
    "bakery", "stable", "orchard", "courtyard", "terrace", "tower", "vault", "archive", "infirmary",
    "lounge", "bathroom", "porch", "greenhouse", "observatory", "scullery", "dormitory", "foyer",
    "smithy",
)  # fmt: skip
"""Rooms and parts of large houses."""

_OFFSET = (
    "The {0} lies {2} {3} {4} of the {1}.",
    "{2} {3} {4} of the {1} is the {0}.",
    "Going {2} {3} {4} from the {1} one gets to the {0}.",
    "From the {1} it is {2} {3} {4} to the {0}.",
)
_OPPOSITE = {"north": "south", "south": "north", "east": "west", "west": "east"}
_MOVES = {"north": (0, 1), "south": (0, -1), "east": (1, 0), "west": (-1, 0)}
_PLAN_HEAD = (
    "{0} draws a plan of the manor of {1}.",
    "The old house in {1} was measured by {0}, {2}.",
    "{0} describes a monastery near {1}.",
    "This is how {0} remembers the palace of {1}.",
)
_PLAN_ASK = (
    "Where is the {0}, seen from the {1}?",
    "How does the {0} lie from the {1}?",
    "Give the place of the {0} as seen from the {1}.",
    "Standing in the {1}, how far and in which direction is the {0}?",
)


def floor_plan(draw: Draw, level: int) -> Problem:
    """Rooms told by their offsets from each other; how does one lie from another?

    Args:
        draw: chance.
        level: 1 to 100; more rooms, longer chains.

    Returns:
        The problem.
    """
    count = grown(draw, level, 3, 12)
    rooms, unit = draw.sample(ROOMS, count), draw.choice(("metres", "feet", "paces"))
    at, parent = [(0, 0)], [0]
    told, distances = list[str](), list[int]()
    for n in range(1, count):
        # Mostly a chain, so that the way between two rooms is long.
        base = n - 1 if draw.below(3) else draw.below(n)
        wind, far = draw.choice(tuple(_MOVES)), draw.between(2, 9 + level)
        across, up = _MOVES[wind]
        at.append((at[base][0] + across * far, at[base][1] + up * far))
        parent.append(base)
        distances.append(far)
        pair = (rooms[n], rooms[base], far, unit, wind)
        if draw.below(2):
            pair = (rooms[base], rooms[n], far, unit, _OPPOSITE[wind])
        told.append(draw.choice(_OFFSET).format(*pair))
    draw.shuffle(told)
    goal = draw.between(count // 2, count - 1)
    origin = draw.below(count // 2)
    if draw.below(2):
        goal, origin = origin, goal
    head = draw.choice(_PLAN_HEAD).format(
        people(draw, 1)[0], places(draw, 1)[0], one(draw.choice(JOBS))
    )
    told = [head, *woven(draw, level, told)]
    told.append(draw.choice(_PLAN_ASK).format(rooms[goal], rooms[origin]))
    style = draw.choice(("{0}: ({1}, {2})", "The {0} is at ({1}, {2}).", "({1}, {2}) is the {0}."))
    x, y = at[origin]
    steps = [style.format(rooms[n], at[n][0] - x, at[n][1] - y) for n in _way(parent, origin, goal)]
    answer = _offset(at[goal][0] - x, at[goal][1] - y, unit)
    world: Certificate = {
        "goal": rooms[goal],
        "origin": rooms[origin],
        "distances": tuple(sorted(distances)),
        "answer": answer,
    }
    return lay_out(draw, " ".join(told), steps, answer, world)


def _way(parent: list[int], origin: int, goal: int) -> list[int]:
    def up(n: int) -> list[int]:
        chain = [n]
        while n:
            n = parent[n]
            chain.append(n)
        return chain

    there, here = up(goal), up(origin)
    while len(there) > 1 and len(here) > 1 and there[-2] == here[-2]:
        there.pop()
        here.pop()
    return [*here, *reversed(there[:-1])]


def _offset(x: int, y: int, unit: str) -> str:
    parts: list[str] = []
    if y:
        parts.append(f"{_counted(abs(y), unit)} {'north' if y > 0 else 'south'}")
    if x:
        parts.append(f"{_counted(abs(x), unit)} {'east' if x > 0 else 'west'}")
    return joined(parts) if parts else "in the same place"


def _counted(number: int, unit: str) -> str:
    if number == 1:
        return "1 foot" if unit == "feet" else f"1 {unit[:-1]}"
    return f"{number} {unit}"


_LEFT = (
    "{0} sits {2} {3} clockwise of {1}.",
    "Counted clockwise, {0} comes {2} {3} after {1}.",
    "{1} sits {2} {3} anticlockwise of {0}.",
    "Going clockwise from {1} one meets {0} after {2} {3}.",
)
_SEAT = ("{0} has chair {1}.", "Chair {1} belongs to {0}.", "On chair {1} sits {0}.")
_TABLE_HEAD = (
    "{0} people sit at a round table in {1}, on chairs numbered clockwise from 1 to {0}.",
    "At a round table of {1} stand {0} chairs, numbered clockwise from 1, and all are taken.",
    "Clockwise from 1 to {0} are numbered the chairs of a round table in {1}; none is empty.",
)
_TABLE_ASK = (
    "Who sits on chair {0}?",
    "Whose chair is number {0}?",
    "Who has taken chair {0}?",
    "Name the one on chair {0}.",
)


def seating(draw: Draw, level: int) -> Problem:
    """People at a round table, told by distances from each other; who sits on a chair?

    Args:
        draw: chance.
        level: 1 to 100; more people, more clues than needed.

    Returns:
        The problem.
    """
    count = grown(draw, level, 4, 9)
    who = people(draw, count)
    seat = draw.sample(range(1, count + 1), count)
    clues = [draw.choice(_SEAT).format(who[0], seat[0])]
    pairs = [(n, draw.below(n)) for n in range(1, count)]
    for _ in range(grown(draw, level, 0, 3)):
        first, second = draw.sample(range(count), 2)
        pairs.append((first, second))
    for after, before in pairs:
        far = (seat[after] - seat[before]) % count
        words = "place" if far == 1 else "places"
        clues.append(draw.choice(_LEFT).format(who[after], who[before], far, words))
    draw.shuffle(clues)
    told = [draw.choice(_TABLE_HEAD).format(count, places(draw, 1)[0]), *woven(draw, level, clues)]
    asked = draw.between(1, count)
    told.append(draw.choice(_TABLE_ASK).format(asked))
    at = dict(zip(seat, who, strict=True))
    style = draw.choice(("Chair {0}: {1}", "{1} sits on chair {0}.", "{0} = {1}", "{0}. {1}"))
    steps = [style.format(chair, at[chair]) for chair in range(1, count + 1)]
    world: Certificate = {"people": tuple(sorted(who)), "chair": asked, "answer": at[asked]}
    return lay_out(draw, " ".join(told), steps, at[asked], world)


_BOXES = ("box", "sack", "trunk", "basket", "drawer", "case", "chest", "crate", "tin", "satchel",
          "bag", "casket", "hamper", "barrel")  # fmt: skip
_INTO = (
    "{0} puts the {1} into the {2}.",
    "Into the {2} goes the {1}.",
    "The {1} is laid into the {2} by {0}.",
    "{0} hides the {1} inside the {2}.",
)
_INSIDE = ("The {0} is in the {1}.", "In the {1} is the {0}.", "The {1} contains the {0}.")
_TO_ROOM = (
    "{0} carries the {1}, with all that it may hold, to the {2}.",
    "Now {0} brings the {1} to the floor of the {2}.",
    "The {1} is moved by {0} to the {2}.",
    "{0} drags the {1} off to the {2}.",
)
_LIES = ("On the floor of the {1} is the {0}.", "The {1} has the {0} on its floor.")
_ROOM_ASK = (
    "In which room is the {0} now?",
    "Which room has the {0} in the end?",
    "Where in the house must {1} look for the {0}?",
    "To which room did the {0} get?",
)


def containers(draw: Draw, level: int) -> Problem:
    """Things in boxes in boxes that are moved about; which room is one in?

    Args:
        draw: chance.
        level: 1 to 100; more boxes, deeper nests, more moves.

    Returns:
        The problem.
    """
    boxes = [f"{draw.choice(QUALITIES)} {k}" for k in draw.sample(_BOXES, grown(draw, level, 2, 6))]
    small, rooms = (
        things(draw, grown(draw, level, 1, 4)),
        draw.sample(ROOMS, grown(draw, level, 2, 5)),
    )
    # A tin may be a box or a thing: one that is both could come to lie inside itself.
    while not set(boxes).isdisjoint(small):
        small = things(draw, len(small))
    within: dict[str, str] = {}
    told: list[str] = []
    for n, box in enumerate(boxes):
        within[box] = boxes[draw.below(n)] if n and draw.below(2) else draw.choice(rooms)
    for thing in small:
        within[thing] = draw.choice(boxes)
    for what, where in within.items():
        told.append(draw.choice(_LIES if where in rooms else _INSIDE).format(what, where))
    draw.shuffle(told)
    who = people(draw, 2)
    steps: list[str] = []
    style = draw.choice(("The {0} is now in the {1}.", "{0} -> {1}", "{0}: in the {1}"))
    for _ in range(grown(draw, level, 2, 12)):
        what = draw.choice(boxes) if draw.below(2) else draw.choice(small)
        choices = [b for b in boxes if b != within[what] and what not in _outer(within, b)]
        if choices and draw.below(2):
            where, words = draw.choice(choices), _INTO
        else:
            where, words = draw.choice([r for r in rooms if r != within[what]]), _TO_ROOM
        within[what] = where
        told.append(draw.choice(words).format(draw.choice(who), what, where))
        steps.append(style.format(what, where))
    asked = draw.choice(small)
    told = woven(draw, level, told)
    told.append(draw.choice(_ROOM_ASK).format(asked, who[0]))
    chain = _outer(within, asked)
    steps.append(" -> ".join(chain))
    world: Certificate = {"asked": asked, "moves": len(steps) - 1, "answer": chain[-1]}
    return lay_out(draw, " ".join(told), numbered(draw, steps), chain[-1], world)


def _outer(within: dict[str, str], what: str) -> list[str]:
    chain = [what]
    while chain[-1] in within:
        chain.append(within[chain[-1]])
    return chain


FAMILIES: dict[str, Family] = {
    "floor_plan": floor_plan,
    "seating": seating,
    "containers": containers,
}
"""Families of this module by name."""
