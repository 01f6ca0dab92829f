"""The warm-up of a job: its first steps draw generated drills alone, then what [data] says.

Theory of operation. When a job is read, a source of drills joins its sources, at weight 0. So
counters, audit, replay and evaluation have it like any other. The recipe log begins with that
source alone, and goes on with the weights of the job at the step behind the warm-up. A job that was
written down with the source has it once. What the curriculum does is counted from that step on.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from qmpi.config.data import DRILLS, WARMUP, ContentSource
from qmpi.config.settings import Settings


def warmup_source(settings: Settings) -> ContentSource:
    """Return what the first steps of a job draw from.

    Args:
        settings: the job.
    """
    families = settings.curriculum.warmup_families
    return ContentSource(name=WARMUP, type=DRILLS, weight=0.0, families=families)


def with_warmup(settings: Settings) -> Settings:
    """Return a job with the source of its warm-up.

    Args:
        settings: the job.

    Returns:
        The job; as it is without a warm-up.
    """
    data = settings.data
    if not settings.curriculum.warmup_steps or any(s.name == WARMUP for s in data.sources):
        return settings
    return replace(settings, data=replace(data, sources=(*data.sources, warmup_source(settings))))


def first_weights(settings: Settings) -> list[float]:
    """Return the weights of the first step.

    Args:
        settings: the job, with the source of its warm-up.

    Returns:
        Relative shares, in the order of the sources.
    """
    sources = settings.data.sources
    if not settings.curriculum.warmup_steps:
        return [source.weight for source in sources]
    return [float(source.name == WARMUP) for source in sources]


def warmup_contradictions(settings: Settings) -> Iterator[str]:
    """Yield what contradicts itself in the warm-up.

    Args:
        settings: the job; each field legal by itself.

    Yields:
        One sentence each.
    """
    curriculum, data = settings.curriculum, settings.data
    families = curriculum.warmup_families
    for name in sorted({name for name in families if families.count(name) > 1}):
        yield f"curriculum.warmup_families name {name!r} twice: its text would come twice"
    for source in data.sources:
        if source.name == WARMUP and not curriculum.warmup_steps:
            yield (
                f"data.sources: {WARMUP!r} is what the source of a warm-up is called: another "
                "name, or set curriculum.warmup_steps"
            )
        elif source.name == WARMUP and source != warmup_source(settings):
            yield (
                f"data.sources: {WARMUP!r} is what the source of the warm-up is called, which "
                "curriculum.warmup_families describe: leave it out, or give it another name"
            )
    for number, recipe in enumerate(data.recipes):
        if recipe.at <= curriculum.warmup_steps:
            yield (
                f"data.recipes[{number}].at = {recipe.at} lies in the warm-up, and "
                f"curriculum.warmup_steps = {curriculum.warmup_steps} sets the weights up to its "
                "end: later, or fewer steps"
            )
