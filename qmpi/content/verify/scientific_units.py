"""How a study prints quantities: digits and unit of its data.

Theory of operation. Whatever is derived from data keeps their unit and one digit more.
"""

from fractions import Fraction

from qmpi.content.verify.fact_checks import World
from qmpi.content.verify.scientific_oracles import decimal_text


def quantity(world: World, value: Fraction | int, more: int = 1) -> str:
    """Return a value of the data with its unit.

    Args:
        world: of a study.
        value: in the data's smallest unit.
        more: digits beyond those of the data.

    Returns:
        As "3.42 mm".
    """
    scale = world["scale"]
    return f"{decimal_text(Fraction(value, 10**scale), scale + more)} {world['unit']}"


def alpha_of(world: World) -> Fraction:
    """Return the level of significance.

    Args:
        world: of a study.

    Returns:
        A share.
    """
    return Fraction(*world["alpha"])


def as_said(shown: str, words: str) -> str:
    """Return words with a capital where a sentence begins with them.

    Args:
        shown: the characters in the text.
        words: as they should be.

    Returns:
        The words.
    """
    return words[0].upper() + words[1:] if shown[:1].isupper() else words
