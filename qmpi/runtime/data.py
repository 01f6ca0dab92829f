"""Data port: the sources of one process, opened and read on one thread.

Theory of operation. Memory and generator roles of a rank share the sources. What is wrong with a
source's files is told of the block or rows it spoils; what is wrong with the job (a source that
does not fit the model) ends it, as a crash.
"""

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from qmpi.config.settings import Settings
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
    SourcesOpened,
)
from qmpi.runtime.worker import Task, Worker
from qmpi.units import Digest, Seconds

if TYPE_CHECKING:
    from qmpi.corpora.sent_blocks import SentBlocks

logger = logging.getLogger(__name__)


def _now() -> Seconds:
    return Seconds(time.monotonic())


class FileData:
    """Sources in files, and generated ones."""

    def __init__(self, settings: Settings, cache: Path) -> None:
        """Open nothing yet.

        Args:
            settings: the job.
            cache: directory of built-in corpora.
        """
        self._sources = Sources(settings, cache, _now)
        self._settings = settings
        self._sent: SentBlocks | None = None
        self._worker = Worker("data")

    def submit(self, work: DataWork, reply: Reply) -> None:
        """Queue a piece of work.

        Args:
            work: what to do.
            reply: takes its event.
        """
        self._worker.submit(Task(lambda: self._do(work), reply))

    def _do(self, work: DataWork) -> Event:
        # Asked again, this says the same: a role may build before it has opened.
        self._sources.open()
        match work:
            case OpenSources():
                return self._open(work)
            case BuildBlock():
                return self._build(work)
            case MakeRows():
                return self._make(work)
            case _:
                raise InvariantError(f"no data port knows {work!r}")

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
            # A shard that is damaged, or rows from another rank that do not fit the block.
            logger.warning("block (%d, %d) cannot be built: %s", work.step, work.lane, error)
            return BlockBroken(work.step, work.lane, str(error))
        return BlockBuilt(work.step, work.lane, self._packed(digest, frame))

    def _packed(self, digest: Digest, ids: bytes) -> Block:
        if self._settings.memory.codec == "none":
            return Block(digest, ids)
        from qmpi.corpora.sent_blocks import SentBlocks  # loads numpy, as all that builds blocks
        from qmpi.storage.block_builder import block_digest
        from qmpi.storage.shard_layout import dtype_name

        if self._sent is None:
            job = self._settings
            self._sent = SentBlocks(job.memory.codec, dtype_name(job.model.vocab_size))
        frame, codec = self._sent.sent(ids)
        return Block(digest, frame, codec, block_digest(frame) if codec else Digest(""))

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
