"""Weights of the sources in words, the same wherever they are told."""

from collections.abc import Mapping

from qmpi.protocol.recipe import RecipeReport


def shares_text(weights: Mapping[str, float]) -> str:
    """Return shares of the sequences.

    Args:
        weights: by source; they sum to 1.

    Returns:
        Text such as "python 75.0 %, mathematics 25.0 %".
    """
    return ", ".join(f"{name} {100 * share:.1f} %" for name, share in weights.items())


def recipe_text(recipe: RecipeReport) -> str:
    """Tell a recipe.

    Args:
        recipe: from when on, which weights, and why.

    Returns:
        Text such as "from step 20 on: python 0.0 %, mathematics 100.0 % (the job file says so)".
    """
    words = shares_text(recipe.weights)
    return f"from step {recipe.first_step} on: {words} ({recipe.reason})"
