"""All families of problems that are calculated rather than argued."""

from qmpi.content.reasoning import (
    calculus_families,
    chance_families,
    number_families,
    polynomial_families,
    sequence_families,
    space_families,
    trade_families,
)
from qmpi.content.reasoning.problem import Family

FAMILIES: dict[str, Family] = (
    number_families.FAMILIES
    | polynomial_families.FAMILIES
    | calculus_families.FAMILIES
    | chance_families.FAMILIES
    | sequence_families.FAMILIES
    | trade_families.FAMILIES
    | space_families.FAMILIES
)
"""Families by name."""
