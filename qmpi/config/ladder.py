"""Which levels each of the hundred stages has.

Theory of operation. The levels that the generated sources have, sorted, are dealt out to the
hundred stages: the hardest level of a stage stands as far up among them as the progression says.
What lies between two such levels belongs to the upper stage; a stage that comes no further keeps
the level of the one before. So tops never fall, and every level lies in some stage.

Tables of the job file share the stages evenly. Seven tables get those of the seven bands: a linear
progression over all levels gives each stage the level of its own number.
"""

import math
from collections.abc import Iterable, Sequence

from qmpi.config.curriculum import STAGES, Progression, StageSettings
from qmpi.config.data import WARMUP, ContentSource, DataSettings
from qmpi.config.settings import Settings

Span = tuple[int, int]
"""Easiest and hardest level."""

PACE = 10.0
"""How much slower than its fastest a curved progression is at its slowest. With a hundred the first
stages of a logarithmic one would have a whole band each."""


def stages_of_table(number: int, tables: int) -> range:
    """Return the stages that a table of the job file stands for.

    Args:
        number: of the table, from 0.
        tables: how many there are, 1 to 100.

    Returns:
        Neighbouring stages, from 1; at least one.
    """
    return range(STAGES * number // tables + 1, STAGES * (number + 1) // tables + 1)


def generated_sources(data: DataSettings, names: Sequence[str] = ()) -> tuple[ContentSource, ...]:
    """Return sources that have levels.

    Args:
        data: section of the job.
        names: which ones; empty: all.

    Returns:
        Generated sources, in order of the job. That of a warm-up is left out: it is no part of the
        stages, and nothing is measured on it.
    """
    return tuple(
        source
        for source in data.sources
        if isinstance(source, ContentSource)
        and source.name != WARMUP
        and (not names or source.name in names)
    )


def levels_of(sources: Iterable[ContentSource]) -> list[int]:
    """Return the levels that sources have.

    Args:
        sources: generated ones.

    Returns:
        Ascending.
    """
    spans = [range(source.min_level, source.max_level + 1) for source in sources]
    return sorted(set[int]().union(*spans))


def spread(levels: Sequence[int], stages: int, progression: Progression) -> tuple[Span, ...]:
    """Deal levels out to stages.

    Args:
        levels: ascending; at least one.
        stages: how many, >= 1.
        progression: how.

    Returns:
        One span a stage. The first begins at the first level, the last ends at the last.
    """
    spans: list[Span] = []
    before = 0
    for stage in range(1, stages + 1):
        top = max(1, round(len(levels) * _share(progression, stage / stages)))
        spans.append((levels[min(before, top - 1)], levels[top - 1]))
        before = top
    return tuple(spans)


def spans_of_table(settings: Settings, number: int) -> tuple[Span, ...]:
    """Return the levels of each stage of a table.

    Args:
        settings: a job with generated sources and with at most 100 tables.
        number: of the table, from 0.

    Returns:
        One span a stage; empty: its sources have no level within its bounds.
    """
    curriculum = settings.curriculum
    table = curriculum.stages[number]
    numbers = stages_of_table(number, len(curriculum.stages))
    if not (table.sources or table.min_level or table.max_level):
        # So a table that says nothing of levels leaves them as they are without tables.
        return derived_spans(settings)[numbers.start - 1 : numbers.stop - 1]
    easiest, hardest = bounds_of_table(settings, number)
    levels = levels_of(generated_sources(settings.data, table.sources))
    within = [level for level in levels if easiest <= level <= hardest]
    return spread(within, len(numbers), curriculum.progression) if within else ()


def bounds_of_table(settings: Settings, number: int) -> Span:
    """Return the bounds of a table's levels.

    Args:
        settings: as in `spans_of_table`.
        number: of the table, from 0.

    Returns:
        What the table says; what it leaves out is that of its stages without tables.
    """
    table: StageSettings = settings.curriculum.stages[number]
    numbers = stages_of_table(number, len(settings.curriculum.stages))
    derived = derived_spans(settings)
    easiest = table.min_level or derived[numbers.start - 1][0]
    return easiest, table.max_level or derived[numbers.stop - 2][1]


def derived_spans(settings: Settings) -> tuple[Span, ...]:
    """Return the levels of each stage of a job without tables.

    Args:
        settings: a job with generated sources.

    Returns:
        A hundred spans.
    """
    levels = levels_of(generated_sources(settings.data))
    return spread(levels, STAGES, settings.curriculum.progression)


def _share(progression: Progression, way: float) -> float:
    # Each takes 0 to 0 and 1 to 1; the curved ones are inverse to one another.
    match progression:
        case "linear":
            return way
        case "exponential":
            return (PACE**way - 1.0) / (PACE - 1.0)
        case "logarithmic":
            return math.log1p((PACE - 1.0) * way) / math.log(PACE)
