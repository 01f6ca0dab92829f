"""Solvers of move planning: every state is searched, and shown plans are carried out."""

import re
from itertools import pairwise

from qmpi.content.exercise import Exercise, question_of, steps_of
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

_BLOCK_SHAPES = {
    "pile": (
        "The {name:w} pile holds, from the floor up, {blocks}",
        "At {name:w} there are, bottom first, {blocks}",
        "From the floor up, the pile of {name:w} has {blocks}",
        "Bottom to top, {name:w} has {blocks}",
    ),
    "floor": (
        "The {up:w} {kind:w} stands on the floor",
        "On the floor itself is the {up:w} {kind:w}",
        "Nothing is under the {up:w} {kind:w}",
    ),
    "on": (
        "The {up:w} {kind:w} stands on the {down:w} {kind:w}",
        "The {down:w} {kind:w} is right under the {up:w} {kind:w}",
        "Right on top of the {down:w} {kind:w} is the {up:w} {kind:w}",
        "The {up:w} {kind:w} rests on the {down:w} one",
    ),
}
_BLOCK_ASKED = re.compile(
    r"the (\w+) (\w+) (?:stands directly on|directly onto|be put directly on|has to go directly on)"
    r" the (\w+) \2\b",
    re.IGNORECASE,
)
_BLOCK_STEPS = {
    "step": (
        r"The {what:w} {kind:w} goes (?:to the|onto the) {where:w}(?: {kind:w})?\.",
        r"Move {what:w} (?:to the|onto) {where:w}\.",
        "{what:w} -> {where:w}",
    )
}
Piles = frozenset[tuple[str, ...]]


def check_blocks(exercise: Exercise, answer: str) -> str | None:
    """Check the least number of moves that puts one block onto another.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    piles = _read_piles(exercise)
    asked = _BLOCK_ASKED.search(question_of(exercise.text))
    if asked is None:
        return "the question does not say which block goes where"
    what, where = asked[1], asked[3]
    fault = certificate_fault(exercise, what=what, where=where)
    if fault:
        return fault
    # What lies under both blocks and in other piles never helps: the floor has room.
    kept = frozenset(
        cut for pile in piles if (cut := pile[_lowest(pile, what, where) :]) and len(cut) > 0
    )
    least = _least_block_moves(kept, what, where)
    if str(least) != answer:
        return f"{least} moves are enough or needed, not {answer}"
    steps = worked(exercise)
    if steps and len(steps) != least:
        return f"the plan has {len(steps)} moves"
    for step in steps:
        found = matched(step, _BLOCK_STEPS)
        if found is None:
            return f"nobody can read the step {step!r}"
        piles = _block_moved(piles, found[1]["what"], found[1]["where"])
    return "the plan does not reach its goal" if steps and not _is_on(piles, what, where) else None


def _read_piles(exercise: Exercise) -> Piles:
    above: dict[str, str] = {}
    bottoms: list[str] = []
    piles: list[tuple[str, ...]] = []
    for kind, values in told(exercise, _BLOCK_SHAPES):
        if kind == "pile":
            piles.append(tuple(listed(values["blocks"])))
        elif kind == "floor":
            bottoms.append(values["up"])
        else:
            above[values["down"]] = values["up"]
    for bottom in bottoms:
        pile = [bottom]
        while pile[-1] in above and len(pile) < 99:
            pile.append(above.pop(pile[-1]))
        piles.append(tuple(pile))
    if above or not piles:
        raise ValueError("a block hangs in the air")
    return frozenset(piles)


def _lowest(pile: tuple[str, ...], what: str, where: str) -> int:
    return next((n for n, block in enumerate(pile) if block in (what, where)), len(pile))


def _is_on(piles: Piles, what: str, where: str) -> bool:
    return any((where, what) in pairwise(pile) for pile in piles)


def _block_moved(piles: Piles, what: str, where: str) -> Piles:
    source = next((pile for pile in piles if pile[-1] == what), None)
    target = next((pile for pile in piles if pile[-1] == where), None)
    if source is None or (target is None and where != "floor") or source == target:
        raise ValueError(f"{what} cannot go to {where}")
    rest = {source[:-1]} if len(source) > 1 else set[tuple[str, ...]]()
    moved = {(what,) if target is None else (*target, what)}
    return frozenset((piles - {source, target}) | rest | moved)


def _least_block_moves(piles: Piles, what: str, where: str) -> int:
    if sum(map(len, piles)) > 9:
        raise ValueError("too many blocks to search")
    seen, front, moves = {piles}, {piles}, 0
    while front and moves < 12:
        if any(_is_on(state, what, where) for state in front):
            return moves
        following: set[Piles] = set()
        for state in front:
            tops = [pile[-1] for pile in state]
            for top in tops:
                # A move to the floor serves every purpose but the last, so only `what` is stacked.
                goals = [where] if top == what and where in tops else []
                following |= {_block_moved(state, top, goal) for goal in [*goals, "floor"]}
        front = following - seen
        seen |= front
        moves += 1
    raise ValueError("no plan was found")


_JUG_SIZES = re.compile(r"a (\w+ \w+) of (\d+) litres and a (\w+ \w+) of (\d+) litres")
_JUG_GOAL = re.compile(r"[Ee]xactly (\d+) litres")
_JUG_STEPS = {
    "move": (
        r"(?:Fill the {fill:w} \w+|Empty the {empty:w} \w+|Pour the {pour:w} \w+ into the "
        r"{into:w} \w+)(?:: {one:d} and {two:d}|\. Now {three:d} and {four:d}\.| => {five:d}, "
        r"{six:d})",
    ),
    "never": (r"Every amount is a multiple of {common:d}, and {goal:d} is not\.",),
}


def check_jugs(exercise: Exercise, answer: str) -> str | None:
    """Check the least number of moves that measures an amount.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    question = question_of(exercise.text)
    sizes, wanted = _JUG_SIZES.search(question), _JUG_GOAL.search(question)
    if sizes is None or wanted is None:
        return "the question lacks the vessels or the amount"
    limit, goal = (int(sizes[2]), int(sizes[4])), int(wanted[1])
    if max(limit) > 99:
        return "the vessels are too large to search"
    least = _least_pourings(limit, goal)
    right = "it cannot be done" if least is None else str(least)
    if right != answer:
        return f"the least number of moves: {right}, not {answer}"
    names = [sizes[1].split()[0], sizes[3].split()[0]]
    return first_fault(
        certificate_fault(exercise, sizes=limit, goal=goal),
        _jug_steps_fault(exercise, names, limit, (goal, least)),
    )


def _pourings(state: tuple[int, int], limit: tuple[int, int]) -> dict[str, tuple[int, int]]:
    a, b = state
    left, right = min(a, limit[1] - b), min(b, limit[0] - a)
    return {
        "fill0": (limit[0], b),
        "fill1": (a, limit[1]),
        "empty0": (0, b),
        "empty1": (a, 0),
        "pour0": (a - left, b + left),
        "pour1": (a + right, b - right),
    }


def _least_pourings(limit: tuple[int, int], goal: int) -> int | None:
    seen, front, moves = {(0, 0)}, {(0, 0)}, 0
    while front:
        if any(goal in state for state in front):
            return moves
        front = {after for state in front for after in _pourings(state, limit).values()} - seen
        seen |= front
        moves += 1
    return None


def _jug_steps_fault(
    exercise: Exercise, names: list[str], limit: tuple[int, int], sought: tuple[int, int | None]
) -> str | None:
    steps, (goal, least) = steps_of(exercise.text), sought
    state = (0, 0)
    for step in steps:
        found = matched(step, _JUG_STEPS)
        if found is None or (found[0] == "never") != (least is None):
            return f"nobody can read the step {step!r}"
        values = found[1]
        if found[0] == "never":
            common = int(values["common"])
            fits = limit[0] % common == 0 == limit[1] % common and goal % common
            return None if fits and int(values["goal"]) == goal else f"{step!r} is wrong"
        what = next(name for name in ("fill", "empty", "pour") if values[name])
        which = names.index(values[what])
        if what == "pour" and values["into"] != names[1 - which]:
            return f"{step!r} pours into itself"
        state = _pourings(state, limit)[f"{what}{which}"]
        shown = [
            int(values[n]) for n in ("one", "two", "three", "four", "five", "six") if values[n]
        ]
        if tuple(shown) != state:
            return f"after {step!r} there are {state}"
    if steps and (goal not in state or len(steps) != least):
        return "the plan does not reach its goal in the least moves"
    return None


_DISC_SHAPES = {
    "head": (
        "{who:w} has three pegs, {pegs}, and discs numbered by size, {count:d} being the largest",
        "Discs 1 to {count:d}, the smallest being 1, lie on three pegs of {who:w}, {pegs}",
        "A toy of {who:w} has three pegs, {pegs}, and {count:d} discs, numbered from the smallest "
        "up",
    ),
    "at": (
        "Disc {disc:d} (?:is on the|lies on) {peg:w}(?: peg)?",
        "The {peg:w} peg carries disc {disc:d}",
        "On the {peg:w} peg sits disc {disc:d}",
    ),
}
_DISC_ASKED = re.compile(r"(?:bring all discs to|tower on|have to end on|built on) the (\w+) peg")
_DISC_STEPS = {
    "step": (
        r"(?:Disc|Move disc) {disc:d}(?: goes)? from {start:w} to {end:w}\.",
        "{disc:d}: {start:w} -> {end:w}",
    )
}


def check_hanoi(exercise: Exercise, answer: str) -> str | None:
    """Check the least number of moves to a tower.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found: dict[str, list[Values]] = {"head": [], "at": []}
    for kind, values in told(exercise, _DISC_SHAPES):
        found[kind].append(values)
    head = only(found["head"], "the pegs")
    asked = _DISC_ASKED.search(question_of(exercise.text))
    at = {int(v["disc"]): v["peg"] for v in found["at"]}
    pegs, count = listed(head["pegs"]), int(head["count"])
    if asked is None or sorted(at) != list(range(1, count + 1)) or count > 7:
        return "the question does not place every disc"
    start = tuple(at[disc] for disc in range(1, count + 1))
    least = _least_discs(start, pegs, (asked[1],) * count)
    if str(least) != answer:
        return f"{least} moves are needed, not {answer}"
    steps, state = steps_of(exercise.text), start
    for step in steps:
        read = matched(step, _DISC_STEPS)
        if read is None:
            return f"nobody can read the step {step!r}"
        disc = int(read[1]["disc"]) - 1
        after = (*state[:disc], read[1]["end"], *state[disc + 1 :])
        if state[disc] != read[1]["start"] or after not in _disc_moves(state, pegs):
            return f"the move {step!r} is not allowed"
        state = after
    if steps and (len(steps) != least or set(state) != {asked[1]}):
        return "the plan does not reach its goal in the least moves"
    return certificate_fault(exercise, at=start, goal=asked[1])


def _disc_moves(state: tuple[str, ...], pegs: list[str]) -> list[tuple[str, ...]]:
    moves: list[tuple[str, ...]] = []
    for disc, peg in enumerate(state):
        smaller = state[:disc]
        if peg not in smaller:
            moves += [
                (*smaller, other, *state[disc + 1 :])
                for other in pegs
                if other != peg and other not in smaller
            ]
    return moves


def _least_discs(start: tuple[str, ...], pegs: list[str], goal: tuple[str, ...]) -> int:
    seen, front, moves = {start}, {start}, 0
    while goal not in front:
        if not front:
            raise ValueError("the tower cannot be built")
        front = {after for state in front for after in _disc_moves(state, pegs)} - seen
        seen |= front
        moves += 1
    return moves


CHECKS: dict[str, Check] = {
    "blocks": check_blocks,
    "jugs": check_jugs,
    "hanoi": check_hanoi,
}
"""Solvers by family."""
