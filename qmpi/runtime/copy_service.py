"""Copies of the state in files: RAM files of this host, checkpoints on disk.

Each rank writes into its own folder of the node-local RAM directory, so that a trainer and a
replica on one host hold two independent copies: a torn or flipped one is found by its digest and
the other is used.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from qmpi.config.settings import SnapshotSettings
from qmpi.errors import StorageError
from qmpi.protocol.membership import SnapshotFact
from qmpi.roles.interface import (
    Frame,
    ReadSnapshotPart,
    SnapshotBroken,
    SnapshotRead,
    SnapshotStored,
    SnapshotTaken,
    StoreSnapshot,
)
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.snapshot_file import (
    SnapshotHeader,
    read_part,
    read_payload,
    write_snapshot,
)
from qmpi.storage.snapshot_store import (
    find_snapshots,
    forget_ram,
    prune,
    ram_directory,
    snapshot_path,
)
from qmpi.units import Bytes, Digest, Rank, Step

logger = logging.getLogger(__name__)


class CopyService:
    """Snapshot files within reach of one rank."""

    def __init__(
        self, settings: SnapshotSettings, run_id: str, rank: Rank, directory: RunDirectory
    ) -> None:
        """Name the folders.

        Args:
            settings: where and how many.
            run_id: identity of the run; files of other runs are never read.
            rank: this rank.
            directory: of the run.
        """
        self._keep = settings.keep
        self._run_id = run_id
        self._ram_dir = settings.ram_dir
        self._rank = rank
        self._run, self._checkpoints = directory.root, directory.checkpoints

    def find(self) -> tuple[SnapshotFact, ...]:
        """Return every verified snapshot of the run within reach, newest first."""
        ram = self._ram()
        folders = [("ram", folder) for folder in sorted(ram.glob("rank-*"))]
        facts, faults = find_snapshots([*folders, ("disk", self._checkpoints)], self._run_id)
        for fault in faults:
            logger.warning("snapshot left out: %s", fault)
        return tuple(facts)

    def take(
        self, step: Step, digest: Digest, parts: Sequence[Frame]
    ) -> SnapshotTaken | SnapshotBroken:
        """Write this rank's own state to a RAM file.

        Args:
            step: weights are those before this step.
            digest: SHA-256 of the payload.
            parts: the payload, in order.

        Returns:
            The fact, or what went wrong.
        """
        try:
            fact = self._write("ram", step, digest, parts)
        except StorageError as error:
            return SnapshotBroken(step, str(error))
        return SnapshotTaken(fact, Bytes(sum(len(part) for part in parts)))

    def store(self, work: StoreSnapshot) -> SnapshotStored | SnapshotBroken:
        """Verify a received snapshot and write it.

        Args:
            work: payload or file, digest, and where to.

        Returns:
            What is held now, or what went wrong.
        """
        try:
            parts = work.parts or (read_payload(Path(work.path)),)
            places = [p for p, wanted in (("ram", work.to_ram), ("disk", work.to_disk)) if wanted]
            facts = [self._write(place, work.step, work.digest, parts) for place in places]
        except StorageError as error:
            return SnapshotBroken(work.step, str(error))
        return SnapshotStored(tuple(facts))

    def read(self, work: ReadSnapshotPart) -> SnapshotRead | SnapshotBroken:
        """Read one part of a RAM file.

        Args:
            work: which part.

        Returns:
            The bytes, or what went wrong.
        """
        try:
            data = read_part(Path(work.path), work.part * work.part_size, work.part_size)
        except StorageError as error:
            return SnapshotBroken(work.step, str(error))
        return SnapshotRead(work.requester, work.step, work.part, data)

    def forget(self) -> None:
        """Remove the RAM files of the run on this host, after it has ended well."""
        forget_ram(self._ram_dir, self._run_id, self._run)

    def _ram(self) -> Path:
        return ram_directory(self._ram_dir, self._run_id, self._run)

    def _write(
        self, place: str, step: Step, digest: Digest, parts: Sequence[Frame]
    ) -> SnapshotFact:
        ram = self._ram() / f"rank-{self._rank}"
        folder = ram if place == "ram" else self._checkpoints
        folder.mkdir(parents=True, exist_ok=True)
        size = Bytes(sum(len(part) for part in parts))
        header = SnapshotHeader(step=step, size=size, digest=digest, run_id=self._run_id)
        path = snapshot_path(folder, step)
        # Room first: a full RAM file system must not keep an old copy and lose the new one.
        prune(folder, max(1, self._keep - 1))
        write_snapshot(path, header, parts, durable=place == "disk")
        return SnapshotFact(step, digest, place, str(path))
