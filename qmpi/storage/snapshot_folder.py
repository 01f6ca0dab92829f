"""One folder that one or several writers fill with snapshots of a run: room, writing, pruning.

Theory of operation. A snapshot is written beside those that stand, and older ones go once it
stands: a writer that dies, or a full file system, leaves what was there. Memory is dear, so in RAM
the older ones but the newest go first, and the newest too if the file system has no room for two;
never if even that would not be room enough.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from qmpi.errors import StorageError
from qmpi.storage.os_errors import explained, is_full
from qmpi.storage.snapshot_file import SnapshotBuffer, digest_of, write_snapshot
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
        with explained("make the snapshot directory", self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        size = Bytes(sum(memoryview(part).nbytes for part in parts))
        meta = meta_of(position, branch, skipped)
        written = Written(step, branch, skipped, self._run_id)
        header = SnapshotHeader(
            step=step, size=size, digest=digest, run_id=self._run_id, meta=meta
        )  # fmt: skip
        path = snapshot_path(self.path, step, position)
        if self._in_ram:
            prune(self.path, max(1, self._keep - 1), position, written)
        self._write(path, header, parts, position, written)
        try:
            prune(self.path, self._keep - 1, position, written)
        except StorageError as error:
            logger.warning("an old snapshot stays: %s", error)
        return path

    def _write(
        self,
        path: Path,
        header: SnapshotHeader,
        parts: Sequence[SnapshotBuffer],
        position: int | None,
        written: Written,
    ) -> None:
        try:
            write_snapshot(path, header, parts, durable=not self._in_ram)
        except StorageError as error:
            # What is damaged must not cost a copy that is not.
            is_sound = is_full(error) and digest_of(parts) == header.digest
            if not is_sound or not self._made_room(header.size, position, written):
                raise
            logger.warning("older snapshots in %s made room for a new one", self.path)
            write_snapshot(path, header, parts, durable=not self._in_ram)

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
