"""Copies port: snapshots that were received, and parts of those that others pull, on one thread."""

import logging

from qmpi.errors import InputError, InvariantError, StorageError
from qmpi.ports.base import Event, Frame, Reply
from qmpi.ports.copies import (
    CopyWork,
    ForgetCopies,
    ReadSnapshotPart,
    SnapshotBroken,
    SnapshotRead,
    SnapshotStored,
    StoreSnapshot,
)
from qmpi.protocol.membership import SnapshotFact
from qmpi.runtime.copy_files import DISK, RAM, CopyFiles
from qmpi.runtime.worker import Task, Worker
from qmpi.units import Seconds

logger = logging.getLogger(__name__)


class FileCopies:
    """Copies in files."""

    def __init__(self, files: CopyFiles) -> None:
        """Start nothing yet.

        Args:
            files: of this rank.
        """
        self._files = files
        self._worker = Worker("copies")

    def submit(self, work: CopyWork, reply: Reply) -> None:
        """Queue a piece of work.

        Args:
            work: what to do.
            reply: takes its event, if it has one.
        """
        self._worker.submit(Task(lambda: self._do(work), reply))

    def settle(self, patience: Seconds) -> bool:
        """Wait until what was asked for is done; for a process about to leave.

        Args:
            patience: seconds.

        Returns:
            True if it is done.
        """
        return self._worker.settle(patience)

    def _do(self, work: CopyWork) -> Event | None:
        match work:
            case StoreSnapshot():
                return self._store(work)
            case ReadSnapshotPart():
                return self._read(work)
            case ForgetCopies():
                self._files.forget()
                return None
            case _:
                raise InvariantError(f"no copies port knows {work!r}")

    def _store(self, work: StoreSnapshot) -> SnapshotStored | SnapshotBroken:
        facts: list[SnapshotFact] = []
        faults: list[str] = []
        try:
            parts = self._parts(work)
        except StorageError as error:
            return SnapshotBroken(work.step, str(error), work.position)
        for place, wanted in ((RAM, work.to_ram), (DISK, work.to_disk)):
            if not wanted:
                continue
            try:
                fact = self._files.write(_wanted(work, place), parts)
            except StorageError as error:
                logger.warning("step %d has no copy in %s: %s", work.step, place, error)
                faults.append(str(error))
            else:
                facts.append(fact)
        fault = "; ".join(faults)
        if not facts:
            place = RAM if work.to_ram and not work.to_disk else ""
            return SnapshotBroken(
                work.step, fault or "no place was named", work.position, place
            )  # fmt: skip
        return SnapshotStored(tuple(facts), fault)

    def _parts(self, work: StoreSnapshot) -> tuple[Frame, ...]:
        # Parts that came by messages are verified as they are written.
        return work.parts or (self._files.payload(work.path, work.digest),)

    def _read(self, work: ReadSnapshotPart) -> SnapshotRead | SnapshotBroken:
        try:
            data = self._files.part(work.path, work.part * work.part_size, work.part_size)
        except (StorageError, InputError) as error:
            return SnapshotBroken(work.step, str(error), work.position)
        return SnapshotRead(work.requester, work.step, work.part, data, work.position)


def _wanted(work: StoreSnapshot, place: str) -> SnapshotFact:
    return SnapshotFact(work.step, work.digest, place, "", work.position, work.branch, work.skipped)
