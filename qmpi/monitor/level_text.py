"""What the memory ranks' caches were asked for, for people."""

from collections.abc import Sequence

from qmpi.protocol.level_use import LevelReport


def level_facts(levels: Sequence[LevelReport]) -> list[tuple[str, str]]:
    """Return a line for each level that was asked for a chunk.

    Args:
        levels: the nearest first.

    Returns:
        Names with their values; nothing before the first chunk.
    """
    told = [_level(level) for level in levels if level.hits or level.misses]
    return list(zip(("chunks", *[""] * len(told)), told, strict=False))


def _level(told: LevelReport) -> str:
    asked = told.hits + told.misses
    share = f" of {asked:,} ({100 * told.hits / asked:.1f} %)" if told.misses else ""
    each = f", {_took(told.microseconds)} each" if told.microseconds else ""
    return f"{told.level} {told.hits:,}{share}, {_size(told.bytes)}{each}"


def _took(microseconds: float) -> str:
    if microseconds < 1000:
        return f"{microseconds:.3g} us"
    return f"{microseconds / 1000:.3g} ms"


def _size(size: int) -> str:
    for power, unit in ((30, "GiB"), (20, "MiB")):
        if size >= 1 << power:
            return f"{size / (1 << power):.3g} {unit}"
    return f"{size / 1024:.3g} KiB"
