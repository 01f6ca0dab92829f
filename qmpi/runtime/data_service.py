"""Data work of memory and generator ranks, as events of roles: opened, built, made, or broken."""

import logging
from pathlib import Path

from qmpi.config.settings import Settings
from qmpi.corpora.sources import Sources
from qmpi.errors import CorruptData, StorageError
from qmpi.ports.data import (
    BlockBroken,
    BlockBuilt,
    BuildBlock,
    MakeRows,
    RowsBroken,
    RowsMade,
    SourcesOpened,
)

logger = logging.getLogger(__name__)


class DataService:
    """Sources of one process, shared by the memory and generator roles that it hosts.

    Only the data worker's thread touches it.
    """

    def __init__(self, settings: Settings, cache: Path) -> None:
        """Open nothing yet.

        Args:
            settings: the job.
            cache: directory of built-in corpora.
        """
        self._sources = Sources(settings, cache)

    def open(self) -> SourcesOpened:
        """Open the tokenizer and every source.

        Returns:
            Facts of all sources, in the order of the job file.

        Raises:
            InputError: a source does not fit the job (vocabulary, tokenizer, length).
        """
        return SourcesOpened(self._sources.open())

    def build(self, work: BuildBlock) -> BlockBuilt | BlockBroken:
        """Read and join the rows of a block.

        Args:
            work: which block, from which rows.

        Returns:
            The block, or what is wrong with its sources.
        """
        self._sources.open()
        try:
            digest, frame = self._sources.build(work.rows, work.made)
        except (CorruptData, StorageError) as error:
            logger.exception("block (%d, %d) cannot be built", work.step, work.lane)
            return BlockBroken(work.step, work.lane, str(error))
        return BlockBuilt(work.step, work.lane, digest, frame)

    def make(self, work: MakeRows) -> RowsMade | RowsBroken:
        """Generate rows.

        Args:
            work: which rows of which source.

        Returns:
            The rows, or why they cannot be made.
        """
        self._sources.open()
        if not self._sources.makes(work.source):
            reason = f"no generated source is called {work.source!r}"
            return RowsBroken(work.requester, work.step, work.lane, work.source, reason)
        frame = self._sources.make(work.source, work.rows)
        return RowsMade(work.requester, work.step, work.lane, work.source, frame)
