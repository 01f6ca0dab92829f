"""What the levels of a memory rank's cache were asked for: told with its signs of life."""

from collections.abc import Iterable

from msgspec import Struct


class LevelUse(Struct, frozen=True, array_like=True):
    """What became of the chunks that a level was asked for, since its rank began.

    Attributes:
        level: "memory", "host", "disk", "shards", or "anew": made, since no shard gave them.
        hits: served by it.
        misses: not in it; of shards: could not be read.
        bytes: that it served; of memory and anew ids, of the others as they lie there.
        seconds: what its hits took, in all.
    """

    level: str
    hits: int
    misses: int
    bytes: int
    seconds: float


class LevelReport(Struct, frozen=True):
    """The same for people and scripts; part of the status.

    Attributes:
        microseconds: what a hit took, on average; 0 without one.
    """

    level: str
    hits: int
    misses: int
    bytes: int
    microseconds: float


def reported(uses: Iterable[LevelUse]) -> tuple[LevelReport, ...]:
    """Add up what ranks tell of their levels.

    Args:
        uses: of any ranks.

    Returns:
        One report a level, in the order in which they are first named.
    """
    found: dict[str, LevelUse] = {}
    for use in uses:
        had = found.get(use.level, LevelUse(use.level, 0, 0, 0, 0.0))
        found[use.level] = LevelUse(
            use.level,
            had.hits + use.hits,
            had.misses + use.misses,
            had.bytes + use.bytes,
            had.seconds + use.seconds,
        )
    return tuple(map(_report, found.values()))


def _report(use: LevelUse) -> LevelReport:
    each = round(1e6 * use.seconds / use.hits, 1) if use.hits else 0.0
    return LevelReport(use.level, use.hits, use.misses, use.bytes, each)
