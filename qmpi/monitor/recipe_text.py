"""Weights of the sources in words, the same wherever they are told."""

from collections.abc import Mapping

from qmpi.protocol.recipe import RecipeReport, SourceFigures

MOST_TOLD, HALF = 8, 3
"""Sources that are told one by one at most; of more so many at each end."""


def shares_text(weights: Mapping[str, float]) -> str:
    """Return shares of the sequences.

    Args:
        weights: by source; they sum to 1.

    Returns:
        Text such as "python 75.0 %, mathematics 25.0 %".
    """
    return ", ".join(f"{name} {100 * share:.1f} %" for name, share in weights.items())


def losses_text(figures: Mapping[str, SourceFigures]) -> str:
    """Return what sources cost, nats a token.

    Args:
        figures: by source.

    Returns:
        Text such as "python 3.214, mathematics 2.881 (answers 1.902)"; of many sources the dearest
        and the cheapest.
    """
    dear = sorted(figures, key=lambda name: -figures[name].loss)
    if len(dear) <= MOST_TOLD:
        return ", ".join(_loss_text(name, figures[name]) for name in figures)
    shown = [_loss_text(name, figures[name]) for name in (*dear[:HALF], *dear[-HALF:])]
    between = f"{len(dear) - 2 * HALF} between"
    return ", ".join([*shown[:HALF], between, *shown[HALF:]])


def _loss_text(name: str, told: SourceFigures) -> str:
    answers = "" if told.answer_loss is None else f" (answers {told.answer_loss:.3f})"
    return f"{name} {told.loss:.3f}{answers}"


def recipe_text(recipe: RecipeReport) -> str:
    """Tell a recipe.

    Args:
        recipe: from when on, which weights, and why.

    Returns:
        Text such as "from step 20 on: python 0.0 %, mathematics 100.0 % (the job file says so)".
    """
    words = shares_text(recipe.weights)
    return f"from step {recipe.first_step} on: {words} ({recipe.reason})"
