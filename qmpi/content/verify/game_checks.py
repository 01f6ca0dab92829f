"""Solvers of games and votes: all positions of a game tried, ballots spread out one by one."""

import re
from functools import lru_cache
from itertools import combinations

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
)

_NIM = {
    "heaps": (
        r"{a:w} and {b:w} of \w+ play with heaps of \w+, {heaps}",
        r"In \w+ {a:w} and {b:w} have laid out heaps of \w+, {heaps}",
        r"Heaps of \w+ lie before {a:w} and {b:w} in \w+, {heaps}",
    ),
    "first": (
        "{who:w} moves first",
        "With {who:w} to move and perfect play by both, who is the winner",
        "With {who:w} to move, how many moves keep a forced win",
        "It is the turn of {who:w}",
    ),
}
_NIM_STEPS = (
    r"(?P<sum>\d+(?: xor \d+)+) = {total:d}",
    "{name:w}: {size:d} to {left:d}",
    r"Leave {left:d} of the {size:d} {name:w}\.",
    "{name:w} from {size:d} down to {left:d}",
)


def check_nim(exercise: Exercise, answer: str) -> str | None:
    """Check who wins at nim, or how many moves do.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _NIM)
    v, first = only(found["heaps"], "the heaps"), only(found["first"], "who moves")["who"]
    heaps = {name: int(size) for size, name in map(str.split, listed(v["heaps"]))}
    if first != v["a"] or sum(heaps.values()) > 50 or len(heaps) > 5:
        return "another player moves first, or the heaps are too large to search"
    wins = [
        (name, size, left)
        for name, size in heaps.items()
        for left in range(size)
        if not _wins(tuple(sorted([left, *(s for n, s in heaps.items() if n != name)])))
    ]
    counted = bool(re.search(r"[Hh]ow many", question_of(exercise.text)))
    right = str(len(wins)) if counted else v["a" if wins else "b"]
    if right != answer:
        return f"it is {right}, not {answer}"
    total = 0
    for size in heaps.values():
        total ^= size
    expected: list[Values] = [{"sum": " xor ".join(map(str, heaps.values())), "total": str(total)}]
    if counted:
        expected += [{"name": n, "size": str(s), "left": str(k)} for n, s, k in wins]
    return first_fault(
        certificate_fault(
            exercise, heaps=list(heaps.values()), asked="how many" if counted else "who"
        ),
        steps_fault(exercise, _NIM_STEPS, expected),
    )


# Who is to move wins if some move leads to a position that loses.
@lru_cache(maxsize=1 << 16)
def _wins(heaps: tuple[int, ...]) -> bool:
    return any(
        not _wins(tuple(sorted((*heaps[:n], left, *heaps[n + 1 :]))))
        for n, size in enumerate(heaps)
        for left in range(size)
    )


_ROW = re.compile(r"^[XO_] [XO_] [XO_]$", re.MULTILINE)
_ROW_NAMES = re.compile(
    r"\brows are 1 to 3 from below|bottom up the rows are 1, 2, 3|\b1 to 3 count the rows upwards"
)
_NOUGHTS = {
    "players": (
        r"{x:w} plays X and {o:w} plays O, a game of noughts and crosses in \w+",
        r"In \w+ {x:w} \(X\) and {o:w} \(O\) try to get three in a row",
        r"Three in a row wins between {x:w} with X and {o:w} with O, both of \w+",
    ),
    "mover": ("It is the turn of {who:w}", "{who:w} is to move"),
    "best": (
        r"How does it end with best play, as win, draw or loss for {who:w}",
        r"What is the result for {who:w} if nobody errs, win, draw or loss",
    ),
    "squares": (
        r"On which squares can {who:w} play and still force a win",
        "Name all moves that win by force",
    ),
}
_NOUGHTS_STEPS = (
    "{square:w}: {result:w}",
    r"{square:w} leads to a {result:w}\.",
    "{result:w} after {square:w}",
)


def check_noughts(exercise: Exercise, answer: str) -> str | None:
    """Check a position of noughts and crosses.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _NOUGHTS)
    players = only(found["players"], "the players")
    mover = only(found["mover"], "who moves")["who"]
    only(found["best"] + found["squares"], "what is asked")
    if not _ROW_NAMES.search(question_of(exercise.text)):
        return "the rows have no names"
    rows = [row.split() for row in _ROW.findall(question_of(exercise.text))]
    if len(rows) != 3 or mover not in players.values():
        return "the board does not have three rows, or a stranger moves"
    at = {f"{'abc'[c]}{3 - r}": rows[r][c] for r in range(3) for c in range(3)}
    sign = "X" if mover == players["x"] else "O"
    taken = {s: frozenset(sq for sq, mark in at.items() if mark == s) for s in "XO"}
    if len(taken["X"]) - len(taken["O"]) != (sign == "O"):
        return "the other player would be to move"
    free = sorted(set(at) - taken["X"] - taken["O"])
    other = taken["O" if sign == "X" else "X"]
    result = {square: _outcome(other, taken[sign] | {square}) for square in free}
    names = {-1: "win", 0: "draw", 1: "loss"}
    wins = [square for square in free if result[square] < 0]
    right = names[min(result.values())]
    if found["squares"]:
        right = " and ".join(wins).replace(" and ", ", ", max(0, len(wins) - 2)) or "none"
    if right != answer:
        return f"it is {right}, not {answer}"
    board = "".join(sign for row in rows for sign in row)
    expected = [{"square": square, "result": names[result[square]]} for square in free]
    return first_fault(
        certificate_fault(exercise, board=board, mover=mover),
        steps_any_order_fault(exercise, _NOUGHTS_STEPS, expected),
    )


# Squares as a magic square: three of them in a row add up to 15, and no other three do.
_MAGIC: dict[str, int] = dict(
    zip(
        ("a1", "b1", "c1", "a2", "b2", "c2", "a3", "b3", "c3"),
        (2, 7, 6, 9, 5, 1, 4, 3, 8),
        strict=True,
    )
)


@lru_cache(maxsize=1 << 14)
def _outcome(mine: frozenset[str], yours: frozenset[str]) -> int:
    if any(sum(_MAGIC[s] for s in three) == 15 for three in combinations(yours, 3)):
        return -1
    free = set(_MAGIC) - mine - yours
    return max((-_outcome(yours, mine | {square}) for square in free), default=0)


_POLL = {
    "ballot": (
        "{n:d} ballots read (?P<order>.+ > .+)",
        "{n:d} voters rank them (?P<order>.+ > .+)",
        "On {n:d} papers stands (?P<order>.+ > .+)",
        "By {n:d} people the order is given as (?P<order>.+ > .+)",
    ),
    "plurality": (
        "Only first places count, and the most of them wins",
        "Who has the most first places wins",
    ),
    "borda": (
        "A last place gives 0 points, the one above it 1, and so on; the most points win",
        "From the bottom of each ballot upwards there are 0, 1, 2 and so on points",
    ),
    "runoff": (
        "Round by round who leads the fewest ballots is struck out, until one is left",
        "The one with the fewest first places is removed again and again, until one remains",
    ),
    "pairs": (
        "Only who beats each other one in a direct comparison wins; otherwise nobody does",
        "A winner has to beat every other one head to head, or else nobody wins",
    ),
}
_POLL_STEPS = (
    "{a:w}: {n:d}",
    r"{leads}; {a:w} is out",
    "{a:w} against {b:w}: {n:d} to {m:d}",
)


def check_voting(exercise: Exercise, answer: str) -> str | None:
    """Check the winner of a vote.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    found = sorted_out(exercise, _POLL)
    ways = [way for way in ("plurality", "borda", "runoff", "pairs") if found[way]]
    papers = [v["order"].split(" > ") for v in found["ballot"] for _ in range(min(int(v["n"]), 99))]
    names = sorted(papers[0])
    if len(ways) != 1 or any(sorted(paper) != names for paper in papers):
        return "the way to count is not told, or a ballot does not rank all"
    # Every pair of a voter and two names; points and wins are counted from these alone.
    above = {
        (a, b): sum(paper.index(a) < paper.index(b) for paper in papers)
        for a in names
        for b in names
        if a != b
    }
    right, expected = _counted(ways[0], papers, names, above)
    if right != answer:
        return f"the winner is {right}, not {answer}"
    return first_fault(
        certificate_fault(exercise, way=ways[0], names=names),
        steps_fault(exercise, _POLL_STEPS, expected),
    )


def _counted(
    way: str, papers: list[list[str]], names: list[str], above: dict[tuple[str, str], int]
) -> tuple[str, list[Values]]:
    if way == "runoff":
        return _struck(papers, names)
    if way == "pairs":
        winners = [a for a in names if all(above[a, b] > above[b, a] for b in names if b != a)]
        rows = [
            {"a": a, "b": b, "n": str(above[a, b]), "m": str(above[b, a])}
            for a, b in combinations(names, 2)
        ]
        return (winners[0] if winners else "nobody"), rows
    if way == "borda":
        points = {a: sum(above[a, b] for b in names if b != a) for a in names}
    else:
        points = {a: [paper[0] for paper in papers].count(a) for a in names}
    best = sorted(names, key=lambda name: (-points[name], name))[0]
    return best, [{"a": name, "n": str(points[name])} for name in names]


def _struck(papers: list[list[str]], names: list[str]) -> tuple[str, list[Values]]:
    rows: list[Values] = []
    out: list[str] = []
    while len(out) < len(names) - 1:
        left = [name for name in names if name not in out]
        tops = [next(name for name in paper if name in left) for paper in papers]
        least = min(tops.count(name) for name in left)
        out.append(max(name for name in left if tops.count(name) == least))
        shown = ", ".join(f"{name} {tops.count(name)}" for name in left)
        rows.append({"leads": shown, "a": out[-1]})
    return next(name for name in names if name not in out), rows


CHECKS: dict[str, Check] = {
    "nim": check_nim,
    "noughts": check_noughts,
    "voting": check_voting,
}
"""Solvers by family."""
