"""Games and votes: nim, noughts and crosses, four ways to count ballots."""

from functools import cache, reduce
from operator import xor

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scene_words import (
    JOBS,
    PLAIN_NOUNS,
    QUALITIES,
    joined,
    numbered,
    one,
    people,
    places,
    spelled,
    woven,
)

_HEAPS = (
    "{0} and {1} of {2} play with heaps of {3}s, {4}.",
    "In {2} {0} and {1} have laid out heaps of {3}s, {4}.",
    "Heaps of {3}s lie before {0} and {1} in {2}, {4}.",
)
_NIM_RULE = (
    "In turn each takes one or more from one heap, and who takes the last wins.",
    "A move takes one or more from a single heap, and taking the very last one wins.",
    "They take turns; each turn removes some of one heap, and who cannot move has lost.",
)
_NIM_WHO = (
    "{0} moves first. Who wins if both play without a mistake?",
    "With {0} to move and perfect play by both, who is the winner?",
    "It is the turn of {0}. Who can force a win?",
)
_NIM_HOW = (
    "{0} moves first. How many different first moves win by force?",
    "With {0} to move, how many moves keep a forced win?",
    "It is the turn of {0}. How many of the possible moves are winning ones?",
)


def nim(draw: Draw, level: int) -> Problem:
    """Heaps from which two players take; who wins, or how many first moves win?

    Args:
        draw: chance.
        level: 1 to 100; more and larger heaps.

    Returns:
        The problem.
    """
    count = grown(draw, level, 2, 5)
    most = min(15, 4 + level // 6) if count < 4 else min(9, 4 + level // 12)
    heaps = [draw.between(1, most) for _ in range(count)]
    if draw.below(3) == 0:
        # Evened out, so that the second player wins often enough.
        last = reduce(xor, heaps[:-1])
        heaps[-1] = last if 0 < last <= most else heaps[-1]
    names, who, town = draw.sample(QUALITIES, count), people(draw, 2), places(draw, 1)[0]
    shown = joined([f"{size} {name}" for size, name in zip(heaps, names, strict=True)])
    told = [
        draw.choice(_HEAPS).format(*who, town, draw.choice(PLAIN_NOUNS), shown),
        draw.choice(_NIM_RULE),
    ]
    told = woven(draw, level, told)
    total = reduce(xor, heaps)
    style = draw.choice(
        ("{0}: {1} to {2}", "Leave {2} of the {1} {0}.", "{0} from {1} down to {2}")
    )
    wins = [
        style.format(name, size, size ^ total)
        for name, size in zip(names, heaps, strict=True)
        if size ^ total < size
    ]
    steps = [f"{' xor '.join(map(str, heaps))} = {total}"]
    if draw.below(2):
        told.append(draw.choice(_NIM_WHO).format(who[0]))
        answer, asked = who[total == 0], "who"
    else:
        told.append(draw.choice(_NIM_HOW).format(who[0]))
        answer, asked = str(len(wins)), "how many"
        steps += wins
    world: Certificate = {"heaps": tuple(heaps), "asked": asked, "answer": answer}
    return lay_out(draw, " ".join(told), steps, answer, world)


_LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
_SQUARES = ("a3", "b3", "c3", "a2", "b2", "c2", "a1", "b1", "c1")
_BOARD = (
    "{0} plays X and {1} plays O, a game of noughts and crosses in {2}.",
    "In {2} {0} (X) and {1} (O) try to get three in a row.",
    "Three in a row wins between {0} with X and {1} with O, both of {2}.",
)
_BOARD_NAMES = (
    ("Columns are a to c from the left", "From left to right the columns are a, b, c",
     "Letters a to c count the columns rightwards"),
    (", ", "; ", " and "),
    ("rows are 1 to 3 from below", "from the bottom up the rows are 1, 2, 3",
     "numbers 1 to 3 count the rows upwards"),
    ("; ", ", and "),
    ("_ is an empty square.", "_ marks what is free.", "a free square shows _.",
     "where nobody has played there is _."),
)  # fmt: skip
_BEST_ASK = (
    "It is the turn of {0}. How does it end with best play, as win, draw or loss for {0}?",
    "{0} is to move. What is the result for {0} if nobody errs, win, draw or loss?",
)
_SQUARES_ASK = (
    "It is the turn of {0}. On which squares can {0} play and still force a win?",
    "{0} is to move. Name all moves that win by force.",
)


def noughts(draw: Draw, level: int) -> Problem:
    """A position of noughts and crosses under best play.

    Args:
        draw: chance.
        level: 1 to 100; emptier boards.

    Returns:
        The problem.
    """
    empty = min(7, 2 + grown(draw, level, 1, 5))
    while True:
        order = draw.sample(range(9), 9 - empty)
        board = ["_"] * 9
        for turn, square in enumerate(order):
            board[square] = "XO"[turn % 2]
        if not _won("".join(board)):
            break
    sign = "XO"[(9 - empty) % 2]
    who = people(draw, 2)
    mover = who["XO".index(sign)]
    head = draw.choice(_BOARD).format(*who, places(draw, 1)[0])
    told = woven(draw, level, [head, spelled(draw, _BOARD_NAMES)])
    squares = [n for n in range(9) if board[n] == "_"]
    results = [-_worth(_put("".join(board), n, sign), "XO"["OX".index(sign)]) for n in squares]
    names = ("loss", "draw", "win")
    style = draw.choice(("{0}: {1}", "{0} leads to a {1}.", "{1} after {0}"))
    steps = [style.format(_SQUARES[n], names[r + 1]) for n, r in zip(squares, results, strict=True)]
    wins = sorted(_SQUARES[n] for n, r in zip(squares, results, strict=True) if r > 0)
    if draw.below(2):
        ask, answer = draw.choice(_BEST_ASK), names[max(results) + 1]
    else:
        ask, answer = draw.choice(_SQUARES_ASK), joined(wins) if wins else "none"
    rows = [" ".join(board[n : n + 3]) for n in (0, 3, 6)]
    question = "\n".join([" ".join(told), *rows, ask.format(mover)])
    world: Certificate = {"board": "".join(board), "mover": mover, "answer": answer}
    return lay_out(draw, question, steps, answer, world)


def _won(board: str) -> bool:
    return any(board[a] != "_" and board[a] == board[b] == board[c] for a, b, c in _LINES)


def _put(board: str, square: int, sign: str) -> str:
    return board[:square] + sign + board[square + 1 :]


# 1, 0, -1 for who is to move. At most 5,478 positions are ever kept.
@cache
def _worth(board: str, sign: str) -> int:
    if _won(board):
        return -1
    free = [n for n in range(9) if board[n] == "_"]
    other = "O" if sign == "X" else "X"
    return max((-_worth(_put(board, n, sign), other) for n in free), default=0)


_BALLOT = (
    "{0} ballots read {1}.",
    "{0} voters rank them {1}.",
    "On {0} papers stands {1}.",
    "By {0} people the order is given as {1}.",
)
_POLL = (
    "{0}, {2} in {1}, counts the votes, each of which ranks all, best first.",
    "In {1} an election was held, and {0} counts the ranked ballots.",
    "The club of {1}, led by {0}, has voted with ranked ballots.",
)
_WAY = {
    "plurality": ("Only first places count, and the most of them wins.",
                  "Who has the most first places wins."),
    "borda": ("A last place gives 0 points, the one above it 1, and so on; the most points win.",
              "From the bottom of each ballot upwards there are 0, 1, 2 and so on points."),
    "runoff": (
        "Round by round who leads the fewest ballots is struck out, until one is left.",
        "The one with the fewest first places is removed again and again, until one remains.",
    ),
    "pairs": (
        "Only who beats each other one in a direct comparison wins; otherwise nobody does.",
        "A winner has to beat every other one head to head, or else nobody wins.",
    ),
}  # fmt: skip
_TIE = (
    "Among equals the one earlier in the alphabet is ahead.",
    "Ties are broken in favour of the name that comes first in the alphabet.",
)
_POLL_ASK = ("Who wins?", "Who is elected?", "Which of them has won?", "Name the winner.")


def voting(draw: Draw, level: int) -> Problem:
    """Ranked ballots counted by one of four methods.

    Args:
        draw: chance.
        level: 1 to 100; more candidates and kinds of ballots.

    Returns:
        The problem.
    """
    names = people(draw, grown(draw, level, 3, 6))
    way = draw.choice(tuple(_WAY))
    ballots = [
        (draw.between(2, 9 + level // 4), draw.sample(names, len(names)))
        for _ in range(grown(draw, level, 3, 8))
    ]
    told = [draw.choice(_BALLOT).format(n, " > ".join(order)) for n, order in ballots]
    head = draw.choice(_POLL).format(people(draw, 1)[0], places(draw, 1)[0], one(draw.choice(JOBS)))
    told = [head, *woven(draw, level, [*told, draw.choice(_WAY[way])]), draw.choice(_TIE)]
    told.append(draw.choice(_POLL_ASK))
    if way == "runoff":
        steps, answer = _runoff(ballots, sorted(names))
    elif way == "pairs":
        steps, answer = _pairs(ballots, sorted(names))
    else:
        top = len(names) - 1
        points = {
            name: sum(
                n * (top - order.index(name) if way == "borda" else order[0] == name)
                for n, order in ballots
            )
            for name in sorted(names)
        }
        steps = [f"{name}: {number}" for name, number in points.items()]
        answer = max(points, key=points.__getitem__)
    world: Certificate = {"way": way, "names": tuple(sorted(names)), "answer": answer}
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


def _runoff(ballots: list[tuple[int, list[str]]], left: list[str]) -> tuple[list[str], str]:
    steps: list[str] = []
    while len(left) > 1:
        leads = dict.fromkeys(left, 0)
        for n, order in ballots:
            leads[next(name for name in order if name in leads)] += n
        out = min(reversed(left), key=leads.__getitem__)
        shown = ", ".join(f"{name} {number}" for name, number in leads.items())
        steps.append(f"{shown}; {out} is out")
        left = [name for name in left if name != out]
    return steps, left[0]


def _pairs(ballots: list[tuple[int, list[str]]], names: list[str]) -> tuple[list[str], str]:
    steps: list[str] = []
    beaten = dict.fromkeys(names, 0)
    total = sum(n for n, _ in ballots)
    for k, name in enumerate(names):
        for other in names[k + 1 :]:
            ahead = sum(n for n, order in ballots if order.index(name) < order.index(other))
            steps.append(f"{name} against {other}: {ahead} to {total - ahead}")
            if 2 * ahead != total:
                beaten[name if 2 * ahead > total else other] += 1
    return steps, next((n for n in names if beaten[n] == len(names) - 1), "nobody")


FAMILIES: dict[str, Family] = {"nim": nim, "noughts": noughts, "voting": voting}
"""Families of this module by name."""
