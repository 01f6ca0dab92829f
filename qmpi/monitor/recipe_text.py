"""Weights of the sources in words, the same wherever they are told."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from qmpi.protocol.recipe import RecipeReport, SourceFigures

T = TypeVar("T")

MOST_TOLD, HALF = 8, 3
"""Sources that are told one by one at most; of more so many at each end."""


def shares_text(weights: Mapping[str, float]) -> str:
    """Return shares of the sequences.

    Args:
        weights: by source; they sum to 1.

    Returns:
        Text such as "python 75.0 %, mathematics 25.0 %"; of many sources the largest shares and
        the smallest.
    """
    return ", ".join(
        _few(weights, lambda name: -weights[name], lambda n, w: f"{n} {100 * w:.1f} %")
    )


def losses_text(figures: Mapping[str, SourceFigures]) -> str:
    """Return what sources cost, nats a token.

    Args:
        figures: by source.

    Returns:
        Text such as "python 3.214, mathematics 2.881 (answers 1.902, 12 % solved)"; of many sources
        the dearest and the cheapest.
    """
    return ", ".join(_few(figures, lambda name: -figures[name].loss, _loss_text))


def _few(
    told: Mapping[str, T], order: Callable[[str], float], text: Callable[[str, T], str]
) -> list[str]:
    """Return a text for each source; of many for both ends of an order, and what lies between."""
    if len(told) <= MOST_TOLD:
        return [text(name, each) for name, each in told.items()]
    names = sorted(told, key=order)
    first, last = (
        [text(name, told[name]) for name in part] for part in (names[:HALF], names[-HALF:])
    )
    return [*first, f"{len(names) - 2 * HALF} between", *last]


def _loss_text(name: str, told: SourceFigures) -> str:
    if told.answer_loss is None:
        return f"{name} {told.loss:.3f}"
    solved = "" if told.solved is None else f", {100 * told.solved:.0f} % solved"
    return f"{name} {told.loss:.3f} (answers {told.answer_loss:.3f}{solved})"


def recipe_text(recipe: RecipeReport) -> str:
    """Tell a recipe.

    Args:
        recipe: from when on, which weights, and why.

    Returns:
        Text such as "from step 20 on: python 0.0 %, mathematics 100.0 % (the job file says so)".
    """
    words = shares_text(recipe.weights)
    return f"from step {recipe.first_step} on: {words} ({recipe.reason})"
