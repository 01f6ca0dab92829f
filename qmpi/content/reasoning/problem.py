"""What a family of problems makes: a text, and the certificate that it can be checked by."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from qmpi.content.counter import Draw
from qmpi.content.exercise import ENDINGS, Certificate


class Problem(Struct, frozen=True):
    """A problem before its level is known to the reader.

    Attributes:
        text: as shown.
        answer: what the last line ends in.
        world: parameters of the hidden world.
    """

    text: str
    answer: str
    world: Certificate


Family = Callable[[Draw, int], Problem]
"""Draws and a level from 1 to 100 to a problem."""

_OPENINGS = ("", "", "", "Question: ", "Problem: ", "Q: ", "Exercise. ", "Task: ")


def lay_out(
    draw: Draw, question: str, steps: Sequence[str], answer: str, world: Certificate
) -> Problem:
    """Write a problem down.

    Args:
        draw: chance.
        question: one or more lines, none of them empty.
        steps: worked steps, a line each.
        answer: one line.
        world: what checkers need.

    Returns:
        The problem.
    """
    # One text in eight shows no work, so that answers alone are learned as well.
    shown = "" if draw.below(8) == 0 else "".join(f"{step}\n" for step in steps)
    opening, ending = draw.choice(_OPENINGS), draw.choice(ENDINGS)
    return Problem(f"{opening}{question}\n\n{shown}{ending}{answer}\n", answer, world)


def grown(draw: Draw, level: int, least: int, most: int) -> int:
    """Return a size that grows with the level, with some spread.

    Args:
        draw: chance.
        level: 1 to 100.
        least: size at level 1.
        most: largest size at level 100.

    Returns:
        A size from `least` to `most`.
    """
    top = least + ((most - least) * level + 99) // 100
    return draw.between(least + (top - least) // 2, top)
