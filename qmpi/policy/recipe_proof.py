"""Does a recipe log follow from the one before it? Asked by the audit and by simulated runs."""

from itertools import pairwise

from msgspec.structs import replace

from qmpi.config.settings import Settings
from qmpi.config.warmup import first_weights
from qmpi.errors import QmpiError
from qmpi.policy.added_sources import padded
from qmpi.policy.recipes import Course, Recipes, reset_shares, standing
from qmpi.policy.stream import first_recipe, next_recipe, recipe_of
from qmpi.protocol.recipe import Recipe


def recipes_fault(
    before: Recipes, after: Recipes, settings: Settings, course: Course, step: int
) -> str:
    """Derive a recipe log anew.

    Args:
        before: the log that it takes the place of; empty: the run begins with it.
        after: the log.
        settings: the job, with the sources that were added to its run.
        course: where its steps lie.
        step: steps that stand.

    Returns:
        The first fault in words; "" if there is none: rows that were used, or passed over, stay
        so, each source goes on at the row behind, and each record begins where its step does.
    """
    used, sources = course.begins(step), len(settings.data.sources)
    if any(len(recipe.weights) != sources for recipe in after):
        return f"the recipe log does not say what each of the {sources} sources weighs"
    if _used(padded(before, sources), used) != _used(after, used):
        return f"the recipes of the {step} steps that stand were changed"
    first = first_recipe(first_weights(settings), settings.job.seed)
    if not after or _bare(after[0]) != _bare(first):
        return "the recipe log does not begin with what the job file says"
    for last, recipe in pairwise(after):
        fault = _does_not_follow(last, recipe, settings)
        if fault:
            return f"the recipe from step {recipe.first_step} on {fault}"
    astray = [recipe for recipe in standing(after) if _is_astray(recipe, after, course)]
    if astray:
        return (
            f"the recipe from step {astray[0].first_step} on begins with sequence "
            f"{astray[0].first_sequence}, which is not where that step begins"
        )
    return ""


def _is_astray(recipe: Recipe, recipes: Recipes, course: Course) -> bool:
    """Return whether a step before a recipe draws from it, or its own first step does not."""
    step = recipe.first_step
    before = course.ends(step - 1) if step else 0
    covering = recipe_of(recipes, course.begins(step))[1]
    return recipe.first_sequence < before or covering != recipe


def _used(recipes: Recipes, sequences: int) -> list[Recipe]:
    return [_bare(recipe) for recipe in recipes if recipe.first_sequence < sequences]


def _bare(recipe: Recipe) -> Recipe:
    return replace(recipe, shares=(), asked=(), reason="", window=-1)


def _does_not_follow(last: Recipe, recipe: Recipe, settings: Settings) -> str:
    shares = last.shares or tuple(source.weight for source in settings.data.sources)
    names = [source.name for source in settings.data.sources]
    told = reset_shares(dict(zip(names, shares, strict=True)), recipe.asked)
    try:
        derived = next_recipe(last, recipe.first_step, recipe.first_sequence, told)
    except QmpiError as error:
        return f"cannot follow: {error}"
    if derived.starts != recipe.starts:
        return "does not go on at the rows that the one before it has come to"
    return "" if _bare(derived) == _bare(recipe) else "has other weights than were asked for"
