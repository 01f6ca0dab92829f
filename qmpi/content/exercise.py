"""A problem as its checker sees it: a text in a fixed layout, and the certificate beside it.

Layout of every text: the question, an empty line, the worked steps (none in the short style), and
one last line that ends in the answer. Checkers rely on this layout and on nothing else in the
phrasing. Writers and checkers share this module alone.
"""

from msgspec import Struct

Certificate = dict[str, int | str | tuple[int, ...] | tuple[str, ...]]
"""Parameters of the hidden world, by name."""


class Exercise(Struct, frozen=True):
    """A problem cut out of a document.

    Attributes:
        text: question, steps, answer.
        family: name of the family.
        certificate: parameters of the world; "answer" holds the answer.
    """

    text: str
    family: str
    certificate: Certificate


ENDINGS = (
    "Answer: ",
    "The answer is ",
    "So the answer is ",
    "Result: ",
    "A: ",
    "Hence ",
    "Therefore: ",
    "=> ",
)
"""What the last line may begin with."""


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
    for words in ENDINGS:
        if last.startswith(words):
            return last[len(words) :]
    return None
