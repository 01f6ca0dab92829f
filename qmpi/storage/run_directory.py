"""Names inside a run directory, and the lock that keeps a run to one job.

Theory of operation: every other module asks here where a file lies, so the layout is written once.
The lock is an advisory `flock`: the kernel drops it when the holder dies, however it dies, so a
killed job never leaves a stale lock, which a file with a process number in it would.
"""

import errno
import fcntl
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from qmpi.errors import QmpiError, RunInUse
from qmpi.storage.os_errors import explained, storage_error

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


class RunDirectory:
    """Where the files of one run lie."""

    def __init__(self, root: Path) -> None:
        """Name the files below `root`; touches nothing.

        Args:
            root: directory of the run.
        """
        self.root = root
        self.status = root / "status.json"
        self.end = root / "end.json"
        self.journal = root / "journal.jsonl"
        self.job = root / "job.toml"
        self.begun = root / "begun.toml"
        self.checkpoints = root / "checkpoints"
        self.log_dir = root / "logs"
        self.stop_request = root / "stop"
        self.lock = root / "lock"
        self.supervisor_lock = root / "supervisor.lock"
        self.ranks = root / "ranks"
        self.hosts = root / "hosts.json"

    def create(self) -> None:
        """Make the directory and its sub-directories; those that exist stay as they are.

        Raises:
            StorageError: no permission, full disk, or a file in the way.
        """
        for directory in (self.root, self.checkpoints, self.log_dir):
            with explained("make the run directory", directory):
                directory.mkdir(parents=True, exist_ok=True)

    def log_of(self, rank: int) -> Path:
        """Log file of a rank.

        Args:
            rank: rank in the MPI job, >= 0.

        Returns:
            A path in `log_dir`; names sort by rank.
        """
        return self.log_dir / f"rank-{rank:05d}.log"

    def checkpoint_names(self) -> tuple[str, ...]:
        """List the checkpoints, whole or not.

        Returns:
            Paths of the files, oldest first.

        Raises:
            StorageError: they cannot be listed.
        """
        with explained("list", self.checkpoints):
            return tuple(str(path) for path in sorted(self.checkpoints.glob("step-*.snap")))


class RunLock:
    """Exclusive right to write a run; held until `release` or the end of the process.

    Attributes:
        enforced: False where the file system has no locks; then nothing protects the run.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Args:
            path: lock file; made if missing, never removed.

        Raises:
            QmpiError: the lock was refused, as follows.
            StorageError: the lock file cannot be opened.
            RunInUse: another process holds it; the message names its host and process number.
        """
        self.enforced = True
        with explained("open the run's lock", path):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._take(path)
        except QmpiError:
            self.release()
            raise

    def _take(self, path: Path) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, 300, 0).decode("utf-8", "replace").strip()
            raise RunInUse(
                f"the run {path.parent} is in use by {holder or 'another process'}:"
                " wait for it, stop it with Ctrl-C or SIGTERM, or choose another run directory"
            ) from error
        except OSError as error:
            # Some Lustre and NFS mounts have no flock at all. Refusing to train there would be
            # worse than training without this guard.
            if error.errno not in _NO_LOCKS:
                raise storage_error(error, "lock", path) from error
            self.enforced = False
        with explained("write", path):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(
                self._descriptor, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0
            )

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        """The lock itself.

        Returns:
            self.
        """
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the lock back."""
        self.release()
