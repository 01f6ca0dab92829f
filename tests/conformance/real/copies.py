"""The real copies: ranks on two hosts, each host with a RAM of its own, one disk for all.

Theory of operation. On every host the RAM file system has the same path. So has it here: a link
that leads to the folder of the host whose rank is at work.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from conformance.copies_suite import KEEP
from conformance.real.full_disk import FullDisks, full_disks
from conformance.real.moving import Threads

from qmpi.config.parallel import ParallelSettings
from qmpi.config.settings import Settings, SnapshotSettings
from qmpi.protocol.membership import SnapshotFact
from qmpi.runtime.copies import FileCopies
from qmpi.runtime.copy_files import CopyFiles
from qmpi.storage.run_directory import RunDirectory
from qmpi.units import Rank

RANKS_OF_A_HOST = 2


class RealWorld(Threads):
    """Copies of four ranks on two hosts."""

    def __init__(self, folder: Path, disks: FullDisks, kind: type[FileCopies], team: int) -> None:
        self._folder = folder
        self._disks = disks
        self._kind = kind
        self._parallel = ParallelSettings(tensor=team)
        self._files: dict[Rank, CopyFiles] = {}
        self._copies: dict[Rank, FileCopies] = {}
        for rank in range(0, 2 * RANKS_OF_A_HOST, RANKS_OF_A_HOST):
            self._ram(Rank(rank)).mkdir()
        self._mount = folder / "ram"

    def _ram(self, rank: Rank) -> Path:
        return self._folder / f"ram-of-host-{rank // RANKS_OF_A_HOST}"

    def _enter_host_of(self, rank: Rank) -> None:
        # Not while a thread of that very host may be at work.
        if not self._mount.exists() or self._mount.readlink() != self._ram(rank):
            self._mount.unlink(missing_ok=True)
            self._mount.symlink_to(self._ram(rank))

    @property
    def _disk(self) -> Path:
        return self._folder / "checkpoints"

    def files(self, rank: Rank) -> CopyFiles:
        self._enter_host_of(rank)
        if rank not in self._files:
            snapshot = SnapshotSettings(keep=KEEP, ram_dir=str(self._mount))
            settings = Settings(snapshot=snapshot, parallel=self._parallel)
            self._files[rank] = CopyFiles(settings, "run", rank, RunDirectory(self._folder))
        return self._files[rank]

    def copies(self, rank: Rank) -> FileCopies:
        files = self.files(rank)
        if rank not in self._copies:
            self._copies[rank] = self._kind(files)
        return self._copies[rank]

    def payload(self, step: int, position: int) -> bytes:
        return sha256(f"{step} {position}".encode()).digest() * 125

    def find(self, rank: Rank) -> tuple[SnapshotFact, ...]:
        return self.files(rank).find()

    def fill_ram(self, rank: Rank) -> None:
        self._disks.fill(self._ram(rank))

    def fill_disk(self) -> None:
        self._disks.fill(self._disk)

    def free(self) -> None:
        self._disks.free()

    def flip(self, fact: SnapshotFact, rank: Rank) -> None:
        self._enter_host_of(rank)
        data = bytearray(Path(fact.path).read_bytes())
        data[-1] ^= 1
        Path(fact.path).write_bytes(data)

    def tear(self, fact: SnapshotFact, rank: Rank) -> None:
        self._enter_host_of(rank)
        Path(fact.path).write_bytes(Path(fact.path).read_bytes()[:-1])

    def remove(self, fact: SnapshotFact, rank: Rank) -> None:
        self._enter_host_of(rank)
        Path(fact.path).unlink()


@contextmanager
def real_world(
    folder: Path, kind: type[FileCopies] = FileCopies, team: int = 1
) -> Iterator[RealWorld]:
    """Offer copies whose files work; the caller may break them."""
    with full_disks() as disks:
        yield RealWorld(folder, disks, kind, team)
