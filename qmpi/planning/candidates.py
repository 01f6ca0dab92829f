"""Layouts of a team that a job could have: all legal ones that are worth a look.

Theory of operation. What is legal say `qmpi.config.parallel_checks` and `parallel_gaps`, and nobody
else: sizes are tried, first of each axis alone, then together. Of the pipeline's sizes, which need
not divide anything, small ones, powers of two and divisors of the layers are tried; of schedules
"gpipe" is not, which takes as long as "1f1b" and more memory.
"""

from collections.abc import Iterator
from itertools import product

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.parallel import ParallelSettings, PipelineSchedule
from qmpi.config.parallel_checks import MOST_CHUNKS, MOST_SIZE, parallel_contradictions
from qmpi.config.settings import Settings

AXES = ("tensor", "expert", "context", "pipeline")

SMALL = 16
"""Stages up to which every size is tried."""

MOST_TRIED_CHUNKS = 8
"""Of a stage: more fill a pipeline hardly faster, and send more."""


class Refused(Struct, frozen=True):
    """A layout that the job cannot have.

    Attributes:
        parallel: the layout.
        why: the first of what is against it.
    """

    parallel: ParallelSettings
    why: str


def candidates(settings: Settings, most_ranks: int) -> Iterator[ParallelSettings]:
    """Yield the legal layouts, that of one rank first, in a fixed order.

    Args:
        settings: the job; its own [parallel] does not count.
        most_ranks: that a team may have.
    """
    sizes = [_sizes(settings, axis, most_ranks) for axis in AXES]
    for chosen in product(*sizes):
        tensor, expert, context, pipeline = chosen
        parallel = ParallelSettings(
            tensor=tensor, expert=expert, context=context, pipeline=pipeline
        )
        if parallel.team_size > most_ranks:
            continue
        for scheduled in _schedules(parallel, settings.model.layers):
            if not fault_of(settings, scheduled):
                yield scheduled


def refused(settings: Settings, most_ranks: int) -> tuple[Refused, ...]:
    """Return of each axis its smallest size, if that is refused, and why.

    Args:
        settings: the job.
        most_ranks: that a team may have.
    """
    found: dict[str, Refused] = {}
    for axis in AXES if most_ranks > 1 else ():
        if axis == "expert" and not settings.model.experts:
            continue  # nobody misses it
        least = along(axis, 2)
        why = fault_of(settings, least)
        if why:
            found.setdefault(why, Refused(least, why))
    return tuple(found.values())


def fault_of(settings: Settings, parallel: ParallelSettings) -> str:
    """Return the first thing against a layout; "" if it is legal.

    Args:
        settings: the job.
        parallel: the layout.
    """
    return next(parallel_contradictions(replace(settings, parallel=parallel)), "")


def along(axis: str, size: int) -> ParallelSettings:
    """Return the layout of one axis alone.

    Args:
        axis: one of `AXES`.
        size: ranks along it.
    """
    return replace(ParallelSettings(), **{axis: size})


def _sizes(settings: Settings, axis: str, most_ranks: int) -> list[int]:
    tried = range(1, min(MOST_SIZE, most_ranks) + 1)
    if axis == "pipeline":
        tried = [size for size in tried if _is_tried(size, settings.model.layers)]
    return [size for size in tried if not fault_of(settings, along(axis, size))]


def _is_tried(size: int, layers: int) -> bool:
    return size <= SMALL or layers % size == 0 or size & (size - 1) == 0


def _schedules(parallel: ParallelSettings, layers: int) -> Iterator[ParallelSettings]:
    yield parallel
    if parallel.pipeline == 1:
        return
    others: tuple[PipelineSchedule, ...] = ("interleaved", "zero_bubble")
    for schedule in others:
        most = min(MOST_CHUNKS[schedule], MOST_TRIED_CHUNKS, layers // parallel.pipeline)
        for chunks in range(1, most + 1):
            yield replace(parallel, schedule=schedule, chunks=chunks)
