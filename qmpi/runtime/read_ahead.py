"""Chunks that are read before they are asked for: a cache, and the threads that fill it.

Theory of operation. One thread asks for chunks, and puts what it had to read itself. A few others
read what the order names next (`qmpi.policy.eviction.lookahead`): they take it up and reserve its
room under the lock, read and decode without it, and put what came. Whoever asks for a chunk that is
being read waits for it. So no chunk is read twice at once, and what is kept and what is being read
never take more than the budget, however slow those are who ask.

What goes wrong on a reading thread is forgotten: the chunk stays withheld until it is asked for,
and who asks reads it and meets the fault. The threads start with the first chunk there is to read.
They are daemons: a process does not wait for one that hangs in a file system.
"""

import logging
import threading
import time
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

from qmpi.config.memory import CHUNK_TOKENS
from qmpi.corpora.known_future import Coming, KnownFuture, Read, SizeOf
from qmpi.errors import InvariantError, QmpiError
from qmpi.policy.eviction.lookahead import CREDIT_SHARE, Lookahead
from qmpi.storage.shard_layout import ChunkKey
from qmpi.units import Seconds

if TYPE_CHECKING:
    from qmpi.storage.shard_reader import TokenArray

logger = logging.getLogger(__name__)

READERS = 4
"""Threads that read ahead; a slow file system answers several requests in the time of one."""

FEWEST = READERS * 2 * CHUNK_TOKENS
"""Bytes for which others go that small budgets spend too, up to a quarter: a chunk a thread."""


class ReadAhead(KnownFuture):
    """A cache of chunks that knows which ones come, and has them read.

    `get` and `put` are called by one thread, which has called `get` for what it puts.
    """

    def __init__(
        self,
        budget: int,
        *,
        ttl: float = inf,
        clock: Callable[[], Seconds],
        readers: int = READERS,
    ) -> None:
        """Keep nothing, start nothing.

        Args:
            budget: most bytes kept and being read, >= 0.
            ttl: seconds for which a chunk is kept at most, > 0.
            clock: tells the time, for `ttl`.
            readers: threads that read ahead, >= 1.
        """
        credit = max(budget // CREDIT_SHARE, min(budget // 4, FEWEST))
        self._ahead: Lookahead[ChunkKey] = Lookahead(credit)
        super().__init__(budget, self._ahead, ttl=ttl, clock=clock)
        self.guard = threading.Lock()
        self._read: Read | None = None
        self._size_of: SizeOf = _unknown
        self._most = readers
        self._lock = threading.Lock()
        self._wanted, self._landed = (threading.Condition(self._lock) for _ in range(2))
        self._flying: set[ChunkKey] = set()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._is_stopped = False

    def serve(self, read: Read, size_of: SizeOf) -> None:
        """Learn how chunks are read.

        Args:
            read: reads and decodes a chunk; called by several threads at a time.
            size_of: bytes of a chunk that was foreseen, once it is decoded.
        """
        self._read, self._size_of = read, size_of

    def get(self, key: ChunkKey) -> "TokenArray | None":
        """Look for a chunk; one that is being read is waited for.

        Args:
            key: what is wanted.

        Returns:
            Its ids; None if it is not kept: then read it, and `put` it.
        """
        with self._lock:
            self._landed.wait_for(lambda: key not in self._flying)
            chunk = super().get(key)
            if chunk is None:
                self._ahead.withhold(key)
            self._nudge()
        return chunk

    def put(self, key: ChunkKey, value: "TokenArray", size: int) -> None:
        """Keep a chunk, if the order lets it in.

        Args:
            key: its name; `get` has missed it.
            value: its ids.
            size: bytes, >= 0.
        """
        with self._lock:
            super().put(key, value, size)
            self._ahead.offer(key)
            self._nudge()

    def discard(self, key: ChunkKey) -> None:
        """Keep a chunk no longer, if it is kept.

        Args:
            key: its name.
        """
        with self._lock:
            super().discard(key)

    def foresee(self, coming: Coming, passed: int, *, is_anew: bool) -> None:
        """Learn what will be asked for, and begin to read it.

        Args:
            coming: what is new.
            passed: place of the first block that may still be asked for.
            is_anew: what was told before does not hold any more.
        """
        with self._lock:
            super().foresee(coming, passed, is_anew=is_anew)
            self._nudge()

    def stop(self, patience: Seconds) -> bool:
        """Read nothing ahead any more.

        Args:
            patience: seconds to wait for what is being read.

        Returns:
            Whether all reading threads have ended; one may hang in its file system.
        """
        with self._lock:
            self._is_stopped = True
            self._wanted.notify_all()
        until = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _nudge(self) -> None:
        """Wake or start a thread if there is something to read; the lock is held."""
        if self._is_stopped or self._ahead.choose(self.free, self._size_of) is None:
            return
        if self._idle:
            self._wanted.notify()
        elif len(self._threads) < self._most:
            self._start()

    def _start(self) -> None:
        name = f"reads ahead {len(self._threads)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            # Without it chunks are read as they are asked for.
            logger.warning("chunks are read ahead by %d threads: %s", len(self._threads), error)
            self._most = len(self._threads)
        else:
            self._threads.append(thread)

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            key, size = taken
            chunk = self._try(key)
            with self._lock:
                self._flying.discard(key)
                self.release(size)
                if chunk is None:
                    self._ahead.give_up(key)
                else:
                    super().put(key, chunk, chunk.nbytes)
                self._landed.notify_all()

    def _next(self) -> tuple[ChunkKey, int] | None:
        with self._lock:
            while not self._is_stopped:
                taken = self._take()
                if taken is not None:
                    self._nudge()
                    return taken
                self._idle += 1
                self._wanted.wait()
                self._idle -= 1
        return None

    def _take(self) -> tuple[ChunkKey, int] | None:
        key = self._ahead.choose(self.free, self._size_of)
        size = 0 if key is None else self._size_of(key)
        if key is None or not self.reserve(key, size):
            return None
        self._ahead.take_up(key, size)
        self._flying.add(key)
        return key, size

    def _try(self, key: ChunkKey) -> "TokenArray | None":
        # Whatever is wrong, who asks for the chunk meets it again, and answers for it.
        try:
            return None if self._read is None else self._read(key)
        except (QmpiError, OSError, MemoryError) as error:
            logger.info("chunk %d of shard %d is not read ahead: %s", key.chunk, key.shard, error)
        except Exception:
            logger.exception("chunk %d of shard %d is not read ahead", key.chunk, key.shard)
        return None


def _unknown(key: ChunkKey) -> int:
    raise InvariantError(f"{key} was foreseen before it was said how chunks are read")
