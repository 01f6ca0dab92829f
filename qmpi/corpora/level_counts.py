"""What became of the chunks that a process asked for, level by level."""

from qmpi.memory.cache import Counts
from qmpi.memory.levels import Level, LevelCounts, Levels
from qmpi.protocol.level_use import LevelUse
from qmpi.storage.shard_files import ShardFiles


def level_uses(memory: Counts, below: Levels, files: ShardFiles) -> tuple[LevelUse, ...]:
    """Return the counts of all levels.

    Args:
        memory: of the decoded chunks.
        below: of the compressed ones.
        files: of the shards.

    Returns:
        One entry a level, the nearest first; nothing while no chunk was asked for.
    """
    if not memory.hits + memory.misses:
        return ()
    rows: list[tuple[str, Counts | LevelCounts]] = [("memory", memory)]
    rows += [(level.kind, level.counts) for level in below.levels]
    rows += [("shards", files.read), ("anew", files.anew)]
    return tuple(LevelUse(n, c.hits, c.misses, c.hit_bytes, c.seconds) for n, c in rows)


def counts_text(memory: Counts, below: Levels, files: ShardFiles) -> str:
    """Say what became of the chunks, at the end.

    Args:
        memory: of the decoded chunks.
        below: of the compressed ones.
        files: of the shards.

    Returns:
        Words; "" if no chunk was asked for.
    """
    if not memory.hits + memory.misses:
        return ""
    each = 1e6 * memory.seconds / max(1, memory.hits)
    own = (
        f"chunks: memory {memory.hits:,} hits ({memory.hit_bytes / 1e6:,.1f} MB decoded, "
        f"{each:.1f} us each) and {memory.misses:,} misses, {memory.evictions:,} went"
    )
    read = f"shards {_served(files.read)}"
    anew = [f"made anew {_served(files.anew)}"] if files.anew.hits else []
    return "; ".join([own, *map(_level_text, below.levels), read, *anew])


def _level_text(level: Level) -> str:
    counts = level.counts
    damaged = f", {counts.damaged:,} damaged" if counts.damaged else ""
    return (
        f"{level.kind} {_served(counts)} and {counts.misses:,} misses, "
        f"{counts.evictions:,} went{damaged}"
    )


def _served(counts: LevelCounts) -> str:
    each = 1000 * counts.seconds / max(1, counts.hits)
    return f"{counts.hits:,} hits ({counts.hit_bytes / 1e6:,.1f} MB, {each:.2f} ms each)"
