"""Plans of moves: stacks of blocks, jugs of water, towers of discs, a ferry.

Each asks for the least number of moves. Blocks, jugs and discs follow a known best strategy without
any search; the ferry searches its at most 64 states.
"""

from itertools import combinations, pairwise
from math import gcd

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
    spelled,
    woven,
)

_BLOCKS = ("crate", "block", "box", "brick", "trunk", "parcel", "barrel", "carton", "slab", "chest")
_PILE = (
    "The {0} pile holds, from the floor up, {1}.",
    "At {0} there are, bottom first, {1}.",
    "From the floor up, the pile of {0} has {1}.",
    "Bottom to top, {0} has {1}.",
)
_ON = (
    "The {0} {2} stands on the {1} {2}.",
    "The {1} {2} is right under the {0} {2}.",
    "Right on top of the {1} {2} is the {0} {2}.",
    "The {0} {2} rests on the {1} one.",
)
_FLOOR = (
    "The {0} {1} stands on the floor.",
    "On the floor itself is the {0} {1}.",
    "Nothing is under the {0} {1}.",
)
_BLOCK_RULE = (
    "{0} lifts one {1} at a time, always the top one of a pile, onto another pile or free floor.",
    "A crane of {0} takes the top {1} of any pile and sets it on another top or on free floor.",
    "Only what has nothing on it can be moved by {0}, one {1} at a time, and the floor has room.",
)
_BLOCK_ASK = (
    "How many moves are needed at least until the {0} {2} stands directly on the {1} {2}?",
    "What is the least number of moves to get the {0} {2} directly onto the {1} {2}?",
    "In how few moves can the {0} {2} be put directly on the {1} {2}?",
    "The {0} {2} has to go directly on the {1} {2}. How many moves does the shortest plan have?",
)


def blocks(draw: Draw, level: int) -> Problem:
    """The least number of moves that puts one block onto another.

    Args:
        draw: chance.
        level: 1 to 100; more piles, more blocks in the way.

    Returns:
        The problem.
    """
    kind, piles = draw.choice(_BLOCKS), _piles(draw, level)
    source = draw.below(len(piles))
    target = draw.below(len(piles))
    if len(piles[target]) > 2 and draw.below(3) == 0:
        source = target
    elif source == target:
        target = (target + 1) % len(piles)
    (what, where), plan = _block_plan(draw, piles, source, target)
    names, who = places(draw, len(piles)), people(draw, 1)[0]
    told: list[str] = []
    if draw.below(2):
        for name, pile in zip(names, piles, strict=True):
            told.append(draw.choice(_PILE).format(name, joined(pile)))
    else:
        for pile in piles:
            told.append(draw.choice(_FLOOR).format(pile[0], kind))
            told += [draw.choice(_ON).format(up, down, kind) for down, up in pairwise(pile)]
        draw.shuffle(told)
    told = woven(draw, level, told)
    told.insert(0, draw.choice(_BLOCK_RULE).format(who, kind))
    told.append(draw.choice(_BLOCK_ASK).format(what, where, kind))
    style = draw.choice(
        (
            ("The {0} {1} goes to the floor.", "The {0} {1} goes onto the {2} {1}."),
            ("Move {0} to the floor.", "Move {0} onto {2}."),
            ("{0} -> floor", "{0} -> {2}"),
        )
    )
    steps = [style[0].format(block, kind) for block in plan]
    steps.append(style[1].format(what, kind, where))
    answer = str(len(steps))
    world: Certificate = {"what": what, "where": where, "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


def _piles(draw: Draw, level: int) -> list[list[str]]:
    heights = [draw.between(1, 2 + level // 40) for _ in range(grown(draw, level, 2, 6))]
    heights[draw.below(len(heights))] += 2
    names = iter(draw.sample(QUALITIES, sum(heights)))
    return [[next(names) for _ in range(height)] for height in heights]


# What must go to the floor first: all above both, and the block itself where it stands over its
# goal with others between.
def _block_plan(
    draw: Draw, piles: list[list[str]], source: int, target: int
) -> tuple[tuple[str, str], list[str]]:
    pile = piles[source]
    if source != target:
        low, high = draw.below(len(pile)), draw.below(len(piles[target]))
        plan = [*reversed(pile[low + 1 :]), *reversed(piles[target][high + 1 :])]
        return (pile[low], piles[target][high]), plan
    if draw.below(2):
        where = draw.below(len(pile) - 2)
        what = draw.between(where + 2, len(pile) - 1)
        return (pile[what], pile[where]), list(reversed(pile[where + 1 :]))
    what = draw.below(len(pile) - 1)
    where = draw.between(what + 1, len(pile) - 1)
    return (pile[what], pile[where]), list(reversed(pile[what + 1 :]))


_VESSELS = ("jug", "bucket", "flask", "jar", "can", "pitcher", "bottle", "tub", "vat", "bowl")
_JUG_HEAD = (
    "{0} has a {1} of {2} litres and a {3} of {4} litres, both empty and without marks.",
    "Two empty vessels without marks serve {0}, a {1} of {2} litres and a {3} of {4} litres.",
    "With only a {1} of {2} litres and a {3} of {4} litres, both empty, {0} goes to the well.",
    "{0}, {5} in {6}, owns a {1} of {2} litres and a {3} of {4} litres, both empty now.",
)
_JUG_RULE = (
    ("A move ", "Each move ", "One move ", "Every turn ", "A single step "),
    ("fills one to the brim", "tops one up", "draws water until one is full"),
    (", ", "; or it ", ", or else "),
    ("empties one", "pours one out", "tips the whole of one away"),
    (", or pours ", "; otherwise it pours ", ", or tips water "),
    ("from one into the other ", "over from either to the other ", "across "),
    ("until ", "up to the moment when ", "and stops only when "),
    ("the first is empty or the second full.", "nothing is left or nothing more fits.",
     "one runs dry or the other is full.", "the giver is empty or the taker full."),
)  # fmt: skip
_JUG_ASK = (
    "How many moves at least until one of them holds exactly {0} litres?",
    "What is the least number of moves to have exactly {0} litres in one of them?",
    "In how few moves can exactly {0} litres be measured in either vessel?",
    "Exactly {0} litres in one vessel are wanted. How many moves does the shortest way take?",
)


def jugs(draw: Draw, level: int) -> Problem:
    """The least number of moves that measures an amount with two jugs, or that there is no way.

    Args:
        draw: chance.
        level: 1 to 100; larger jugs, hence longer plans.

    Returns:
        The problem.
    """
    small = draw.between(2 + level // 20, 4 + level // 9)
    large = small + draw.between(1, 3 + level // 8)
    goal = draw.between(1, large)
    common = gcd(small, large)
    if goal % common and draw.below(3):
        goal = max(1, goal // common) * common
    kinds = draw.sample(_VESSELS, 2)
    names = [f"{q} {k}" for q, k in zip(draw.sample(QUALITIES, 2), kinds, strict=True)]
    sizes = draw.sample((small, large), 2)
    who, town = people(draw, 1)[0], places(draw, 1)[0]
    head = draw.choice(_JUG_HEAD).format(
        who, names[0], sizes[0], names[1], sizes[1], one(draw.choice(JOBS)), town
    )
    told = woven(draw, level, [head, spelled(draw, _JUG_RULE)])
    told.append(draw.choice(_JUG_ASK).format(goal))
    if goal % common:
        answer = "it cannot be done"
        steps = [f"Every amount is a multiple of {common}, and {goal} is not."]
    else:
        plan = min((_poured(sizes, goal, first) for first in (0, 1)), key=len)
        style = draw.choice(("{0}: {1} and {2}", "{0}. Now {1} and {2}.", "{0} => {1}, {2}"))
        steps = [style.format(_jug_move(names, move), *state) for move, state in plan]
        answer = str(len(plan))
    world: Certificate = {"sizes": tuple(sizes), "goal": goal, "answer": answer}
    return lay_out(draw, " ".join(told), steps, answer, world)


# The first jug is always filled when empty, the other emptied when full: one of the two ways to
# begin is the shortest plan there is.
def _poured(sizes: list[int], goal: int, first: int) -> list[tuple[tuple[str, int], list[int]]]:
    other, held = 1 - first, [0, 0]
    plan: list[tuple[tuple[str, int], list[int]]] = []
    while goal not in held:
        if held[first] == 0:
            held[first], move = sizes[first], ("fill", first)
        elif held[other] == sizes[other]:
            held[other], move = 0, ("empty", other)
        else:
            poured = min(held[first], sizes[other] - held[other])
            held[first] -= poured
            held[other] += poured
            move = ("pour", first)
        plan.append((move, held.copy()))
    return plan


def _jug_move(names: list[str], move: tuple[str, int]) -> str:
    what, which = move
    if what == "fill":
        return f"Fill the {names[which]}"
    if what == "empty":
        return f"Empty the {names[which]}"
    return f"Pour the {names[which]} into the {names[1 - which]}"


_DISC_AT = (
    "Disc {0} is on the {1} peg.",
    "The {1} peg carries disc {0}.",
    "On the {1} peg sits disc {0}.",
    "Disc {0} lies on {1}.",
)
_DISC_RULE = (
    "{0} has three pegs, {1}, and discs numbered by size, {2} being the largest.",
    "Discs 1 to {2}, the smallest being 1, lie on three pegs of {0}, {1}.",
    "A toy of {0} has three pegs, {1}, and {2} discs, numbered from the smallest up.",
)
_DISC_LAW = (
    ("One top disc moves at a time", "A move takes one top disc", "Only top discs move, one by one",
     "Each turn shifts a single top disc", "Discs are lifted singly from the top"),
    (", ", ", and ", "; "),
    ("never onto a smaller one.", "a larger one never lies on a smaller one.",
     "it is forbidden to cover a smaller disc.", "no disc may be set upon a smaller one.",
     "under each disc there are only larger ones."),
)  # fmt: skip
_DISC_ASK = (
    "How many moves does it take at least to bring all discs to the {0} peg?",
    "What is the least number of moves that puts the whole tower on the {0} peg?",
    "All discs have to end on the {0} peg. How many moves does the shortest way have?",
    "In how few moves can the tower be built on the {0} peg?",
)


def hanoi(draw: Draw, level: int) -> Problem:
    """The least number of moves from any arrangement of discs to a tower.

    Args:
        draw: chance.
        level: 1 to 100; more discs.

    Returns:
        The problem.
    """
    count = grown(draw, level, 2, 6)
    pegs = draw.sample(QUALITIES, 3)
    at = [draw.below(3) for _ in range(count)]
    goal = draw.below(3)
    if all(peg == goal for peg in at):
        goal = (goal + 1) % 3
    told = [draw.choice(_DISC_AT).format(n + 1, pegs[peg]) for n, peg in enumerate(at)]
    draw.shuffle(told)
    head = draw.choice(_DISC_RULE).format(people(draw, 1)[0], joined(pegs), count)
    told = [head, spelled(draw, _DISC_LAW), *woven(draw, level, told)]
    told.append(draw.choice(_DISC_ASK).format(pegs[goal]))
    moves: list[tuple[int, int, int]] = []
    _stacked(at.copy(), count, goal, moves)
    style = draw.choice(
        ("Disc {0} goes from {1} to {2}.", "{0}: {1} -> {2}", "Move disc {0} from {1} to {2}.")
    )
    steps = [style.format(disc, pegs[start], pegs[end]) for disc, start, end in moves]
    answer = str(len(moves))
    world: Certificate = {
        "at": tuple(pegs[peg] for peg in at),
        "goal": pegs[goal],
        "answer": answer,
    }
    return lay_out(draw, " ".join(told), steps, answer, world)


def _stacked(at: list[int], count: int, goal: int, moves: list[tuple[int, int, int]]) -> None:
    if count == 0:
        return
    largest = count - 1
    if at[largest] == goal:
        _stacked(at, count - 1, goal, moves)
        return
    _stacked(at, count - 1, 3 - at[largest] - goal, moves)
    moves.append((count, at[largest], goal))
    at[largest] = goal
    _stacked(at, count - 1, goal, moves)


_CARGO = ("wolf", "goat", "cabbage", "goose", "fox", "sack of grain", "cat", "parrot", "basket of "
          "fish", "dog", "hen", "lamb", "cheese", "mouse", "snake", "rabbit", "pig", "bear", "cask "
          "of honey", "owl", "ferret", "pot of milk", "monkey", "crate of bananas")  # fmt: skip
_FERRY_HEAD = (
    "{0} of {1} wants to take {2} over the river.",
    "At the ford of {1}, {0} has to bring {2} to the far bank.",
    "{0} stands on the near bank at {1} with {2} and wants all on the far bank.",
    "On the way to {1}, {0} comes to a river with {2}, all of which must cross.",
)
_FERRY_BOAT = (
    "The boat carries {0} and at most {1} of them.",
    "Besides {0}, who rows, the boat has room for {1}.",
    "{0} must row and can take {1} or fewer along.",
)
_FERRY_PAIR = (
    "The {0} and the {1} must not be left together without {2}.",
    "Without {2} near, the {0} would harm the {1}.",
    "Only {2} keeps the {0} away from the {1}.",
)
_FERRY_ASK = (
    "How many crossings are needed at least, or is it impossible?",
    "What is the least number of crossings, if it can be done?",
    "In how few crossings, back ones included, can it be done, if at all?",
    "Can it be done, and if so in how many crossings at least?",
)


def ferry(draw: Draw, level: int) -> Problem:
    """The least number of crossings with a small boat and cargo that must not be left together.

    Args:
        draw: chance.
        level: 1 to 100; more cargo, more quarrels.

    Returns:
        The problem.
    """
    count = grown(draw, level, 3, 5)
    cargo = draw.sample(_CARGO, count)
    room = 1 if count < 4 else draw.between(1, 2)
    every = list(combinations(range(count), 2))
    pairs = draw.sample(every, draw.between(1, 2 if room == 1 else min(5, len(every))))
    who, town = people(draw, 1)[0], places(draw, 1)[0]
    told = [draw.choice(_FERRY_PAIR).format(cargo[a], cargo[b], who) for a, b in pairs]
    told.append(draw.choice(_FERRY_BOAT).format(who, room))
    draw.shuffle(told)
    told = woven(draw, level, told)
    told.insert(0, draw.choice(_FERRY_HEAD).format(who, town, joined([one(c) for c in cargo])))
    told.append(draw.choice(_FERRY_ASK))
    plan, reached = _crossings(count, room, pairs)
    if plan:
        style = draw.choice(
            (
                ("Over: {0}.", "Back: {0}.", "alone"),
                ("{1} takes {0} over.", "{1} takes {0} back.", "nothing"),
                ("-> {0}", "<- {0}", "nobody"),
            )
        )
        steps = [
            style[n % 2].format(
                joined([f"the {cargo[i]}" for i in load]) if load else style[2], who
            )
            for n, load in enumerate(plan)
        ]
        answer = str(len(plan))
    else:
        steps = [f"Only {reached} states can be reached, and none of them has all across."]
        answer = "impossible"
    world: Certificate = {"cargo": tuple(cargo), "room": room, "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


# Breadth first over (near bank as bits, side of the boat).
def _crossings(
    count: int, room: int, pairs: list[tuple[int, int]]
) -> tuple[list[tuple[int, ...]], int]:
    quarrels = [1 << a | 1 << b for a, b in pairs]
    full = (1 << count) - 1
    safe = [all(mask & q != q for q in quarrels) for mask in range(full + 1)]
    loads = [
        (sum(1 << n for n in load), load)
        for size in range(room + 1)
        for load in combinations(range(count), size)
    ]
    came: dict[tuple[int, int], tuple[tuple[int, int], tuple[int, ...]]] = {(full, 0): ((0, 0), ())}
    front = [(full, 0)]
    for near, side in front:
        if near == 0 and side:
            break
        here = near if side == 0 else full & ~near
        for mask, load in loads:
            state = (near ^ mask, 1 - side)
            if mask & ~here or state in came or not safe[here & ~mask]:
                continue
            came[state] = ((near, side), load)
            front.append(state)
    plan: list[tuple[int, ...]] = []
    state = (0, 1)
    while state in came and state != (full, 0):
        state, load = came[state]
        plan.append(load)
    return plan[::-1], len(came)


FAMILIES: dict[str, Family] = {"blocks": blocks, "jugs": jugs, "hanoi": hanoi, "ferry": ferry}
"""Families of this module by name."""
