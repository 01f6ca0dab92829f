"""Data port: the sources of one process, opened and read on one thread.

Theory of operation. Memory and generator roles of a rank share the sources. What is wrong with a
source's files is told of the block or rows it spoils, and whether they are damaged or out of reach
for now; what is wrong with the job (a source that does not fit the model) ends it, as a crash. A
read that hangs holds up this thread alone.
"""

import logging
import time
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from qmpi.config.memory import MemorySettings
from qmpi.config.settings import Settings
from qmpi.corpora.levels import FrameLevels
from qmpi.corpora.sources import Sources
from qmpi.errors import InputError, InvariantError, PeerError, StorageError
from qmpi.ports.base import Event, Reply
from qmpi.ports.data import (
    Block,
    BlockBroken,
    BlockBuilt,
    BuildBlock,
    DataWork,
    MakeRows,
    OpenSources,
    RowsBroken,
    RowsMade,
    SourcesAway,
    SourcesOpened,
)
from qmpi.protocol.blocks import frame_digest
from qmpi.runtime.memory_watch import MemoryWatch
from qmpi.runtime.read_ahead import ReadAhead
from qmpi.runtime.worker import Task, Worker
from qmpi.storage.os_errors import is_out_of_reach
from qmpi.units import Digest, Seconds

if TYPE_CHECKING:
    from qmpi.corpora.sent_blocks import SentBlocks

logger = logging.getLogger(__name__)

LEAVING_PATIENCE = Seconds(0.5)
"""What a process that leaves waits for a chunk that is being read ahead; some file systems hang."""


def _now() -> Seconds:
    return Seconds(time.monotonic())


def _reads_ahead(memory: MemorySettings) -> ReadAhead | None:
    # Who decides by the past is no judge of what to read before it is asked for.
    if memory.policy != "clairvoyant":
        return None
    return ReadAhead(memory.budget, ttl=memory.ttl_seconds or inf, clock=_now)


class FileData:
    """Sources in files, and generated ones."""

    def __init__(
        self, settings: Settings, cache: Path, levels: Callable[[], FrameLevels] = FrameLevels
    ) -> None:
        """Open nothing yet.

        Args:
            settings: the job.
            cache: directory of built-in corpora.
            levels: opens those between the chunks that are kept and the shards.
        """
        self._ahead = _reads_ahead(settings.memory)
        self._sources = Sources(settings, cache, _now, levels, self._ahead)
        self._settings = settings
        self._sent: SentBlocks | None = None
        self._worker, self._is_used = Worker("data"), False
        self._watch = MemoryWatch()
        self._told = ""

    def submit(self, work: DataWork, reply: Reply) -> None:
        """Queue a piece of work.

        Args:
            work: what to do.
            reply: takes its event.
        """
        self._is_used = True
        self._worker.submit(Task(lambda: self._do(work), reply))

    def close(self, patience: Seconds, ahead: Seconds = LEAVING_PATIENCE) -> bool:
        """Read nothing ahead any more, leave nothing in the levels, say what became of chunks.

        The last call: threads that still work in a library while the interpreter ends bring the
        process down.

        Args:
            patience: seconds to wait for what was asked for.
            ahead: seconds to wait for what is read ahead, which nobody needs.

        Returns:
            True if it is done, and no thread is left.
        """
        is_still = self._ahead is None or self._ahead.stop(ahead)
        if self._is_used:
            self._worker.submit(Task(self._close, _nobody))
        return self._worker.close(patience) and is_still

    def _close(self) -> None:
        if told := self._sources.close():
            logger.info("%s", told)

    def _do(self, work: DataWork) -> Event:
        # Asked again, this says the same: a role may build before it has opened.
        try:
            self._sources.open()
        except (StorageError, InputError, OSError) as error:
            if not self._may_come_back(error):
                raise
            return self._away(work, str(error))
        match work:
            case OpenSources():
                return self._open(work)
            case BuildBlock():
                return self._build(work)
            case MakeRows():
                return self._make(work)
            case _:
                raise InvariantError(f"no data port knows {work!r}")

    def _may_come_back(self, error: Exception) -> bool:
        # Without its directory a corpus seems to be none, whose fault that may be.
        return (
            self._sources.is_absent() if isinstance(error, InputError) else is_out_of_reach(error)
        )

    def _away(self, work: DataWork, reason: str) -> Event:
        self._tell(f"the sources cannot be opened: {reason}")
        match work:
            case BuildBlock():
                return BlockBroken(work.step, work.lane, reason, is_away=True)
            case MakeRows():
                asked = (work.requester, work.step, work.lane, work.source)
                return RowsBroken(*asked, reason)
            case _:
                return SourcesAway(reason)

    def _tell(self, words: str) -> None:
        # Blocks are tried again and again while a file system is away: once says it.
        if words != self._told:
            self._told = words
            logger.warning("%s", words)

    def _open(self, work: OpenSources) -> SourcesOpened:
        proposed = work.proposal.sources if work.proposal is not None else ()
        request, fault = work.proposal.request if work.proposal is not None else "", ""
        try:
            self._sources.add(work.added, proposed)
        except (InputError, StorageError) as error:
            # Of a source that was added, not of the job: what else is drawn from can be served.
            fault = str(error)
            logger.warning("a source cannot be added: %s", fault)
        return SourcesOpened(self._sources.facts, request, fault)

    def _build(self, work: BuildBlock) -> BlockBuilt | BlockBroken:
        if work.coming is not None:
            self._sources.foresee(work.coming)
        try:
            digest, frame = self._sources.build(work.rows, work.made)
        except (StorageError, PeerError) as error:
            # A shard that is damaged or out of reach, or rows of another rank that do not fit.
            self._tell(f"blocks cannot be built: {error}")
            return BlockBroken(work.step, work.lane, str(error), is_out_of_reach(error))
        self._told = ""
        alert = self._watch.look()
        if alert:
            logger.warning("this rank %s", alert)
        block = self._packed(digest, frame)
        return BlockBuilt(work.step, work.lane, block, alert, self._sources.uses())

    def _packed(self, digest: Digest, ids: bytes) -> Block:
        if self._settings.memory.codec == "none":
            return Block(digest, ids)
        from qmpi.corpora.sent_blocks import SentBlocks  # loads numpy, as all that builds blocks
        from qmpi.storage.shard_layout import dtype_name

        if self._sent is None:
            job = self._settings
            self._sent = SentBlocks(job.memory.codec, dtype_name(job.model.vocab_size))
        frame, codec = self._sent.sent(ids)
        return Block(digest, frame, codec, frame_digest(frame) if codec else Digest(""))

    def _make(self, work: MakeRows) -> RowsMade | RowsBroken:
        asked = (work.requester, work.step, work.lane, work.source)
        if not self._sources.makes(work.source):
            return RowsBroken(*asked, f"no generated source is called {work.source!r}")
        try:
            frame = self._sources.make(work.source, work.rows)
        except StorageError as error:
            logger.warning("rows of source %s cannot be made: %s", work.source, error)
            return RowsBroken(*asked, str(error))
        return RowsMade(*asked, frame)


def _nobody(event: Event) -> None:
    """Take an event that nobody waits for."""
    del event
