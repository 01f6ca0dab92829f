"""The sources of a job whose curriculum adapts: one for each band of levels of a generated source.

Theory of operation. What a curriculum weighs are sources, as all else does: a recipe has a weight
for each, and each goes on at its next row. So a generated source that spans several bands becomes
as many sources, which share its weight by their levels. One that spans a single band stays what it
is, and so a job that was written down with its arms has them once.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from qmpi.config.bands import BANDS, band_of
from qmpi.config.data import WARMUP, ContentSource, Source
from qmpi.config.settings import Settings


def with_arms(settings: Settings) -> Settings:
    """Return a job with the sources that its curriculum weighs.

    Args:
        settings: the job.

    Returns:
        The job; as it is if its curriculum is static.
    """
    if settings.curriculum.kind == "static":
        return settings
    split = {source.name: tuple(_arms(source)) for source in settings.data.sources}
    sources = tuple(arm for arms in split.values() for arm in arms)
    stages = tuple(
        replace(
            table,
            sources=tuple(arm.name for name in table.sources for arm in split.get(name, ())),
        )
        for table in settings.curriculum.stages
    )
    return replace(
        settings,
        data=replace(settings.data, sources=sources),
        curriculum=replace(settings.curriculum, stages=stages),
    )


def pool_of(source: Source) -> str:
    """Return the pool of an arm: arms of one pool share what the job gives all of them.

    Args:
        source: of a job with arms.

    Returns:
        Its content type; of a corpus, which has no levels, and of a warm-up a pool of its own.
    """
    if source.name == WARMUP:
        return WARMUP
    return source.type if isinstance(source, ContentSource) else f"corpus {source.name}"


def level_band(source: ContentSource) -> str:
    """Return the band of an arm; that of its hardest level.

    Args:
        source: of a job with arms.
    """
    return band_of(source.max_level)


def _arms(source: Source) -> Iterator[Source]:
    spans = list(_spans(source)) if isinstance(source, ContentSource) else []
    if len(spans) < 2 or not isinstance(source, ContentSource) or source.name == WARMUP:
        yield source
        return
    levels = source.max_level - source.min_level + 1
    for band, low, high in spans:
        yield replace(
            source,
            name=f"{source.name}-{band}",
            min_level=low,
            max_level=high,
            weight=source.weight * (high - low + 1) / levels,
        )


def _spans(source: ContentSource) -> Iterator[tuple[str, int, int]]:
    for band, first, last in BANDS:
        low, high = max(first, source.min_level), min(last, source.max_level)
        if low <= high:
            yield band, low, high
