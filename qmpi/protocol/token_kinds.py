"""What ids of a vocabulary mean to whoever computes with them."""

from typing import NamedTuple


class AnswerLines(NamedTuple):
    """How lines with answers look in a vocabulary.

    Attributes:
        openings: ids of each opening.
        breaks: ids whose text has a line break.
    """

    openings: tuple[tuple[int, ...], ...] = ()
    breaks: tuple[int, ...] = ()


NO_ANSWERS = AnswerLines()


class TokenKinds(NamedTuple):
    """Ids that are more than text.

    Attributes:
        divider: of the token that ends a document; None: documents see one another.
        answers: how lines with answers look; none: nobody asks for their loss.
    """

    divider: int | None = None
    answers: AnswerLines = NO_ANSWERS


NO_KINDS = TokenKinds()
