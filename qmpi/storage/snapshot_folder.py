"""One folder that one or several writers fill with snapshots of a run: room, writing, pruning.

Theory of operation. A snapshot is written beside those that stand, and older ones go once it
stands: a writer that dies, or a full file system, leaves what was there. Memory is dear, so in RAM
the older ones but the newest go first, and the newest too if the file system has no room for two;
never if even that would not be room enough.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from qmpi.errors import StorageError
from qmpi.storage.os_errors import explained, is_full
from qmpi.storage.snapshot_file import NO_DIGEST, SnapshotBuffer, digest_of, write_snapshot
from qmpi.storage.snapshot_format import SnapshotHeader
from qmpi.storage.snapshot_store import Written, meta_of, prune, room_without, snapshot_path
from qmpi.units import Bytes, Digest, Step

logger = logging.getLogger(__name__)

HEAD_BYTES = Bytes(64 << 10)
"""More than a head and the file system's own needs come to."""


class SnapshotFolder:
    """Where the copies of one place lie.

    Attributes:
        path: the folder; made when it is first written to.
    """

    def __init__(self, path: Path, run_id: str, *, keep: int, in_ram: bool) -> None:
        """Name the folder.

        Args:
            path: where.
            run_id: identity of the run.
            keep: snapshots of a position that stay, >= 1.
            in_ram: its file system takes memory, and needs no flushing to a device.
        """
        self.path = path
        self._run_id = run_id
        self._keep = keep
        self._in_ram = in_ram

    def write(
        self,
        step: Step,
        digest: Digest,
        parts: Sequence[SnapshotBuffer],
        position: int | None,
        *,
        branch: int = 0,
        skipped: int = 0,
    ) -> Path:
        """Write a snapshot and drop those that are too old.

        Args:
            step: weights are those before this step.
            digest: SHA-256 of the payload.
            parts: the payload, in order.
            position: whose part of the state it is; None: a whole one.
            branch: as in `SnapshotFact`.
            skipped: as in `SnapshotFact`.

        Returns:
            The file.

        Raises:
            StorageError: no room, or the operating system refused; what stood stays.
            CorruptData: the parts do not have that digest.
        """
        size = Bytes(sum(memoryview(part).nbytes for part in parts))
        meta = meta_of(position, branch, skipped)
        header = SnapshotHeader(step=step, size=size, digest=digest, run_id=self._run_id, meta=meta)
        written = Written(step, branch, skipped, self._run_id)
        # What is damaged must not cost a copy that is not.
        self._write(header, parts, position, written, lambda: digest_of(parts) == digest)
        return snapshot_path(self.path, step, position)

    def write_stream(
        self,
        step: Step,
        size: Bytes,
        parts: Iterable[SnapshotBuffer],
        position: int | None,
        *,
        branch: int = 0,
        skipped: int = 0,
    ) -> tuple[Path, Digest]:
        """Write a snapshot whose parts come one after the other, and drop those that are too old.

        Args:
            step: weights are those before this step.
            size: bytes of the payload.
            parts: of it, in order; walked through once, so no room is made in between.
            position: whose part of the state it is; None: a whole one.
            branch: as in `SnapshotFact`.
            skipped: as in `SnapshotFact`.

        Returns:
            The file, and SHA-256 of the payload.

        Raises:
            StorageError: no room, or the operating system refused; what stood stays.
        """
        meta = meta_of(position, branch, skipped)
        header = SnapshotHeader(
            step=step, size=size, digest=NO_DIGEST, run_id=self._run_id, meta=meta
        )
        written = Written(step, branch, skipped, self._run_id)
        made = self._write(header, parts, position, written, lambda: False)
        return snapshot_path(self.path, step, position), made.digest

    def _write(
        self,
        header: SnapshotHeader,
        parts: Iterable[SnapshotBuffer],
        position: int | None,
        written: Written,
        can_repeat: Callable[[], bool],
    ) -> SnapshotHeader:
        with explained("make the snapshot directory", self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        path, durable = snapshot_path(self.path, header.step, position), not self._in_ram
        if self._in_ram:
            prune(self.path, max(1, self._keep - 1), position, written)
        try:
            made = write_snapshot(path, header, parts, durable=durable)
        except StorageError as error:
            again = is_full(error) and can_repeat()
            if not again or not self._made_room(header.size, position, written):
                raise
            logger.warning("older snapshots in %s made room for a new one", self.path)
            made = write_snapshot(path, header, parts, durable=durable)
        try:
            prune(self.path, self._keep - 1, position, written)
        except StorageError as error:
            logger.warning("an old snapshot stays: %s", error)
        return made

    def _made_room(self, size: Bytes, position: int | None, written: Written) -> bool:
        """Remove what may go, if that is of use.

        Returns:
            True if something went.
        """
        if not self._in_ram:
            return bool(prune(self.path, max(1, self._keep - 1), position, written))
        if room_without(self.path, position, written) < size + HEAD_BYTES:
            return False
        return bool(prune(self.path, 0, position, written))
