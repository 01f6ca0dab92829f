"""The endless source of problems: a document is a pure function of its address.

Families: whole-number expressions, fractions, remainders of powers, linear equations, journeys,
ages, money, truth tables, circuits, orderings, syllogisms, knights and knaves. Each has a solver in
`qmpi.content.verify` that shares no code with the family.
"""

import hashlib
from collections.abc import Callable

from qmpi.content import arithmetic, logic, puzzles, word_problems
from qmpi.content.counter import GENERATOR_VERSION, Draw, draw_for
from qmpi.content.document import Document, Problem
from qmpi.units import Digest

FAMILIES: dict[str, Callable[[Draw, int], Problem]] = {
    "expression": arithmetic.expression,
    "fractions": arithmetic.fractions,
    "modular": arithmetic.modular,
    "equation": arithmetic.equation,
    "journey": word_problems.journey,
    "ages": word_problems.ages,
    "money": word_problems.money,
    "truth_table": logic.truth_table,
    "circuit": logic.circuit,
    "ordering": puzzles.ordering,
    "syllogism": puzzles.syllogism,
    "knights": puzzles.knights,
}
"""Families by name; their order is part of the generator's version."""

_NAMES = tuple(FAMILIES)


def document(
    seed: int, source: str, row: int, number: int, min_level: int, max_level: int
) -> Document:
    """Return the document at an address.

    Args:
        seed: of the job, 0 to 2**62.
        source: name of the source in the job file.
        row: row of the source, 0 to 2**60.
        number: place of the document in the row.
        min_level: easiest level drawn, 1 to 100.
        max_level: hardest level drawn, `min_level` to 100.

    Returns:
        Always the same for the same arguments and `GENERATOR_VERSION`.
    """
    draw = draw_for(seed, source, row, number)
    name = draw.choice(_NAMES)
    return written(draw, name, draw.between(min_level, max_level))


def written(draw: Draw, family: str, level: int) -> Document:
    """Write one document of a family.

    Args:
        draw: chance.
        family: key of `FAMILIES`.
        level: 1 to 100.

    Returns:
        The document.
    """
    problem = FAMILIES[family](draw, level)
    return Document(problem.text, family, level, problem.world)


def generator_digest(min_level: int, max_level: int) -> Digest:
    """Return the identity of a source's content, for `SourceFact`.

    Args:
        min_level: easiest level drawn.
        max_level: hardest level drawn.

    Returns:
        SHA-256 over the generator's version and the levels.
    """
    identity = f"{GENERATOR_VERSION} levels {min_level} to {max_level}"
    return Digest(hashlib.sha256(identity.encode()).hexdigest())
