"""Solvers of all families of problems that are calculated rather than argued."""

from collections.abc import Callable

from qmpi.content.exercise import Exercise
from qmpi.content.verify import (
    calculus_checks,
    chance_checks,
    number_checks,
    polynomial_checks,
    space_checks,
    trade_checks,
)

CHECKS: dict[str, Callable[[Exercise, str], str | None]] = (
    number_checks.CHECKS
    | polynomial_checks.CHECKS
    | calculus_checks.CHECKS
    | chance_checks.CHECKS
    | trade_checks.CHECKS
    | space_checks.CHECKS
)
"""Solvers by family."""
