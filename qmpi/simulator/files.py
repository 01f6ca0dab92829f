"""Files of the simulated machine: RAM files that outlive processes, a disk that outlives hosts.

The same rules as the real ones: each rank writes its own folder of its host's RAM, all share the
folder of checkpoints, older files of a position are pruned before a new one is written, and what is
read is verified first. A full place refuses what is new and keeps what it has.
"""

from collections.abc import Iterable
from hashlib import sha256

from msgspec import Struct

from qmpi.errors import CorruptData, StorageError
from qmpi.protocol.journal import JournalRecord
from qmpi.protocol.membership import SnapshotFact
from qmpi.protocol.recipe import RecipeRequest
from qmpi.protocol.retention import kept_steps
from qmpi.protocol.status import EndMarker, StatusReport
from qmpi.units import Digest, Rank, Step

DISK = ""
"""Stands for the shared disk where a host is named otherwise."""


class Writing(Struct, frozen=True):
    """Who writes which snapshot.

    Attributes:
        host: of the writer.
        rank: the writer.
        step: weights are those before this step.
        position: whose part of the state it is.
        branch, skipped: as in `SnapshotFact`.
    """

    host: str
    rank: Rank
    step: Step
    position: int = 0
    branch: int = 0
    skipped: int = 0


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

    Invariants: at most `keep` files (2 if `keep` is 1) of a position lie in a folder, and the one
    that `qmpi.protocol.retention` spares; only intact ones are ever handed out.
    """

    def __init__(self, keep: int) -> None:
        """Start empty.

        Args:
            keep: snapshots kept in a folder.
        """
        self._keep = keep
        self._hosts: dict[str, dict[str, StoredFile]] = {}
        self._full: set[str] = set()
        self.journal: list[JournalRecord] = []
        self.status: StatusReport | None = None
        self.statuses = 0
        self.end: EndMarker | None = None
        self.recipe_request: RecipeRequest | None = None

    def fill(self, host: str) -> None:
        """Let a place refuse whatever is new.

        Args:
            host: whose RAM; `DISK`: the disk.
        """
        self._full.add(host)

    def free(self, host: str) -> None:
        """Give a place room again.

        Args:
            host: as in `fill`.
        """
        self._full.discard(host)

    def check_room(self, host: str, path: str) -> None:
        """Check that something new could be written.

        Args:
            host: as in `fill`.
            path: what would be written.

        Raises:
            StorageError: the place is full.
        """
        if host in self._full:
            raise StorageError(f"cannot write {path}: no space left; make room and start again")

    def write(self, place: str, writing: Writing, payload: bytes) -> SnapshotFact:
        """Write a snapshot.

        Args:
            place: "ram" or "disk".
            writing: who writes which.
            payload: the state.

        Returns:
            The fact to report.

        Raises:
            StorageError: the place is full.
        """
        host = writing.host if place == "ram" else DISK
        folder = f"/ram/{host}/rank-{writing.rank}" if place == "ram" else "/disk"
        if writing.position:
            folder = f"{folder}/position-{writing.position}"
        path = f"{folder}/step-{writing.step}"
        self.check_room(host, path)
        digest = Digest(sha256(payload).hexdigest())
        fact = SnapshotFact(
            writing.step,
            digest,
            place,
            path,
            writing.position,
            writing.branch,
            writing.skipped,
        )
        self._prune(host, folder, fact)
        self._hosts.setdefault(host, {})[path] = StoredFile(fact, host, payload)
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
        """Return a file without verifying it: whoever joins its parts verifies the whole.

        Args:
            path: as written.
            host: host of the reader.

        Returns:
            The file.

        Raises:
            StorageError: there is no such file on this host.
        """
        for near in (host, DISK):
            found = self._hosts.get(near, {}).get(path)
            if found is not None:
                return found
        raise StorageError(f"{path} does not exist on {host}")

    def find(self, host: str) -> tuple[SnapshotFact, ...]:
        """Return every intact snapshot within reach, newest first.

        Args:
            host: of the reader.
        """
        near = [
            stored
            for place in (host, DISK)
            for stored in self._hosts.get(place, {}).values()
            if stored.intact
        ]
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
        every = [stored for files in self._hosts.values() for stored in files.values()]
        if place == "all":
            return ", ".join(self._flip(victim) for victim in every)
        owner = "" if rank is None or place == "disk" else f"/rank-{rank}/"
        mine = [s for s in every if s.fact.place == place and owner in s.fact.path]
        if not mine:
            return ""
        return self._flip(max(mine, key=lambda f: (f.fact.step, f.fact.path)))

    @staticmethod
    def _flip(victim: StoredFile) -> str:
        victim.payload = bytes([victim.payload[0] ^ 1]) + victim.payload[1:]
        return victim.fact.path

    def lose_hosts(self, hosts: Iterable[str]) -> None:
        """Lose the RAM files of hosts.

        Args:
            hosts: dead ones, or those on which the run has ended well.
        """
        for host in hosts:
            self._hosts.pop(host, None)

    def _prune(self, host: str, folder: str, new: SnapshotFact) -> None:
        here = self._hosts.get(host, {})
        others = {
            path: stored.fact
            for path, stored in here.items()
            if path.rpartition("/")[0] == folder and stored.fact.step != new.step
        }
        given_up = {p for p, f in others.items() if f.branch < new.branch and f.step > new.step}
        steps = [fact.step for path, fact in others.items() if path not in given_up]
        stay = kept_steps(steps, max(1, self._keep - 1), new.skipped, new.step)
        for path, fact in others.items():
            if path in given_up or fact.step not in stay:
                del here[path]
