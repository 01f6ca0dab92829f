"""Data port: the sources of one process, opened and read on one thread.

Theory of operation. Memory and generator roles of a rank share the sources. What is wrong with a
source's files is told of the block or rows it spoils; what is wrong with the job (a source that
does not fit the model) ends it, as a crash.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from qmpi.config.settings import Settings
from qmpi.corpora.levels import FrameLevels
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
from qmpi.runtime.worker import Task, Worker
from qmpi.units import Seconds

logger = logging.getLogger(__name__)


def _now() -> Seconds:
    return Seconds(time.monotonic())


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
        self._sources = Sources(settings, cache, _now, levels)
        self._worker, self._is_used = Worker("data"), False

    def submit(self, work: DataWork, reply: Reply) -> None:
        """Queue a piece of work.

        Args:
            work: what to do.
            reply: takes its event.
        """
        self._is_used = True
        self._worker.submit(Task(lambda: self._do(work), reply))

    def settle(self, patience: Seconds) -> bool:
        """Leave nothing in the levels, and log what became of chunks; for a process about to leave.

        Args:
            patience: seconds.

        Returns:
            True if it is done.
        """
        if not self._is_used:
            return True
        self._worker.submit(Task(self._close, _nobody))
        return self._worker.settle(patience)

    def _close(self) -> None:
        if told := self._sources.close():
            logger.info("%s", told)

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
        return BlockBuilt(work.step, work.lane, digest, frame)

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
