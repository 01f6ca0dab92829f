"""Does a run know one type of text better than balanced runs do?

Theory of operation. Runs of one job that differ in their seed alone make a reference: by type, mean
and deviation of the loss on a grid of tokens seen. Another run is held against it once, by its last
quarter of the tokens: so nobody looks again and again until something stands out.

A run may be better as a whole, which is no specialisation. So what is judged is the loss of a type
less the mean over all types, of the run and of each run of the reference alike. If runs scatter
normally, the distance from the mean of n runs, by their deviation times sqrt(1 + 1/n), is drawn
from Student's t with n - 1 degrees of freedom. Several types are judged together: Holm's procedure
keeps the chance that a balanced run is said to be anything else below `ALARM`, however the types
hang together.

Sources: Holm 1979; prediction intervals as in any textbook.
"""

from collections.abc import Mapping, Sequence
from math import fsum, inf, sqrt
from statistics import fmean
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from qmpi.errors import InputError
from qmpi.policy.curriculum.by_type import Weights, type_answer_losses, type_losses
from qmpi.policy.curriculum.student import quantile, two_sided
from qmpi.policy.source_losses import summed
from qmpi.protocol.progress import SourceLoss
from qmpi.protocol.specialisation import Spread, TypeExcess, TypeReference

LEAST_RUNS = 5
"""Of a reference: with fewer, a deviation says little, and bounds are wide."""

POINTS = 32
"""Cells of the grid."""

ALARM = 0.02
"""Chance that a balanced run is not called balanced. All runs that are held against one reference
share its error, so a twentieth would often show two of twenty."""

Losses = Mapping[str, float]
"""Nats a token by type."""


class Course(Struct, frozen=True):
    """What a run loses by type.

    Attributes:
        losses: of each cell of the grid.
        answers: of the answers, likewise.
        end: of the last quarter.
        end_answers: of the answers in it.
    """

    losses: tuple[Losses, ...]
    answers: tuple[Losses, ...]
    end: Losses
    end_answers: Losses


def grid(tokens: int, steps: int) -> tuple[int, ...]:
    """Return the ends of the cells that runs are compared by.

    Args:
        tokens: of a whole run.
        steps: of a whole run, >= 1.

    Returns:
        Tokens, ascending; the last are all.
    """
    cells = min(POINTS, steps)
    return tuple(tokens * number // cells for number in range(1, cells + 1))


def course(cells: Sequence[Sequence[SourceLoss]], weights: Weights) -> Course:
    """Return what a run loses by type.

    Args:
        cells: losses by source of each cell of the grid.
        weights: of the sources within their types.
    """
    quarter = summed(cells[-max(1, len(cells) // 4) :])
    return Course(
        losses=tuple(type_losses(cell, weights) for cell in cells),
        answers=tuple(type_answer_losses(cell, weights) for cell in cells),
        end=type_losses(quarter, weights),
        end_answers=type_answer_losses(quarter, weights),
    )


def made_of(courses: Sequence[Course], types: Sequence[str]) -> dict[str, TypeReference]:
    """Make a reference.

    Args:
        courses: of its runs.
        types: of text.

    Returns:
        By type.

    Raises:
        InputError: there are too few runs or types, or a run does not tell of one.
    """
    if len(courses) < LEAST_RUNS:
        raise InputError(f"a reference is made of {LEAST_RUNS} runs or more, not of {len(courses)}")
    if len(types) < 2:
        raise InputError("a job with one type of text has nothing that it could be held against")
    missing = [name for name in types if any(name not in told.end for told in courses)]
    if missing:
        raise InputError(
            f"a run has no token of each source of {', '.join(missing)} in its last quarter: it is "
            "too short"
        )
    own = [_centred(told.end, types) for told in courses]
    return {
        name: TypeReference(
            loss=_each([told.losses for told in courses], name),
            answers=_each([told.answers for told in courses], name),
            end=_spread([told.end[name] for told in courses]),
            relative=_spread([told[name] for told in own]),
            end_answers=_shared([told.end_answers for told in courses], name),
        )
        for name in types
    }


def _centred(losses: Losses, types: Sequence[str]) -> dict[str, float]:
    middle = fmean(losses[name] for name in types)
    return {name: losses[name] - middle for name in types}


def _each(runs: Sequence[Sequence[Losses]], name: str) -> tuple[Spread | None, ...]:
    return tuple(_shared(cell, name) for cell in zip(*runs, strict=True))


def _shared(losses: Sequence[Losses], name: str) -> Spread | None:
    told = [each[name] for each in losses if name in each]
    return _spread(told) if len(told) == len(losses) else None


def _spread(values: Sequence[float]) -> Spread:
    mean = fmean(values)
    return Spread(mean, sqrt(fsum((value - mean) ** 2 for value in values) / (len(values) - 1)))


def glance(types: Mapping[str, TypeReference], told: Course, runs: int) -> tuple[TypeExcess, ...]:
    """Return how a run stands that is not at its end; no verdict.

    Args:
        types: of the reference.
        told: of the run, as far as it is.
        runs: of the reference.

    Returns:
        By the newest cell that tells of all types, the best type first; nothing if none does.
    """
    for place in reversed(range(len(told.losses))):
        losses = told.losses[place]
        spreads = {name: known.loss[place] for name, known in types.items()}
        there = {name: known for name, known in spreads.items() if known is not None}
        if len(there) == len(types) and all(name in losses for name in types):
            answers = {name: known.answers[place] for name, known in types.items()}
            return _excesses(there, losses, answers, told.answers[place], runs)
    return ()


def judged(types: Mapping[str, TypeReference], told: Course, runs: int) -> tuple[TypeExcess, ...]:
    """Judge a run by its last quarter.

    Args:
        types: of the reference.
        told: of the whole run.
        runs: of the reference, >= 2.

    Returns:
        The best type first.

    Raises:
        InputError: the run does not tell of a type.
    """
    missing = [name for name in types if name not in told.end]
    if missing:
        raise InputError(f"nothing was measured of {', '.join(missing)} in its last quarter")
    spreads = {name: known.end for name, known in types.items()}
    answers = {name: known.end_answers for name, known in types.items()}
    excesses = _excesses(spreads, told.end, answers, told.end_answers, runs)
    limit = quantile(ALARM / len(types), runs - 1)
    found = [_judged(each, types[each.type].relative, runs, limit) for each in excesses]
    return _named(found)


def _excesses(
    spreads: Mapping[str, Spread],
    losses: Losses,
    answer_spreads: Mapping[str, Spread | None],
    answers: Losses,
    runs: int,
) -> tuple[TypeExcess, ...]:
    middle = fmean(losses[name] - known.mean for name, known in spreads.items())
    found: list[TypeExcess] = []
    for name, known in spreads.items():
        excess, of_answers = losses[name] - known.mean, answer_spreads[name]
        told = TypeExcess(
            type=name,
            loss=losses[name],
            reference=known.mean,
            excess=excess,
            z=_by(excess, known.deviation, runs),
            relative=excess - middle,
        )
        if of_answers is not None and name in answers:
            beyond = answers[name] - of_answers.mean
            z = _by(beyond, of_answers.deviation, runs)
            told = replace(told, answer_excess=beyond, answer_z=z)
        found.append(told)
    return tuple(sorted(found, key=lambda each: each.relative))


def _by(distance: float, deviation: float, runs: int) -> float:
    """Return a distance by the deviation of one more run from the mean of several."""
    spread = deviation * sqrt(1.0 + 1.0 / runs)
    return distance / spread if spread > 0.0 else 0.0


def _judged(told: TypeExcess, known: Spread, runs: int, limit: float) -> TypeExcess:
    z = _by(told.relative, known.deviation, runs)
    return replace(
        told,
        relative_z=z,
        probability=two_sided(z, runs - 1),
        bound=limit * known.deviation * sqrt(1.0 + 1.0 / runs),
    )


def _named(found: Sequence[TypeExcess]) -> tuple[TypeExcess, ...]:
    """Return the types with their verdicts, by Holm's procedure."""
    verdicts: dict[str, Literal["specialised", "weak"]] = {}
    ranked = sorted(found, key=lambda each: inf if each.probability is None else each.probability)
    for place, each in enumerate(ranked):
        if each.probability is None or each.probability > ALARM / (len(ranked) - place):
            break
        verdicts[each.type] = "specialised" if each.relative < 0.0 else "weak"
    return tuple(replace(each, verdict=verdicts.get(each.type, "")) for each in found)
