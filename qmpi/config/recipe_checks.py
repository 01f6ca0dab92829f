"""Contradictions of data.recipes and of the weights of sources: what no field can state alone."""

import math
from collections.abc import Iterator

from qmpi.config.data import DataSettings


def recipe_contradictions(data: DataSettings) -> Iterator[str]:
    """Yield what contradicts itself in the weights of sources.

    Args:
        data: the section; each field legal by itself.

    Yields:
        One sentence each.
    """
    shares, before = {source.name: source.weight for source in data.sources}, 0
    if not any(shares.values()):
        yield "data.sources: every weight is 0; give one of them more"
    for number, recipe in enumerate(data.recipes):
        where = f"data.recipes[{number}]"
        if recipe.at <= before:
            yield f"{where}.at = {recipe.at} does not come after {before}; sort them, one a step"
        before = recipe.at
        yield from unknown_sources(f"{where}.weights", recipe.weights, data)
        shares |= {name: share for name, share in recipe.weights.items() if name in shares}
        if not any(shares.values()):
            yield f"{where}.weights leave every source at 0; one at least must stay"


def unknown_sources(where: str, weights: dict[str, float], data: DataSettings) -> Iterator[str]:
    """Yield what no weights of a job's sources can be.

    Args:
        where: they stand, for messages.
        weights: by source.
        data: section of the job.

    Yields:
        One sentence each.
    """
    names = [source.name for source in data.sources]
    for name, weight in weights.items():
        if name not in names:
            yield f"{where}: there is no source {name!r}; known are {', '.join(names)}"
        if not (math.isfinite(weight) and weight >= 0):
            yield f"{where}: {name} = {weight}: must be a finite number from 0"
