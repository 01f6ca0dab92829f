"""Constants of the rule that are tried: the job's, static data, and draws from fixed ranges.

Theory of operation. Draws are a function of the job's seed. All but the placebo's share are even in
their logarithm, since what counts is how many times as much. The two means are drawn for a sequence
of a proxy, whose steps have fewer sequences than the job's: what moves a mean as far in a step of
the job is what its file says (see `in_another_batch`).
"""

from hashlib import blake2b
from math import exp, expm1, log, log1p

from msgspec.structs import asdict, replace

from qmpi.config.curriculum import CurriculumSettings
from qmpi.protocol.tuning import Candidate, Constants

JOB, STATIC = "job", "static"
"""Candidates that are always tried."""

FAST_RANGE = (0.02, 0.5)
"""What one sequence of a proxy moves the fast means by."""

SLOW_RANGE = (2.0, 20.0)
"""How many times as slow the slow means are."""

LEAST_PROGRESS_RANGE = (1e-4, 1e-2)
PLACEBO_RANGE = (0.1, 0.5)
MOST_RANGE = (2.0, 8.0)

SHORTEST_WINDOW = 4
"""A window is drawn between this part of the job's and all of it: longer ones would make proxies
longer."""

DIGITS = 3
"""Significant ones of a draw: people read them."""


def constants_of(rules: CurriculumSettings) -> Constants:
    """Return the constants of a job, as if it were adaptive.

    Args:
        rules: section [curriculum].
    """
    return Constants(
        kind="adaptive",
        every_steps=rules.every_steps,
        placebo_share=rules.placebo_share,
        most=rules.most,
        fast=rules.fast,
        slow=rules.slow,
        least_progress=rules.least_progress,
    )


def with_constants(rules: CurriculumSettings, constants: Constants) -> CurriculumSettings:
    """Return a section with other constants.

    Args:
        rules: section [curriculum].
        constants: what it shall have.
    """
    return replace(rules, **asdict(constants))


def candidates_of(
    rules: CurriculumSettings, seed: int, many: int, least_window: int, sequences: float
) -> tuple[Candidate, ...]:
    """Return what is tried.

    Args:
        rules: section [curriculum] of the job.
        seed: of the job.
        many: candidates, >= 2.
        least_window: steps of the shortest window that the job may have.
        sequences: of a step of the job, in those of a proxy; >= 1.

    Returns:
        The job's constants, static data, then draws.
    """
    own = constants_of(rules)
    drawn = (
        Candidate(f"draw-{number}", _drawn(own, f"{seed} {number}", least_window, sequences))
        for number in range(1, many - 1)
    )
    return (Candidate(JOB, own), Candidate(STATIC, replace(own, kind="static")), *drawn)


def in_another_batch(one: float, sequences: float) -> float:
    """Return what a sequence of other steps moves a mean by that moves as far in a whole step.

    Args:
        one: what a sequence moves it by, above 0 to 1.
        sequences: of a step now, in those of the other steps; > 0.

    Returns:
        1 - (1 - one) ** sequences, above 0 to 1, in six digits.
    """
    if one >= 1.0 or sequences == 1.0:
        return one
    # Rounded: the last bits of a logarithm are not the same on all machines.
    return min(1.0, float(f"{-expm1(sequences * log1p(-one)):.6g}"))


def _drawn(own: Constants, key: str, least_window: int, sequences: float) -> Constants:
    fast = _even(key, "fast", FAST_RANGE)
    slow = fast / _even(key, "slow", SLOW_RANGE)
    shortest = min(own.every_steps, max(least_window, own.every_steps // SHORTEST_WINDOW))
    low, high = PLACEBO_RANGE
    return Constants(
        kind="adaptive",
        every_steps=round(_even(key, "every_steps", (shortest, own.every_steps))),
        placebo_share=_rounded(low + _share(key, "placebo_share") * (high - low)),
        most=_rounded(_even(key, "most", MOST_RANGE)),
        fast=_rounded(in_another_batch(fast, 1.0 / sequences)),
        slow=_rounded(in_another_batch(slow, 1.0 / sequences)),
        least_progress=_rounded(_even(key, "least_progress", LEAST_PROGRESS_RANGE)),
    )


def _even(key: str, name: str, span: tuple[float, float]) -> float:
    """Return a number that is even in its logarithm."""
    low, high = map(log, span)
    return exp(low + _share(key, name) * (high - low))


def _share(key: str, name: str) -> float:
    """Return a number from 0 below 1."""
    drawn = blake2b(f"tuning {key} {name}".encode(), digest_size=6).digest()
    return int.from_bytes(drawn, "little") / 2.0**48


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
