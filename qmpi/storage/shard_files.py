"""What the corpora of a process share when they read shards: open files, a lock, a clock, counts.

Theory of operation. A process may have so many files open, whatever the number of corpora and
shards. So handles are kept for all of them together, as many as a quarter of that limit, those that
were used last. A handle that makes room for another is closed when its last reader lets go of it.
"""

import resource
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from qmpi.memory.cache import Cache, recent
from qmpi.memory.levels import LevelCounts
from qmpi.storage.watched_file import WatchedFile
from qmpi.units import Seconds

LEAST_FILES = 4
MOST_FILES = 1024
LIMIT_SHARE = 4
"""Of the limit on open files; sockets, logs, levels and libraries have the rest."""

_NONE: AbstractContextManager[object] = nullcontext()


def _timeless() -> Seconds:
    return Seconds(0.0)


def files_here() -> int:
    """Return how many shards this process may keep open."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return MOST_FILES
    return max(LEAST_FILES, min(MOST_FILES, limit // LIMIT_SHARE))


class ShardFiles:
    """Open files of shards.

    Attributes:
        guard: held while a shard is looked for; a lock, where several threads do.
        clock: tells how long a read took.
        read: what became of chunks that were asked of shards; bytes as they lie there.
        anew: what became of chunks that no shard gave; bytes of ids.
    """

    def __init__(
        self,
        guard: AbstractContextManager[object] = _NONE,
        clock: Callable[[], Seconds] = _timeless,
        most: int | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            guard: keeps threads apart, if several read.
            clock: tells how long a read took.
            most: files kept open, >= 1; None: what the limit on open files bears.
        """
        self.guard, self.clock = guard, clock
        self.read, self.anew = LevelCounts(), LevelCounts()
        self._files: Cache[Path, WatchedFile] = recent(files_here() if most is None else most)

    def get(self, path: Path) -> WatchedFile | None:
        """Return the file of a shard if it is open; the guard is held.

        Args:
            path: of the shard.
        """
        return self._files.get(path)

    def put(self, path: Path, file: WatchedFile) -> None:
        """Keep a file open; the guard is held.

        Args:
            path: of the shard.
            file: its newest handle.
        """
        self._files.put(path, file, 1)

    def close(self, path: Path) -> None:
        """Keep a file open no longer than it is read from; the guard is held.

        Args:
            path: of the shard.
        """
        self._files.discard(path)

    def note(self, counts: LevelCounts, size: int, since: Seconds) -> None:
        """Count a chunk that was got; any thread may call.

        Args:
            counts: `read` or `anew`.
            size: its bytes.
            since: when it was begun.
        """
        took = self.clock() - since
        with self.guard:
            counts.hits += 1
            counts.hit_bytes += size
            counts.seconds = Seconds(counts.seconds + took)
