"""Problems by address: which family and level a document has, and its text, follow from its address alone."""

from collections.abc import Callable
from hashlib import sha256

from qmpi.content import arithmetic, logic
from qmpi.content.counter import Draw
from qmpi.content.document import Document
from qmpi.units import Digest

GENERATOR_VERSION = "problems-1"
"""Raised whenever any address gives other text; a test holds golden digests against it."""

Family = Callable[[Draw, int], Document]

FAMILIES: dict[str, Family] = {
    "expression": arithmetic.expression,
    "fractions": arithmetic.fractions,
    "remainders": arithmetic.remainders,
    "shopping": arithmetic.shopping,
    "meeting": arithmetic.meeting,
    "ordering": logic.ordering,
    "formula": logic.formula,
    "kinds": logic.kinds,
    "knights": logic.knights,
}


def generator_digest(min_level: int, max_level: int) -> Digest:
    """Return the identity of what a source of problems generates.

    Args:
        min_level: easiest level.
        max_level: hardest level.

    Returns:
        SHA-256 in hexadecimal.
    """
    text = f"{GENERATOR_VERSION}:{','.join(FAMILIES)}:{min_level}:{max_level}"
    return Digest(sha256(text.encode()).hexdigest())


def document(seed: int, source: str, row: int, number: int, levels: tuple[int, int]) -> Document:
    """Return a document.

    Args:
        seed: of the job.
        source: name of the source.
        row: row of the source, up to 2**60.
        number: number of the document in the row.
        levels: easiest and hardest level.

    Returns:
        The document of that address.
    """
    draw = Draw(GENERATOR_VERSION, seed, source, row, number)
    family = draw.choice(tuple(FAMILIES))
    return FAMILIES[family](draw, draw.between(*levels))
