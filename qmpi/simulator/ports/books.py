"""The books, modelled: journal, status and end marker in memory, on a disk that may be full.

A journal that lacks a record takes no other until that one is given again, nor an end marker that
promises a whole journal: what follows a hole would be read as the whole story.
"""

from qmpi.errors import StorageError
from qmpi.ports.books import AppendJournal, BooksBroken, Entry, WriteEnd, WriteStatus
from qmpi.protocol.journal import JournalRecord
from qmpi.simulator.files import DISK, Files
from qmpi.simulator.surroundings import Surroundings


class SimulatedBooks:
    """The books of a run, as one process keeps them.

    Invariants: `owed` are the records that the journal lacks, in order; nothing is written over
    them.
    """

    def __init__(self, around: Surroundings) -> None:
        """Open the books.

        Args:
            around: the machine.
        """
        self._around = around
        self._owed: tuple[JournalRecord, ...] = ()

    def write(self, entry: Entry) -> BooksBroken | None:
        """Write an entry.

        Args:
            entry: what to write.

        Returns:
            None if it is written.
        """
        name = type(entry).__name__
        try:
            self._write(self._around.files, entry)
        except StorageError as error:
            return BooksBroken(name, str(error), int(error.exit_code))
        self._around.onlooker.written(entry)
        return None

    def _write(self, files: Files, entry: Entry) -> None:
        match entry:
            case AppendJournal(records):
                self._append(files, records)
            case WriteStatus(report):
                _check_room(files, entry)
                files.status = report
                files.statuses += 1
            case WriteEnd(marker):
                if self._owed and marker.state != "failed":
                    raise StorageError("the journal before the end lacks records")
                _check_room(files, entry)
                files.end = marker
            case _:
                raise StorageError(f"{entry!r} is no entry of the books")

    def _append(self, files: Files, records: tuple[JournalRecord, ...]) -> None:
        if records[: len(self._owed)] != self._owed:
            raise StorageError("the journal lacks records that were given before")
        self._owed = records
        _check_room(files, AppendJournal(records))
        files.journal.extend(records)
        self._owed = ()


def _check_room(files: Files, entry: Entry) -> None:
    files.check_room(DISK, f"the books ({type(entry).__name__})")
