"""What a family of problems makes: a text, and beside it the certificate that it can be checked by.

Layout of every text: the question, an empty line, the worked steps (none in the short style), and
one last line that ends in the answer. Checkers rely on this layout and on nothing else in the
phrasing.
"""

from collections.abc import Sequence

from msgspec import Struct

from qmpi.content.counter import Draw

Certificate = dict[str, int | str | tuple[int, ...] | tuple[str, ...]]
"""Parameters of the hidden world, by name."""


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


class Document(Struct, frozen=True):
    """One document of a source.

    Attributes:
        text: what is trained on.
        family: name of the family.
        level: difficulty, 1 to 100.
        certificate: parameters of the world; "answer" holds the answer.
    """

    text: str
    family: str
    level: int
    certificate: Certificate


_OPENINGS = ("", "", "", "Question: ", "Problem: ", "Q: ", "Exercise. ", "Task: ")
_ENDINGS = (
    "Answer: ",
    "The answer is ",
    "So the answer is ",
    "Result: ",
    "A: ",
    "Hence ",
    "Therefore: ",
    "=> ",
)


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
    opening, ending = draw.choice(_OPENINGS), draw.choice(_ENDINGS)
    return Problem(f"{opening}{question}\n\n{shown}{ending}{answer}\n", answer, world)


def question_of(text: str) -> str:
    """Return the question of a text.

    Args:
        text: of a document.

    Returns:
        All before the empty line, with its opening.
    """
    return text.partition("\n\n")[0]


def steps_of(text: str) -> list[str]:
    """Return the worked steps of a text.

    Args:
        text: of a document.

    Returns:
        The lines between the empty line and the last one.
    """
    return text.partition("\n\n")[2].removesuffix("\n").split("\n")[:-1]


def answer_of(text: str) -> str | None:
    """Return the answer that a text shows.

    Args:
        text: of a document.

    Returns:
        What follows the opening words of the last line; None if these are unknown.
    """
    last = text.removesuffix("\n").rpartition("\n")[2]
    for words in _ENDINGS:
        if last.startswith(words):
            return last[len(words) :]
    return None


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
