"""Books port: journal, status and end marker of a run, on disk.

Theory of operation. Entries are written on the driver's thread, in the order asked: they are small,
and a role that has asked for one may count on it. A journal that could not be written has a hole;
until the same records are given again nothing that would hide the hole is written: no later record,
and no end marker that promises a whole journal. A run that failed may still say so.
"""

import logging
from pathlib import Path

from qmpi.errors import InvariantError, StorageError
from qmpi.ports.books import AppendJournal, BooksBroken, Entry, WriteEnd, WriteStatus
from qmpi.protocol.journal import JournalRecord
from qmpi.protocol.status import EndMarker
from qmpi.storage.journal import JournalWriter
from qmpi.storage.status_file import write_end, write_status

logger = logging.getLogger(__name__)


class DiskBooks:
    """Books of the run in a directory; a farm has no journal."""

    def __init__(self, run: Path, journal: JournalWriter | None = None) -> None:
        """Open the books.

        Args:
            run: directory of the run.
            journal: of the run; None if it keeps none.
        """
        self._run = run
        self._journal = journal
        self._owed: tuple[JournalRecord, ...] = ()
        self._fault: BooksBroken | None = None

    def write(self, entry: Entry) -> BooksBroken | None:
        """Write an entry.

        Args:
            entry: what to write.

        Returns:
            None if it is written.
        """
        try:
            return self._write(entry)
        except StorageError as error:
            logger.warning("the books are broken: %s", error)
            return BooksBroken(type(entry).__name__, str(error), int(error.exit_code))

    def _write(self, entry: Entry) -> BooksBroken | None:
        match entry:
            case AppendJournal(records):
                return self._append(records)
            case WriteStatus(report):
                write_status(self._run, report)
            case WriteEnd(marker):
                return self._end(marker)
            case _:
                raise InvariantError(f"no books know {entry!r}")
        return None

    def _append(self, records: tuple[JournalRecord, ...]) -> BooksBroken | None:
        if self._journal is None:
            raise InvariantError("a journal record for a run that keeps no journal")
        if self._fault is not None and records[: len(self._owed)] != self._owed:
            return self._fault
        try:
            self._journal.append(records)
        except StorageError as error:
            self._owed = records
            self._fault = BooksBroken(AppendJournal.__name__, str(error), int(error.exit_code))
            raise
        self._owed, self._fault = (), None
        return None

    def _end(self, marker: EndMarker) -> BooksBroken | None:
        if self._fault is not None and marker.state != "failed":
            reason = f"the journal before it is not whole: {self._fault.reason}"
            return BooksBroken(WriteEnd.__name__, reason, self._fault.exit_code)
        if self._journal is not None and self._fault is None:
            self._journal.sync()
        write_end(self._run, marker)
        return None
