"""The real books, in a folder whose disk can be filled."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.real.full_disk import FullDisks, full_disks

from qmpi.protocol.journal import JournalRecord
from qmpi.protocol.status import EndMarker, StatusReport
from qmpi.runtime.books import DiskBooks
from qmpi.storage.journal import JournalWriter, read_journal
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.status_file import read_end, read_status

ROOM = 40
"""Bytes that a full disk still takes: a line is torn before it is refused."""


class RealWorld:
    """Books of a run in a folder."""

    def __init__(self, folder: Path, disks: FullDisks, kind: type[DiskBooks] = DiskBooks) -> None:
        self.folder = folder
        self._disks = disks
        self._journal = RunDirectory(folder).journal
        self.books = kind(folder, JournalWriter.open(self._journal))

    def fill(self) -> None:
        self._disks.fill(self.folder, ROOM)

    def free(self) -> None:
        self._disks.free()

    def journal(self) -> list[JournalRecord]:
        # A line that was torn is skipped by readers, yet it must not stay: the next record would
        # be glued to it.
        text = self._journal.read_bytes()
        assert not text or text.endswith(b"\n")
        return list(read_journal(self._journal))

    def status(self) -> StatusReport | None:
        return read_status(self.folder) if RunDirectory(self.folder).status.exists() else None

    def end(self) -> EndMarker | None:
        return read_end(self.folder)


@contextmanager
def real_world(folder: Path, kind: type[DiskBooks] = DiskBooks) -> Iterator[RealWorld]:
    """Offer books whose disk works; the caller may break it."""
    with full_disks() as disks:
        yield RealWorld(folder, disks, kind)
