"""A level of the cache in a file system: compressed chunks as files, shared by a run's processes.

Theory of operation. This process keeps what its index has room for, in its own folder; what a
sibling has is read there and not written again, so a host has one copy of a chunk. (Two that read
the same chunk from its shard at one moment have one each, which harms nothing.) Room is made before
a chunk is written, so files never take more than the budget.

A file that is torn or flipped is a miss, and goes. A file system that is full, gone or closed to
this process ends the keeping with one warning: what stands is served, but a full one gets its room
back, which copies of the state may need.

Invariants: each file of the folder is in the index, but for one that is just being written.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from qmpi.errors import StorageError
from qmpi.memory.cache import Cache
from qmpi.memory.levels import FrameKey, LevelCounts
from qmpi.storage.frame_file import frame_name, read_frame, room_of, write_frame
from qmpi.storage.frame_tree import leave_folder, siblings_of
from qmpi.storage.os_errors import is_full
from qmpi.units import Bytes, Seconds

logger = logging.getLogger(__name__)


ONE_THREAD = nullcontext()
"""In place of a lock where one thread calls."""


class FrameFolder:
    """Chunks in files.

    Attributes:
        kind: what the level is called.
        counts: what became of the accesses so far.
        lock: held while the index, its order or the counts are touched.
    """

    def __init__(
        self,
        kind: str,
        own: Path,
        index: Cache[FrameKey, Bytes],
        clock: Callable[[], Seconds],
        lock: AbstractContextManager[object] = ONE_THREAD,
    ) -> None:
        """Keep nothing yet.

        Args:
            kind: what the level is called.
            own: folder of this process, in the tree of its run.
            index: empty, with the budget; says what goes. It is this level's alone.
            clock: tells how long an access took.
            lock: keeps threads apart, if several call.
        """
        self.kind, self.counts, self.lock = kind, LevelCounts(), lock
        self._own, self._index, self._clock = own, index, clock
        self._keeps = True
        self._spoilt: set[tuple[Path, FrameKey]] = set()
        index.gone = self._remove

    def get(self, key: FrameKey) -> bytes | None:
        """Look for a chunk here, and in the folders of siblings.

        Args:
            key: of the chunk.

        Returns:
            Its bytes as they lie in the shard; None if it is not there, or damaged.
        """
        begun = self._clock()
        with self.lock:
            is_kept = self._index.get(key) is not None
        frame = self._read_own(key) if is_kept else None
        if frame is None:
            frame = self._read_siblings(key)
        with self.lock:
            if frame is None:
                self.counts.misses += 1
            else:
                self.counts.hits += 1
                self.counts.hit_bytes += len(frame)
                self.counts.seconds = Seconds(self.counts.seconds + self._clock() - begun)
        return frame

    def put(self, key: FrameKey, frame: bytes) -> None:
        """Keep a chunk, if the order lets it in and no sibling has it.

        Args:
            key: of the chunk.
            frame: its bytes as they lie in the shard.
        """
        if not self._keeps or self._is_at_siblings(key) or not self._taken_in(key, frame):
            return
        try:
            write_frame(self._own, key, frame)
        except StorageError as error:
            self._give_up(key, error)
            return
        with self.lock:
            # It may have had to go while it was written.
            if key not in self._index:
                self._remove(key, room_of(frame))

    def close(self) -> None:
        """Keep nothing any more, and remove the folder."""
        self._keeps = False
        with self.lock:
            self._index.gone = None
            self._index.clear()
        leave_folder(self._own)

    def _taken_in(self, key: FrameKey, frame: bytes) -> bool:
        with self.lock:
            if key in self._index:
                return False
            size = room_of(frame)
            self._index.put(key, size, size)
            self.counts.evictions = self._index.counts.evictions
            self.counts.refused = self._index.counts.refused
            return key in self._index

    def _read_own(self, key: FrameKey) -> bytes | None:
        try:
            frame = read_frame(self._own, key)
        except StorageError as error:
            logger.warning("a chunk of the %s level is read from its shard: %s", self.kind, error)
            frame, damaged = None, 1
        else:
            damaged = 0
        if frame is None:
            with self.lock:
                self.counts.damaged += damaged
                self._index.discard(key)
        return frame

    def _read_siblings(self, key: FrameKey) -> bytes | None:
        for folder in siblings_of(self._own):
            if (folder, key) in self._spoilt:
                continue
            try:
                frame = read_frame(folder, key)
            except StorageError:
                # Its owner, who alone may remove it, says so when it meets it.
                with self.lock:
                    self._spoilt.add((folder, key))
                    self.counts.damaged += 1
                continue
            if frame is not None:
                return frame
        return None

    def _is_at_siblings(self, key: FrameKey) -> bool:
        name = frame_name(key)
        return any(
            (folder, key) not in self._spoilt and (folder / name).exists()
            for folder in siblings_of(self._own)
        )

    def _give_up(self, key: FrameKey, error: StorageError) -> None:
        with self.lock:
            is_first, self._keeps = self._keeps, False
            if is_full(error):
                self._index.clear()
            else:
                self._index.discard(key)
        if is_first:
            logger.warning("the %s level keeps no more chunks, and goes on: %s", self.kind, error)

    def _remove(self, key: FrameKey, size: Bytes) -> None:
        del size
        with suppress(OSError):
            (self._own / frame_name(key)).unlink(missing_ok=True)
