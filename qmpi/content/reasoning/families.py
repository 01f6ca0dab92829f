"""All families of problems by name.

Families: see the modules listed in the imports. Each has a solver in `qmpi.content.verify` that
shares no code with the family.
"""

from qmpi.content.reasoning import (
    arithmetic,
    calculation,
    logic,
    puzzles,
    situations,
    word_problems,
)
from qmpi.content.reasoning.problem import Family

FAMILIES: dict[str, Family] = (
    {
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
    | situations.FAMILIES
    | calculation.FAMILIES
)
"""Families by name; their order is part of the generator's version."""
