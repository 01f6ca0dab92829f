"""Solvers of movements: complex numbers for a walk, vectors for a cube, places for a grid."""

import re

from qmpi.content.exercise import Exercise, question_of
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

_UNITS = "(?P<unit>metres|paces|yards|steps)"
_WINDS = {"north": 1j, "south": -1j, "east": 1 + 0j, "west": -1 + 0j}
_WALK = {
    "out": (
        r"{who:w} stands in the square of \w+ and faces {wind:w}",
        r"In \w+, {who:w} looks {wind:w}",
        r"{who:w}, an? \w+ of \w+, sets out facing {wind:w}",
        r"At the well of \w+ {who:w} turns to the {wind:w}",
        r"{who:w} leaves the gate of \w+, face to the {wind:w}",
    ),
    "back": (
        "{who:w} steps {far:d} " + _UNITS + " backwards",
        "Without turning {who:w} retreats {far:d} " + _UNITS,
    ),
    "ahead": (
        r"\w+ walks {far:d} " + _UNITS + " ahead",
        "Then come {far:d} " + _UNITS + " straight on",
        "{far:d} " + _UNITS + " straight ahead follow",
        r"\w+ goes on for {far:d} " + _UNITS,
        r"Next \w+ takes {far:d} " + _UNITS + " forward",
    ),
    "about": (r"\w+ turns around", r"Now \w+ faces about", r"\w+ makes a half turn"),
    "turn": (
        r"\w+ turns {way:w}",
        r"Now \w+ makes a turn to the {way:w}",
        "A quarter turn {way:w} follows",
        r"\w+ swings {way:w} by a right angle",
    ),
    "where": (
        "Where is {who:w} now, seen from the start",
        "How does {who:w} now lie from the starting point",
        "Give the place of {who:w}, as seen from where the walk began",
    ),
    "facing": (
        "Which way does {who:w} face in the end",
        "In which direction is {who:w} looking now",
        "Towards which point of the compass does {who:w} face at last",
    ),
}
_WALK_STEPS = (
    r"At \({x:d}, {y:d}\), facing {wind:w}\.",
    r"{wind:w}: \({x:d}, {y:d}\)",
    "x = {x:d}, y = {y:d}, {wind:w}",
    r"\({x:d}, {y:d}\) {wind:w}",
)


def check_walk(exercise: Exercise, answer: str) -> str | None:
    """Check where a walk ends.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    place, facing, unit, who, right = 0j, 1j, "", "", ""
    expected: list[Values] = []
    for kind, v in told(exercise, _WALK):
        if kind == "out":
            who, facing = v["who"], _WINDS[v["wind"]]
        elif kind == "turn":
            facing *= {"left": 1j, "right": -1j}[v["way"]]
        elif kind == "about":
            facing *= -1
        elif kind in ("ahead", "back"):
            place += facing * int(v["far"]) * (1 if kind == "ahead" else -1)
            unit = v["unit"]
            x, y = int(place.real), int(place.imag)
            expected.append({"x": str(x), "y": str(y), "wind": _wind(facing)})
        else:
            right = _wind(facing) if kind == "facing" else _offset(place, unit)
            if v["who"] != who:
                return "somebody else is asked for"
    if right != answer:
        return f"the walk ends so: {right}, not {answer}"
    return first_fault(
        certificate_fault(exercise, who=who, legs=len(expected)),
        steps_fault(exercise, _WALK_STEPS, expected),
    )


def _wind(facing: complex) -> str:
    return next(name for name, unit in _WINDS.items() if unit == facing)


def _offset(place: complex, unit: str) -> str:
    x, y = int(place.real), int(place.imag)
    parts = [f"{y} {unit} north"] if y > 0 else [f"{-y} {unit} south"] if y < 0 else []
    parts += [f"{x} {unit} east"] if x > 0 else [f"{-x} {unit} west"] if x < 0 else []
    parts = [re.sub(r"^1 (\w+)s\b", r"1 \1", part) for part in parts]
    return " and ".join(parts) or "at the start"


Vector = tuple[int, int, int]
_SIDES: dict[str, Vector] = {
    "top": (0, 0, 1),
    "bottom": (0, 0, -1),
    "north side": (0, 1, 0),
    "south side": (0, -1, 0),
    "east side": (1, 0, 0),
    "west side": (-1, 0, 0),
}
_CUBE = {
    "roll": (
        "It is rolled {wind:w}",
        r"\w+ tips it over its edge to the {wind:w}",
        "It falls over to the {wind:w}",
        "A push rolls it {wind:w} by one side",
        r"\w+ rolls it one side further {wind:w}",
    ),
    "asked": (
        "Which picture is on the {side} now",
        "What does the {side} show in the end",
        "Name the picture that the {side} bears at last",
        "After all that, what is on the {side}",
    ),
}
_CUBE_STEPS = (
    r"Rolled {wind:w}: {top:w} on top, {north:w} to the north\.",
    "{wind:w}: top {top:w}, north {north:w}",
    r"After going {wind:w} the top is the {top:w} and the north side the {north:w}\.",
)


def _rolled(side: Vector, wind: str) -> Vector:
    x, y, z = side
    return {
        "north": (x, z, -y),
        "south": (x, -z, y),
        "east": (z, y, -x),
        "west": (-z, y, x),
    }[wind]


def check_rolled_cube(exercise: Exercise, answer: str) -> str | None:
    """Check which picture comes to a side.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    glued = re.findall(
        r"\ban? (\w+) on the (top|bottom|(?:north|south|east|west) side)",
        question_of(exercise.text),
    )
    at = {picture: _SIDES[side] for picture, side in glued}
    if len(glued) != 6 or len(set(at.values())) != 6:
        return "the cube does not show six pictures on six sides"
    found = sorted_out(exercise, _CUBE)
    expected: list[Values] = []
    for v in found["roll"]:
        at = {picture: _rolled(side, v["wind"]) for picture, side in at.items()}
        seen = {side: picture for picture, side in at.items()}
        expected.append({"wind": v["wind"], "top": seen[0, 0, 1], "north": seen[0, 1, 0]})
    side = only(found["asked"], "the side")["side"]
    right = next(picture for picture, place in at.items() if place == _SIDES[side])
    if right != answer:
        return f"the {side} shows {right}, not {answer}"
    return first_fault(
        certificate_fault(exercise, rolls=[v["wind"] for v in found["roll"]], side=side),
        steps_fault(exercise, _CUBE_STEPS, expected),
    )


_TURN_WORDS = {
    "clockwise": (r".*a quarter clockwise", r".*rotated clockwise.*", r".*a right turn"),
    "anticlockwise": (r".*quarter anticlockwise", r".*rotated anticlockwise.*", r".*a left turn"),
    "half": (r".*half a circle", r".*by a half turn"),
    "sides": (r".*left to right", r".*left and right change places", r".*reversed row by row"),
    "ends": (r".*top to bottom", r".*top and bottom change places", r".*column by column"),
    "diagonal": (r".*the diagonal from the top left", r".*transposed", r".*rows as columns"),
}
_GRID = {
    "asked": (
        "How does row {row:d} read now",
        "What stands in row {row:d} in the end",
        "Read row {row:d} after all that",
        "Which letters are in row {row:d}, left to right",
    ),
    **{
        kind: tuple(rf"(?:It is |Then it is |\w+ has it |Next, it gets ){p}" for p in patterns)
        for kind, patterns in _TURN_WORDS.items()
    },
}


def check_turned_grid(exercise: Exercise, answer: str) -> str | None:
    """Check how a row of a turned square reads.

    Args:
        exercise: of that family.
        answer: what its text answers.

    Returns:
        The fault, or None.
    """
    rows = [line for line in question_of(exercise.text).split("\n") if re.fullmatch("[A-Z]+", line)]
    last = len(rows) - 1
    if not rows or any(len(row) != len(rows) for row in rows):
        return "the letters are not a square"
    at = {(r, c): rows[r][c] for r in range(len(rows)) for c in range(len(rows))}
    expected: list[Values] = []
    asked: list[Values] = []
    for kind, values in told(exercise, _GRID):
        if kind == "asked":
            asked.append(values)
            continue
        at = {_moved(place, kind, last): letter for place, letter in at.items()}
        expected.append({f"r{r}": _row(at, r, last) for r in range(last + 1)})
    row = int(only(asked, "the row")["row"])
    if _row(at, row - 1, last) != answer:
        return f"row {row} reads {_row(at, row - 1, last)}, not {answer}"
    slots = [f"{{r{r}:w}}" for r in range(last + 1)]
    return first_fault(
        certificate_fault(exercise, rows=rows, row=row),
        steps_fault(exercise, [mark.join(slots) for mark in (" / ", r"\|", ", ")], expected),
    )


def _moved(place: tuple[int, int], kind: str, last: int) -> tuple[int, int]:
    r, c = place
    return {
        "clockwise": (c, last - r),
        "anticlockwise": (last - c, r),
        "half": (last - r, last - c),
        "sides": (r, last - c),
        "ends": (last - r, c),
        "diagonal": (c, r),
    }[kind]


def _row(at: dict[tuple[int, int], str], row: int, last: int) -> str:
    return "".join(at[row, c] for c in range(last + 1))


CHECKS: dict[str, Check] = {
    "walk": check_walk,
    "rolled_cube": check_rolled_cube,
    "turned_grid": check_turned_grid,
}
"""Solvers by family."""
