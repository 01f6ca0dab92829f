"""Data port: the sources of one process, opened and read on one thread.

Theory of operation. Memory and generator roles of a rank share the sources. What is wrong with a
source's files is told of the block or rows it spoils; what is wrong with the job (a source that
does not fit the model) ends it, as a crash.
"""

import logging
import time
from math import inf
from pathlib import Path

from qmpi.config.memory import MemorySettings
from qmpi.config.settings import Settings
from qmpi.corpora.sources import Sources
from qmpi.errors import InvariantError, PeerError, StorageError
from qmpi.ports.base import Event, Reply
from qmpi.ports.data import (
    BlockBroken,
    BlockBuilt,
    BuildBlock,
    DataWork,
    MakeRows,
    OpenSources,
    RowsBroken,
    RowsMade,
    SourcesOpened,
)
from qmpi.runtime.memory_watch import MemoryWatch
from qmpi.runtime.read_ahead import ReadAhead
from qmpi.runtime.worker import Task, Worker
from qmpi.units import Seconds

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

    def __init__(self, settings: Settings, cache: Path) -> None:
        """Open nothing yet.

        Args:
            settings: the job.
            cache: directory of built-in corpora.
        """
        self._ahead = _reads_ahead(settings.memory)
        self._sources = Sources(settings, cache, _now, self._ahead)
        self._worker = Worker("data")
        self._watch = MemoryWatch()

    def submit(self, work: DataWork, reply: Reply) -> None:
        """Queue a piece of work.

        Args:
            work: what to do.
            reply: takes its event.
        """
        self._worker.submit(Task(lambda: self._do(work), reply))

    def settle(self, patience: Seconds) -> bool:
        """Read nothing ahead any more: the process leaves.

        Args:
            patience: seconds to wait at most; less is waited for a read, which nobody needs.

        Returns:
            Whether nothing is being read ahead.
        """
        return self._ahead is None or self._ahead.stop(min(patience, LEAVING_PATIENCE))

    def _do(self, work: DataWork) -> Event:
        # Asked again, this says the same: a role may build before it has opened.
        facts = self._sources.open()
        match work:
            case OpenSources():
                return SourcesOpened(facts)
            case BuildBlock():
                return self._build(work)
            case MakeRows():
                return self._make(work)
            case _:
                raise InvariantError(f"no data port knows {work!r}")

    def _build(self, work: BuildBlock) -> BlockBuilt | BlockBroken:
        if work.coming is not None:
            self._sources.foresee(work.coming)
        try:
            digest, frame = self._sources.build(work.rows, work.made)
        except (StorageError, PeerError) as error:
            # A shard that is damaged, or rows from another rank that do not fit the block.
            logger.warning("block (%d, %d) cannot be built: %s", work.step, work.lane, error)
            return BlockBroken(work.step, work.lane, str(error))
        alert = self._watch.look()
        if alert:
            logger.warning("this rank %s", alert)
        return BlockBuilt(work.step, work.lane, digest, frame, alert)

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
