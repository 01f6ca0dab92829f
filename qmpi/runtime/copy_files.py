"""The files behind the copies: RAM files of this host, checkpoints on disk.

Theory of operation. Each rank writes into its own folder of the node-local RAM directory, so that a
trainer and a replica on one host hold two independent copies: a torn or flipped one is found by its
digest and the other is used. Engine and copies threads both write; each place has a lock, so that
none prunes what the other writes.
"""

import logging
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec.structs import replace

from qmpi.config.settings import Settings
from qmpi.errors import StorageError
from qmpi.ports.base import Frame
from qmpi.protocol.membership import SnapshotFact
from qmpi.storage.noted_places import noted_places
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.snapshot_file import read_part, read_payload
from qmpi.storage.snapshot_folder import SnapshotFolder
from qmpi.storage.snapshot_store import (
    drop_ram,
    find_snapshots,
    forget_ram,
    ram_directory,
    ram_folder,
)
from qmpi.units import Bytes, Digest, Rank

logger = logging.getLogger(__name__)

RAM = "ram"
DISK = "disk"


class CopyFiles:
    """Snapshot files within reach of one rank; any thread may call."""

    def __init__(
        self, settings: Settings, run_id: str, rank: Rank, directory: RunDirectory
    ) -> None:
        """Name the folders.

        Args:
            settings: where, how many, and whether a rank holds a part of the state only.
            run_id: identity of the run; files of other runs are never read.
            rank: this rank.
            directory: of the run.
        """
        self._keep = settings.snapshot.keep
        self._ram_dir = settings.snapshot.ram_dir
        self._run_id = run_id
        self._rank = rank
        self._run, self._checkpoints = directory.root, directory.checkpoints
        before = (place for place in noted_places(directory, "ram_dirs") if place != self._ram_dir)
        self._old_places = list(before)
        self._in_parts = settings.parallel.team_size > 1
        self._locks = {RAM: threading.Lock(), DISK: threading.Lock()}

    def find(self) -> tuple[SnapshotFact, ...]:
        """Return every verified snapshot of the run within reach, newest first."""
        places: list[tuple[str, Path]] = []
        try:
            rams = [self._ram(), *self._old_rams()]
            places = [(RAM, folder) for ram in rams for folder in sorted(ram.glob("rank-*"))]
        except StorageError as error:
            logger.warning("no snapshots in RAM: %s", error)
        facts, faults = find_snapshots([*places, (DISK, self._checkpoints)], self._run_id)
        for fault in faults:
            logger.warning("snapshot left out: %s", fault)
        return tuple(facts)

    def write(self, wanted: SnapshotFact, parts: Sequence[Frame]) -> SnapshotFact:
        """Write a copy; older ones of its place go.

        Args:
            wanted: what it is and where it goes; the path is not looked at.
            parts: the payload, in order.

        Returns:
            The copy, with its path.

        Raises:
            StorageError: it cannot be written, or the parts are damaged.
        """
        with self._locks[wanted.place]:
            path = self._folder(wanted.place).write(
                wanted.step,
                wanted.digest,
                parts,
                wanted.position if self._in_parts else None,
                branch=wanted.branch,
                skipped=wanted.skipped,
            )
            if wanted.place == RAM:
                self._leave_old_places()
        return replace(wanted, path=str(path))

    def write_stream(
        self, wanted: SnapshotFact, parts: Iterable[Frame], size: Bytes
    ) -> SnapshotFact:
        """Write a copy whose parts come one after the other; older ones of its place go.

        Args:
            wanted: what it is and where it goes; path and digest are not looked at.
            parts: the payload, in order.
            size: bytes of all parts.

        Returns:
            The copy, with its path and digest.

        Raises:
            StorageError: it cannot be written.
        """
        with self._locks[wanted.place]:
            path, digest = self._folder(wanted.place).write_stream(
                wanted.step,
                size,
                parts,
                wanted.position if self._in_parts else None,
                branch=wanted.branch,
                skipped=wanted.skipped,
            )
            if wanted.place == RAM:
                self._leave_old_places()
        return replace(wanted, path=str(path), digest=digest)

    def payload(self, path: str, digest: Digest) -> memoryview:
        """Return the verified payload of a copy.

        Args:
            path: file.
            digest: that it must have; "" if any will do.

        Returns:
            Read-only bytes.

        Raises:
            CorruptData: it is damaged, or no longer the copy that was meant.
            StorageError: it cannot be read.
        """
        return read_payload(Path(path), digest)

    def part(self, path: str, offset: int, size: Bytes) -> bytes:
        """Return a part of a payload; whoever joins the parts verifies the whole.

        Args:
            path: file.
            offset: first byte.
            size: most bytes.

        Returns:
            The bytes.

        Raises:
            StorageError: it cannot be read, or is cut short.
        """
        return read_part(Path(path), offset, size)

    def forget(self) -> None:
        """Remove the copies of the run in this host's RAM."""
        self._leave_old_places()
        forget_ram(self._ram_dir, self._run_id, self._run)

    def _ram(self) -> Path:
        return ram_directory(self._ram_dir, self._run_id, self._run)

    def _old_rams(self) -> list[Path]:
        named = (ram_folder(place, self._run_id, self._run) for place in self._old_places)
        return [folder for folder in named if folder.is_dir()]

    def _leave_old_places(self) -> None:
        # Not before a newer copy stands in the new place: these may be the newest there are.
        while self._old_places:
            try:
                drop_ram(self._old_places[-1], self._run_id, self._run)
            except StorageError as error:
                logger.warning("old copies in RAM stay: %s", error)
            self._old_places.pop()

    def _folder(self, place: str) -> SnapshotFolder:
        if place == DISK:
            return SnapshotFolder(self._checkpoints, self._run_id, keep=self._keep, in_ram=False)
        own = self._ram() / f"rank-{self._rank}"
        return SnapshotFolder(own, self._run_id, keep=self._keep, in_ram=True)
