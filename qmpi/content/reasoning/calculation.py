"""All families of problems that are calculated rather than argued."""

from qmpi.content.reasoning import number_families, polynomial_families
from qmpi.content.reasoning.problem import Family

FAMILIES: dict[str, Family] = number_families.FAMILIES | polynomial_families.FAMILIES
"""Families by name."""
