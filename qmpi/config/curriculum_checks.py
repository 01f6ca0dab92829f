"""Contradictions of [curriculum]: what no field of a table can state alone.

Tables stand in the order in which they are learned, so a table comes after earlier ones alone; then
nothing can be circular. Tables that share a source go from easy to hard; others need not, as
mathematics up to level 40 and then code from level 1.
"""

import math
from collections.abc import Iterator, Sequence

from qmpi.config.arms import with_arms
from qmpi.config.bands import BANDS
from qmpi.config.batch import LEAD_STEPS
from qmpi.config.curriculum import STAGES, StageSettings
from qmpi.config.data import DataSettings
from qmpi.config.ladder import bounds_of_table, generated_sources, levels_of, spans_of_table
from qmpi.config.settings import Settings
from qmpi.config.warmup import warmup_contradictions

NO_LEVELS = (
    "no source of the job is generated, so there are no levels to have stages: add one, "
    '[[data.sources]] with kind = "content"'
)

LONGEST_NAME = 40
"""Letters of a source, as the job file allows them."""

ROUNDING = 1e-3
"""By how much a loss and an accuracy may differ that mean the same: people round both."""


def curriculum_contradictions(settings: Settings) -> Iterator[str]:
    """Yield what contradicts itself in [curriculum].

    Args:
        settings: the job; each field legal by itself.

    Yields:
        One sentence each.
    """
    yield from _adaptive(settings)
    yield from warmup_contradictions(settings)
    tables = settings.curriculum.stages
    if not tables:
        return
    if len(tables) > STAGES:
        yield f"curriculum.stages: {len(tables)} tables, but there are {STAGES} stages: fewer"
        return
    sources = generated_sources(settings.data)
    if not sources:
        yield f"curriculum.stages: {NO_LEVELS}; or leave the tables out"
        return
    faults = [*_names(tables), *_orders(tables)]
    for number, table in enumerate(tables):
        where = _where(number)
        faults += [*_thresholds(where, table), *_length(where, table, settings)]
        unknown = [*_sources(where, table, settings.data)]
        # A source that has no level itself is told of where sources are checked.
        faults += unknown or (_levels(settings, number) if levels_of(sources) else ())
    yield from faults
    if not faults and levels_of(sources):
        yield from _descents(settings)
        yield from _crossed(settings)


def _adaptive(settings: Settings) -> Iterator[str]:
    curriculum, data = settings.curriculum, settings.data
    if curriculum.kind == "static":
        if curriculum.sets:
            yield (
                "curriculum.sets says what stages set as a run masters them: set curriculum.kind "
                '= "adaptive" too, or leave it out'
            )
        return
    yield from _batch(settings)
    if not levels_of(generated_sources(data)):
        yield f'curriculum.kind = "adaptive": {NO_LEVELS}'
    if data.recipes:
        yield 'curriculum.kind = "adaptive" sets the weights itself: leave data.recipes out'
    least = LEAD_STEPS + data.prefetch_steps
    if curriculum.every_steps < least:
        yield (
            f"curriculum.every_steps = {curriculum.every_steps}: steps are granted, and blocks "
            f"asked for, up to {least} steps ahead (data.prefetch_steps among them): at least "
            f"{least}"
        )
    fast, slow = curriculum.fast, curriculum.slow
    if slow > fast:
        yield (
            f"curriculum.slow = {slow:g} is above curriculum.fast = {fast:g}: the slow mean moves "
            "by no more than the fast one"
        )
    yield from _names_of_bands(settings)
    types = {source.type for source in generated_sources(data)}
    strange = [name for name in curriculum.specialise if name not in types]
    if strange:
        known = ", ".join(sorted(types))
        yield f"curriculum.specialise: no source is of type {strange[0]!r}; there are {known}"
    if bool(curriculum.specialise) != (curriculum.focus == "specialise"):
        yield 'curriculum.specialise goes with focus = "specialise", and names one type or more'


def _batch(settings: Settings) -> Iterator[str]:
    batch = settings.batch
    if "batch" in settings.curriculum.sets and not batch.is_fixed:
        field = "grow" if batch.grow != "none" else "first_lanes"
        yield (
            f'curriculum.sets has "batch", so stages say how many lanes a step has, and '
            f"batch.{field} does too: leave out one of them"
        )


def _names_of_bands(settings: Settings) -> Iterator[str]:
    data = settings.data
    names = [f"{source.name}-{band}" for source in data.sources for band, _, _ in BANDS]
    for source in data.sources:
        if source.name in names:
            yield f"data.sources: {source.name!r} is what a band of another source is called"
    for name in (source.name for source in with_arms(settings).data.sources):
        if len(name) > LONGEST_NAME:
            yield (
                f"data.sources: the band {name!r} has a name of more than {LONGEST_NAME} letters: "
                "give its source a shorter one"
            )


def predecessors(tables: Sequence[StageSettings], number: int) -> tuple[int, ...]:
    """Return the tables that a table says it comes after.

    Args:
        tables: of the job.
        number: of the table, from 0.

    Returns:
        Numbers from 0; of what is not there nothing.
    """
    if not tables[number].after:
        return (number - 1,) if number else ()
    found = (_found(tables, named) for named in tables[number].after)
    return tuple(sorted({place for place in found if place is not None}))


def _found(tables: Sequence[StageSettings], named: int | str) -> int | None:
    if isinstance(named, int):
        return named - 1 if named <= len(tables) else None
    return next((place for place, table in enumerate(tables) if table.name == named), None)


def _where(number: int) -> str:
    return f"curriculum.stages[{number}]"


def _names(tables: Sequence[StageSettings]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for number, table in enumerate(tables):
        if table.name in seen:
            yield (
                f'{_where(number)}.name = "{table.name}" is also that of '
                f"{_where(seen[table.name])}: give each its own"
            )
        elif table.name:
            seen[table.name] = number


def _orders(tables: Sequence[StageSettings]) -> Iterator[str]:
    for number, table in enumerate(tables):
        for named in table.after:
            place, shown = _found(tables, named), f'"{named}"' if isinstance(named, str) else named
            where = f"{_where(number)}.after = {shown}"
            if place is None:
                names = [f'"{each.name}"' for each in tables if each.name]
                yield (
                    f"{where}: there is no such stage; known are 1 to {len(tables)}"
                    f"{''.join(f', {name}' for name in names)}"
                )
            elif number in _before(tables, place):
                why = (
                    f"{_where(place)} comes after this one" if place != number else "it is this one"
                )
                yield f"{where} is circular: {why}; name only what stands before it"
            elif place > number:
                yield (
                    f"{where} stands behind this one: tables are learned in order, so put "
                    f"{_where(place)} before it"
                )


def _before(tables: Sequence[StageSettings], number: int) -> set[int]:
    """Return a table and all that it comes after, through whatever others."""
    found, waiting = {number}, [number]
    while waiting:
        new = set(predecessors(tables, waiting.pop())) - found
        found |= new
        waiting += new
    return found


def _sources(where: str, table: StageSettings, data: DataSettings) -> Iterator[str]:
    known = [source.name for source in generated_sources(data)]
    others = [source.name for source in data.sources]
    for name in table.sources:
        if name in known:
            continue
        why = "is a corpus, which has no levels" if name in others else "is no source of the job"
        yield f'{where}.sources: "{name}" {why}; generated are {", ".join(known)}'


def _levels(settings: Settings, number: int) -> Iterator[str]:
    table, where = settings.curriculum.stages[number], _where(number)
    easiest, hardest = bounds_of_table(settings, number)
    if easiest > hardest:
        derived = "" if table.min_level and table.max_level else ", which is derived"
        yield (
            f"{where}.min_level = {easiest} is above max_level = {hardest}{derived}"
            if table.min_level
            else f"{where}.max_level = {hardest} is below min_level = {easiest}{derived}"
        ) + ": give both, the lower one first"
        return
    if spans_of_table(settings, number):
        return
    field = "min_level" if table.min_level else "max_level" if table.max_level else "sources"
    told = ", ".join(
        f"{source.name} has {source.min_level} to {source.max_level}"
        for source in generated_sources(settings.data, table.sources)
    )
    yield (
        f"{where}.{field}: no source of it has a level from {easiest} to {hardest} ({told}): "
        "give levels that one has, or other sources"
    )


def _length(where: str, table: StageSettings, settings: Settings) -> Iterator[str]:
    most = settings.train.sequence_tokens
    if table.sequence_tokens > most:
        yield (
            f"{where}.sequence_tokens = {table.sequence_tokens} is above train.sequence_tokens = "
            f"{most}, the most: shorter here, or longer there"
        )


def _thresholds(where: str, table: StageSettings) -> Iterator[str]:
    if not (table.loss and table.accuracy):
        return
    if math.exp(-table.loss) < table.accuracy - ROUNDING:
        yield (
            f"{where}.loss = {table.loss:g} crosses {where}.accuracy = {table.accuracy:g}: at such "
            f"a loss a token is right with {math.exp(-table.loss):.3f}, and an answer no more "
            f"often: a loss of {-math.log(table.accuracy):.3f} or less, or leave one out"
        )


def _descents(settings: Settings) -> Iterator[str]:
    """Yield the tables that begin below what an earlier one has ended at."""
    reached: dict[str, tuple[int, int]] = {}
    for number, table in enumerate(settings.curriculum.stages):
        spans = spans_of_table(settings, number)
        names = [source.name for source in generated_sources(settings.data, table.sources)]
        top, before = max((reached[name] for name in names if name in reached), default=(0, 0))
        if spans[0][1] < top:
            field = "max_level" if len(spans) == 1 else "min_level"
            yield (
                f"{_where(number)}.{field}: its first stage ends at level {spans[0][1]}, below "
                f"{top}, where {_where(before)} ends on a source of both: stages go from easy to "
                f"hard, so give {field} = {top} or more"
            )
        reached |= {name: (max(top, spans[-1][1]), number) for name in names}


def _crossed(settings: Settings) -> Iterator[str]:
    """Yield the tables that are mastered already when one that they come after is."""
    tables = settings.curriculum.stages
    spans = [spans_of_table(settings, number) for number in range(len(tables))]
    for number, table in enumerate(tables):
        for before in sorted(_before(tables, number) - {number}):
            asked, wanted = _asks(tables[before]), _asks(table)
            harder = spans[number][0][1] > spans[before][-1][1]
            # Harder problems are mastered at less; the same ones at less are mastered already.
            if (
                asked
                and wanted
                and wanted < asked
                and not harder
                and _share_a_source(settings, before, number)
            ):
                yield (
                    f"{_where(number)}.{'accuracy' if table.accuracy else 'loss'} asks less than "
                    f"{_where(before)}, which it comes after, of levels that are no harder: ask as "
                    "much or more, or give it harder levels"
                )


def _asks(table: StageSettings) -> float:
    return table.accuracy or (math.exp(-table.loss) if table.loss else 0.0)


def _share_a_source(settings: Settings, first: int, second: int) -> bool:
    named = [
        {s.name for s in generated_sources(settings.data, settings.curriculum.stages[n].sources)}
        for n in (first, second)
    ]
    return bool(named[0] & named[1])
