"""Files of the simulated machine: RAM files that outlive processes, a disk that outlives hosts.

The same rules as the real ones: each rank writes its own folder of its host's RAM, all share the
folder of checkpoints, older files are pruned before a new one is written, and what is read is
verified first.
"""

from hashlib import sha256

from msgspec import Struct

from qmpi.errors import CorruptData, StorageError
from qmpi.protocol.journal import JournalRecord
from qmpi.protocol.membership import SnapshotFact
from qmpi.protocol.status import EndMarker, StatusReport
from qmpi.units import Digest, Rank, Step


class StoredFile(Struct):
    """One snapshot file; `host` is "" on disk."""

    fact: SnapshotFact
    host: str
    payload: bytes

    @property
    def intact(self) -> bool:
        """True while the payload is what its digest says."""
        return sha256(self.payload).hexdigest() == self.fact.digest


class Files:
    """Everything that outlives a job.

    Invariants: at most `keep` files (2 if `keep` is 1) lie in a folder; only intact ones are ever
    handed out.
    """

    def __init__(self, keep: int) -> None:
        """Start empty.

        Args:
            keep: snapshots kept in a folder.
        """
        self._keep = keep
        self._files: dict[str, StoredFile] = {}
        self.journal: list[JournalRecord] = []
        self.status: StatusReport | None = None
        self.statuses = 0
        self.end: EndMarker | None = None

    def write(self, place: str, host: str, rank: Rank, step: Step, payload: bytes) -> SnapshotFact:
        """Write a snapshot.

        Args:
            place: "ram" or "disk".
            host: host of the writer.
            rank: the writer.
            step: weights are those before this step.
            payload: the state.

        Returns:
            The fact to report.
        """
        folder = f"/ram/{host}/rank-{rank}" if place == "ram" else "/disk"
        older = sorted(
            (f.fact.step, path)
            for path, f in self._files.items()
            if path.startswith(f"{folder}/") and f.fact.step != step
        )
        for _, path in older[: max(0, len(older) - max(1, self._keep - 1))]:
            del self._files[path]
        digest = Digest(sha256(payload).hexdigest())
        fact = SnapshotFact(step, digest, place, f"{folder}/step-{step}")
        self._files[fact.path] = StoredFile(fact, host if place == "ram" else "", payload)
        return fact

    def read(self, path: str, host: str) -> bytes:
        """Read and verify a snapshot.

        Args:
            path: as written.
            host: host of the reader.

        Returns:
            The payload.

        Raises:
            StorageError: there is no such file on this host.
            CorruptData: it is damaged.
        """
        found = self.raw(path, host)
        if not found.intact:
            raise CorruptData(f"{path} does not match its digest")
        return found.payload

    def raw(self, path: str, host: str) -> StoredFile:
        """Return a file without verifying it.

        Args:
            path: as written.
            host: host of the reader.

        Returns:
            The file.

        Raises:
            StorageError: there is no such file on this host.
        """
        found = self._files.get(path)
        if found is None or (found.host and found.host != host):
            raise StorageError(f"there is no file {path} on {host}")
        return found

    def find(self, host: str) -> tuple[SnapshotFact, ...]:
        """Return the intact snapshots within reach of a host, newest first.

        Args:
            host: of the reader.
        """
        near = [f for f in self._files.values() if f.host in ("", host) and f.intact]
        ordered = sorted(near, key=lambda f: (-f.fact.step, f.fact.place == "disk", f.fact.path))
        return tuple(f.fact for f in ordered)

    def corrupt(self, place: str, rank: Rank | None) -> str:
        """Flip a bit in the newest snapshot of a place.

        Args:
            place: "ram" or "disk"; "all": in every snapshot there is.
            rank: whose RAM file; None: anyone's.

        Returns:
            Path of the damaged file; "" if there is none.
        """
        if place == "all":
            return "".join(self._flip(victim) for victim in self._files.values())
        owner = "" if rank is None or place == "disk" else f"/rank-{rank}/"
        mine = [f for f in self._files.values() if f.fact.place == place and owner in f.fact.path]
        if not mine:
            return ""
        return self._flip(max(mine, key=lambda f: (f.fact.step, f.fact.path)))

    @staticmethod
    def _flip(victim: StoredFile) -> str:
        victim.payload = bytes([victim.payload[0] ^ 1]) + victim.payload[1:]
        return victim.fact.path

    def lose_host(self, host: str) -> None:
        """Lose the RAM files of a host.

        Args:
            host: the dead host.
        """
        self._files = {path: f for path, f in self._files.items() if f.host != host}
