"""The books, modelled: journal, status and end marker in memory, on a disk that may be full.

A journal that lacks a record takes no more, nor the end marker: what follows a hole would be read
as the whole story.
"""

from qmpi.errors import StorageError
from qmpi.ports.books import AppendJournal, BooksBroken, Entry, WriteEnd, WriteStatus
from qmpi.simulator.files import DISK, Files
from qmpi.simulator.surroundings import Surroundings


class SimulatedBooks:
    """The books of a run, as one process keeps them.

    Invariants: nothing is written after a record that is missing.
    """

    def __init__(self, around: Surroundings) -> None:
        """Open the books.

        Args:
            around: the machine.
        """
        self._around = around
        self._hole = ""

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
        if self._hole and not isinstance(entry, WriteStatus):
            raise StorageError(f"the journal lacks a record since then: {self._hole}")
        try:
            files.check_room(DISK, f"the books ({type(entry).__name__})")
        except StorageError as error:
            if isinstance(entry, AppendJournal):
                self._hole = str(error)
            raise
        match entry:
            case AppendJournal(records):
                files.journal.extend(records)
            case WriteStatus(report):
                files.status = report
                files.statuses += 1
            case WriteEnd(marker):
                files.end = marker
            case _:
                raise StorageError(f"{entry!r} is no entry of the books")
