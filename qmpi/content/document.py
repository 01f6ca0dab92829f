"""A finished document: its text, the parameters of its world, and what the text says of it.

Writers and checkers share this module; it has no code of either.
"""

from msgspec import Struct
from msgspec.structs import replace

from qmpi.content.level import Budget

Plain = int | float | str | bool | None | list["Plain"] | tuple["Plain", ...] | dict[str, "Plain"]
"""What a world is made of: what JSON can hold."""


class Fact(Struct, frozen=True, array_like=True):
    """Something that the text says and the world must bear out.

    Attributes:
        kind: what is said, a word that the type's checker knows.
        start: first character in the text.
        end: one past the last character.
        args: what it is said of: names or numbers of things in the world.
    """

    kind: str
    start: int
    end: int
    args: tuple[Plain, ...] = ()


class SetProblem(Struct, frozen=True):
    """A problem as it stands in a document.

    Attributes:
        family: name of its family.
        start: first character of the problem in the text.
        end: one past its last character.
        answer: what its last line ends in.
        world: parameters of its world.
    """

    family: str
    start: int
    end: int
    answer: str
    world: dict[str, Plain]


class Document(Struct, frozen=True):
    """A finished document and its certificate.

    Attributes:
        type: content type.
        level: 1 to 100.
        language: code of its main language.
        genre: form of the text, as "man page".
        budget: how the level was spent.
        text: what is trained on.
        world: parameters of the hidden world.
        facts: what the text says, in order of place.
        problems: problems in the text with their answers.
        breaks: places of line breaks that stand for spaces, rising: folded lines.
    """

    type: str
    level: int
    language: str
    genre: str
    budget: Budget
    text: str
    world: dict[str, Plain]
    facts: tuple[Fact, ...]
    problems: tuple[SetProblem, ...]
    breaks: tuple[int, ...] = ()


def unfolded(document: Document) -> Document:
    """Return a document with spaces where its lines are folded.

    Args:
        document: any; its breaks lie within its text.

    Returns:
        The same in long lines; facts keep their places.
    """
    if not document.breaks:
        return document
    text = list(document.text)
    for place in document.breaks:
        text[place] = " "
    return replace(document, text="".join(text), breaks=())
