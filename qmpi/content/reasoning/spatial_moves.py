"""Things that move in space: a walk, a rolling cube, a grid of letters that is turned."""

from qmpi.content.counter import Draw
from qmpi.content.exercise import Certificate
from qmpi.content.reasoning.problem import Family, Problem, grown, lay_out
from qmpi.content.reasoning.scene_words import (
    JOBS,
    NOUNS,
    QUALITIES,
    joined,
    numbered,
    one,
    people,
    places,
    woven,
)

_WINDS = ("north", "east", "south", "west")
_STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))
_SET_OUT = (
    "{0} stands in the square of {1} and faces {2}.",
    "In {1}, {0} looks {2}.",
    "{0}, {3} of {1}, sets out facing {2}.",
    "At the well of {1} {0} turns to the {2}.",
    "{0} leaves the gate of {1}, face to the {2}.",
)
_AHEAD = (
    "{0} walks {1} {2} ahead.",
    "Then come {1} {2} straight on.",
    "{1} {2} straight ahead follow.",
    "{0} goes on for {1} {2}.",
    "Next {0} takes {1} {2} forward.",
)
_TURN = (
    "{0} turns {1}.",
    "Now {0} makes a turn to the {1}.",
    "A quarter turn {1} follows.",
    "{0} swings {1} by a right angle.",
)
_ABOUT = ("{0} turns around.", "Now {0} faces about.", "{0} makes a half turn.")
_BACK = ("{0} steps {1} {2} backwards.", "Without turning {0} retreats {1} {2}.")
_WHERE = (
    "Where is {0} now, seen from the start?",
    "How does {0} now lie from the starting point?",
    "Give the place of {0}, as seen from where the walk began.",
)
_FACING = (
    "Which way does {0} face in the end?",
    "In which direction is {0} looking now?",
    "Towards which point of the compass does {0} face at last?",
)


def walk(draw: Draw, level: int) -> Problem:
    """A walk with turns; where does it end, or which way does the walker face?

    Args:
        draw: chance.
        level: 1 to 100; more legs, longer ones, steps backwards.

    Returns:
        The problem.
    """
    who, town = people(draw, 1)[0], places(draw, 1)[0]
    unit = draw.choice(("metres", "paces", "yards", "steps"))
    facing, x, y = draw.below(4), 0, 0
    head = draw.choice(_SET_OUT).format(who, town, _WINDS[facing], one(draw.choice(JOBS)))
    told: list[str] = []
    steps: list[str] = []
    style = draw.choice(
        ("At ({0}, {1}), facing {2}.", "{2}: ({0}, {1})", "x = {0}, y = {1}, {2}", "({0}, {1}) {2}")
    )
    for number in range(grown(draw, level, 2, 12)):
        if number or draw.below(2):
            turn = draw.below(5)
            facing = (facing + (1, 1, 3, 3, 2)[turn]) % 4
            if turn == 4:
                told.append(draw.choice(_ABOUT).format(who))
            else:
                told.append(draw.choice(_TURN).format(who, "right" if turn < 2 else "left"))
        far = draw.between(2, 12 + level)
        back = level > 10 and draw.below(6) == 0
        told.append(draw.choice(_BACK if back else _AHEAD).format(who, far, unit))
        across, up = _STEPS[facing]
        x, y = x + across * (-far if back else far), y + up * (-far if back else far)
        steps.append(style.format(x, y, _WINDS[facing]))
    told = [head, *woven(draw, level, told)]
    if draw.below(4):
        told.append(draw.choice(_WHERE).format(who))
        answer = _offset(x, y, unit)
    else:
        told.append(draw.choice(_FACING).format(who))
        answer = _WINDS[facing]
    world: Certificate = {"who": who, "legs": len(steps), "answer": answer}
    return lay_out(draw, " ".join(told), steps, answer, world)


def _offset(x: int, y: int, unit: str) -> str:
    parts: list[str] = []
    if y:
        parts.append(f"{_counted(abs(y), unit)} {'north' if y > 0 else 'south'}")
    if x:
        parts.append(f"{_counted(abs(x), unit)} {'east' if x > 0 else 'west'}")
    return joined(parts) if parts else "at the start"


def _counted(number: int, unit: str) -> str:
    return f"1 {unit[:-1]}" if number == 1 else f"{number} {unit}"


_SIDES = ("top", "bottom", "north side", "south side", "east side", "west side")
# The side whose sticker comes to each of the sides above, for a roll to the north, east, ...
_ROLLS = ((3, 2, 0, 1, 4, 5), (5, 4, 2, 3, 0, 1), (2, 3, 1, 0, 4, 5), (4, 5, 2, 3, 1, 0))
_CUBE_HEAD = (
    "{0} of {1} has glued a picture on each side of a box: {2}.",
    "A cube in {1}, made by {0}, shows six pictures: {2}.",
    "On the pavement of {1} {0} sets down a crate with six stickers: {2}.",
    "{0}, {3}, paints the six faces of a cube in {1}: {2}.",
)
_ROLL = (
    "It is rolled {0}.",
    "{1} tips it over its edge to the {0}.",
    "It falls over to the {0}.",
    "A push rolls it {0} by one side.",
    "{1} rolls it one side further {0}.",
)
_CUBE_ASK = (
    "Which picture is on the {0} now?",
    "What does the {0} show in the end?",
    "Name the picture that the {0} bears at last.",
    "After all that, what is on the {0}?",
)


def rolled_cube(draw: Draw, level: int) -> Problem:
    """A cube with six pictures is rolled over its edges; what is where in the end?

    Args:
        draw: chance.
        level: 1 to 100; more rolls.

    Returns:
        The problem.
    """
    shown = draw.sample(NOUNS, 6)
    who, town = people(draw, 1)[0], places(draw, 1)[0]
    order = draw.sample(range(6), 6)
    faces = joined([f"{one(shown[n])} on the {_SIDES[n]}" for n in order])
    head = draw.choice(_CUBE_HEAD).format(who, town, faces, one(draw.choice(JOBS)))
    rolls = [draw.below(4) for _ in range(grown(draw, level, 2, 14))]
    told = [draw.choice(_ROLL).format(_WINDS[roll], who) for roll in rolls]
    style = draw.choice(
        (
            "Rolled {0}: {1} on top, {2} to the north.",
            "{0}: top {1}, north {2}",
            "After going {0} the top is the {1} and the north side the {2}.",
        )
    )
    steps: list[str] = []
    pictures = shown
    for roll in rolls:
        pictures = [pictures[side] for side in _ROLLS[roll]]
        steps.append(style.format(_WINDS[roll], pictures[0], pictures[2]))
    side = draw.below(6)
    told = [head, *woven(draw, level, told), draw.choice(_CUBE_ASK).format(_SIDES[side])]
    answer = pictures[side]
    world: Certificate = {
        "rolls": tuple(_WINDS[roll] for roll in rolls),
        "side": _SIDES[side],
        "answer": answer,
    }
    return lay_out(draw, " ".join(told), numbered(draw, steps), answer, world)


_TURNS = (
    ("turned a quarter clockwise", "rotated clockwise by ninety degrees", "given a right turn"),
    ("turned a quarter anticlockwise", "rotated anticlockwise by ninety degrees",
     "given a left turn"),
    ("turned by half a circle", "rotated by a half turn", "put on its head by a half turn"),
    ("mirrored left to right", "flipped so that left and right change places",
     "reversed row by row"),
    ("mirrored top to bottom", "flipped so that top and bottom change places",
     "reversed column by column"),
    ("reflected in the diagonal from the top left", "transposed",
     "written anew with rows as columns"),
)  # fmt: skip
_GRID_HEAD = (
    "{0} writes letters on {1} tile in {2}.",
    "{1} mosaic of {2}, laid by {0}, reads so.",
    "In {2} {0} finds {1} tablet with letters.",
    "The code of {0} from {2} stands on {1} card.",
)
_GRID_TURN = (
    "It is {0}.",
    "Then it is {0}.",
    "{1} has it {0}.",
    "Next, it gets {0}.",
)
_GRID_ASK = (
    "How does row {0} read now?",
    "What stands in row {0} in the end?",
    "Read row {0} after all that.",
    "Which letters are in row {0}, left to right?",
)


def turned_grid(draw: Draw, level: int) -> Problem:
    """A square of letters is turned and mirrored; how does a row read?

    Args:
        draw: chance.
        level: 1 to 100; larger squares, more turns.

    Returns:
        The problem.
    """
    size = grown(draw, level, 3, 6)
    rows = [
        "".join(draw.choice("ABCDEFGHIJKLMNOPRSTUVWXYZ") for _ in range(size)) for _ in " " * size
    ]
    who, town = people(draw, 1)[0], places(draw, 1)[0]
    tile = one(draw.choice(QUALITIES))
    head = draw.choice(_GRID_HEAD).format(who, tile, town)
    head = head[0].upper() + head[1:]
    turns = [draw.below(6) for _ in range(grown(draw, level, 1, 8))]
    told = [draw.choice(_GRID_TURN).format(draw.choice(_TURNS[turn]), who) for turn in turns]
    row = draw.between(1, size)
    told = [*woven(draw, level, told), draw.choice(_GRID_ASK).format(row)]
    steps: list[str] = []
    grid = rows
    between = draw.choice((" / ", "|", ", "))
    for turn in turns:
        grid = _turned(grid, turn)
        steps.append(between.join(grid))
    world: Certificate = {"rows": tuple(rows), "row": row, "answer": grid[row - 1]}
    question = "\n".join([head, *rows, " ".join(told)])
    return lay_out(draw, question, numbered(draw, steps), grid[row - 1], world)


def _turned(grid: list[str], turn: int) -> list[str]:
    columns = ["".join(column) for column in zip(*grid, strict=True)]
    match turn:
        case 0:
            return [column[::-1] for column in columns]
        case 1:
            return columns[::-1]
        case 2:
            return [row[::-1] for row in reversed(grid)]
        case 3:
            return [row[::-1] for row in grid]
        case 4:
            return grid[::-1]
        case _:
            return columns


FAMILIES: dict[str, Family] = {
    "walk": walk,
    "rolled_cube": rolled_cube,
    "turned_grid": turned_grid,
}
"""Families of this module by name."""
