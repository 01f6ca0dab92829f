"""Sources that are added to a run: what is then its data, and which ones can be.

Theory of operation. A job file and the sources that were added behind it are together the sources
of a run, in this order. In a recipe log a source that is added later has no share and no row in the
records before it, which is what the job file's own sources of weight 0 have. So from the moment of
adding on, nothing tells an added source from one that was there at weight 0 from the start: same
number, same order of rows, same recipes, same weights.
"""

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from qmpi.config.data import WARMUP, Source
from qmpi.config.settings import Settings
from qmpi.protocol.added import AddedSource, SourcesTried
from qmpi.protocol.journal import JournalRecord, RecipesChanged, RunOpened
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.recipe import Recipe, RecipeRequest


def with_sources(settings: Settings, sources: Iterable[Source]) -> Settings:
    """Return a job with further sources, of weight 0.

    Args:
        settings: the job.
        sources: behind those that it has.
    """
    further = (replace(source, weight=0.0) for source in sources)
    data = replace(settings.data, sources=(*settings.data.sources, *further))
    return replace(settings, data=data)


def with_added(settings: Settings, added: Iterable[AddedSource]) -> Settings:
    """Return a job with all sources of its run.

    Args:
        settings: the job, as its file has it.
        added: to the run.
    """
    return with_sources(settings, sources_of(added))


def sources_of(added: Iterable[AddedSource]) -> tuple[Source, ...]:
    """Return added sources without what they hold.

    Args:
        added: to a run.
    """
    return tuple(one.source for one in added)


def added_of(history: Iterable[JournalRecord]) -> tuple[AddedSource, ...]:
    """Return the sources that were added to a run.

    Args:
        history: the journal, or what of it tells of recipes.
    """
    told = [record for record in history if isinstance(record, RunOpened | RecipesChanged)]
    return told[-1].added if told else ()


def facts_of(opened: RunOpened) -> tuple[SourceFact, ...]:
    """Return the facts of all sources of a run.

    Args:
        opened: its newest opening, with the sources that were added since.
    """
    return (*opened.sources, *(added.fact for added in opened.added))


def padded(recipes: Iterable[Recipe], sources: int) -> tuple[Recipe, ...]:
    """Return a recipe log that knows of sources that were added later.

    Args:
        recipes: the log.
        sources: that the run has, at least as many as the log knows of.

    Returns:
        The same rows; the further sources have no share in it.
    """
    return tuple(_padded(recipe, sources - len(recipe.weights)) for recipe in recipes)


def _padded(recipe: Recipe, more: int) -> Recipe:
    return replace(
        recipe,
        weights=recipe.weights + (0,) * more,
        starts=recipe.starts + (0,) * more,
        # A version that wrote down no shares meant those of the job file, which has no more.
        shares=recipe.shares + (0.0,) * more if recipe.shares else (),
    )


def adding_fault(request: RecipeRequest, settings: Settings) -> str:
    """Say why the sources of a request cannot be added, as far as is known without opening them.

    Args:
        request: what is asked for.
        settings: the job, with the sources that were added before.

    Returns:
        In words; "" if they can.
    """
    taken, weights = {source.name for source in settings.data.sources}, dict(request.weights)
    for source in request.added:
        name = source.name
        if name in taken:
            return (
                f"the run has a source {name!r} already: give it another weight without adding "
                "it, or take another name"
            )
        if name == WARMUP:
            return f"{name!r} is what the source of a warm-up is called: take another name"
        if not weights.get(name):
            return f"{name} is added without a weight above 0: say how much is drawn from it"
        taken.add(name)
    return ""


def judged(
    request: RecipeRequest, told: Collection[SourcesTried]
) -> tuple[tuple[AddedSource, ...], str]:
    """Judge what all data ranks say of the sources of a request.

    Args:
        request: it names them.
        told: by each of them, at least one.

    Returns:
        The sources, and ""; or nothing, and what stands against it in words.
    """
    faults = sorted({one.fault for one in told if one.fault})
    if faults:
        return (), "; ".join(faults)
    found = {one.facts for one in told}
    facts = next(iter(found))
    if len(found) > 1:
        names = ", ".join(source.name for source in request.added)
        return (), f"not every rank finds the same in {names}: {sorted(map(str, found))}"
    return tuple(map(AddedSource, request.added, facts)), ""
