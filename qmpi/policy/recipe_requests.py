"""Requests for other weights: whether they can be followed, and what the log is then."""

from typing import NamedTuple

from qmpi.config.data import CorpusSource, Source
from qmpi.config.recipe_checks import unknown_sources
from qmpi.config.settings import Settings
from qmpi.errors import ConfigError
from qmpi.policy.added_sources import adding_fault, padded, with_sources
from qmpi.policy.recipes import Course, Recipes, in_force, reweighed
from qmpi.protocol.recipe import RecipeRequest

CURRICULUM = "the curriculum of this run sets the weights"

ADDING = "a source that the run does not have is added with `--add NAME=PATH`"
"""What to do about a source that there is not."""


class Room(NamedTuple):
    """Between which steps weights can change.

    Attributes:
        committed: steps so far.
        least: first step of which nothing is handed out.
        end: at which the run ends.
    """

    committed: int
    least: int
    end: int


def weights_text(weights: tuple[tuple[str, float], ...]) -> str:
    """Return weights for people.

    Args:
        weights: relative shares by source.

    Returns:
        Text such as "python = 0.5, mathematics = 0".
    """
    return ", ".join(f"{name} = {weight:g}" for name, weight in weights)


def source_text(source: Source) -> str:
    """Return what a source is, for people.

    Args:
        source: any.
    """
    return f"corpus {source.path}" if isinstance(source, CorpusSource) else f"content:{source.type}"


def reason_of(request: RecipeRequest, committed: int) -> str:
    """Return why a record is there that follows a request.

    Args:
        request: what was asked for.
        committed: steps by then.
    """
    added = [f"{source.name} is added, {source_text(source)}" for source in request.added]
    told = "; ".join([weights_text(request.weights), *added])
    return f"asked for at step {committed}: {told}"


def answered(
    request: RecipeRequest,
    recipes: Recipes,
    settings: Settings,
    course: Course,
    room: Room,
) -> tuple[Recipes, int, str]:
    """Follow a request, or say why not.

    Args:
        request: what is asked for.
        recipes: the recipe log.
        settings: the job, with the sources that were added before.
        course: where its steps lie.
        room: between which steps it can change.

    Returns:
        The log, from which step on it is another one, and "". Or the log as it is, -1, and why.
        Whether sources that it adds can be opened is asked elsewhere.
    """
    at = room.least if request.at < 0 else request.at
    fault = adding_fault(request, settings)
    settings = with_sources(settings, request.added)
    fault = fault or _fault(request, settings, at, room)
    if fault:
        return recipes, -1, fault
    known = padded(recipes, len(settings.data.sources))
    reason = reason_of(request, room.committed)
    try:
        longer = reweighed(known, settings, course, at, request.weights, reason)
    except ConfigError as error:
        return recipes, -1, f"from some step on no source would be left: {error}"
    if in_force(longer, at).shares == in_force(known, at).shares:
        return recipes, -1, f"these weights hold at step {at} as it is"
    return longer, at, ""


def _fault(request: RecipeRequest, settings: Settings, at: int, room: Room) -> str:
    weights = dict(request.weights)
    unknown = [name for name in weights if name not in _names(settings)]
    faults = list(unknown_sources("the mixture", weights, settings.data))
    if settings.curriculum.kind != "static":
        faults.append(CURRICULUM)
    if not weights:
        faults.append("no source is named")
    if unknown:
        faults.append(ADDING)
    if at < room.least:
        faults.append(
            f"step {at} is trained, or its blocks may be handed out already: the first step that "
            f"can have other weights is {room.least}"
        )
    elif at >= room.end:
        faults.append(f"the run ends at step {room.end}, before step {at} would have other weights")
    return "; ".join(faults)


def _names(settings: Settings) -> list[str]:
    return [source.name for source in settings.data.sources]
