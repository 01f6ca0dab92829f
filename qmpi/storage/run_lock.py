"""The lock that keeps a run to one job, on one host or on many.

Theory of operation. The lock is an advisory `flock`: the kernel drops it when the holder dies,
however it dies, so a killed job never leaves a stale lock, which a file with a process number in it
would. Among hosts that is not enough. A host that dies tells the file server nothing, which keeps
its locks for a minute or for ever; some mounts keep locks to one host, or have none. So the file
also says who holds it, and the holder beats: it sets the file's time about once a second. Whoever
meets a holder of another host looks whether the file's time moves, by which no clocks are compared:

    the kernel refuses, the file's time moves    the run is in use
    the kernel refuses, it stands for long       the holder's host is dead: the lock is seized, that
                                                 is, a new file takes the place of the old one
    the kernel grants, the time moves            locks are kept to one host here: the run is in use
    the kernel grants, it stands                 the holder has died without a word

A holder whose file has been replaced was taken for dead (its host slept, or lost the file system);
its next beat says so, and it must write nothing more.
"""

import errno
import fcntl
import os
import re
import socket
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from qmpi.errors import QmpiError, RunInUse
from qmpi.storage.os_errors import explained, storage_error

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
_HOLDER = re.compile(r"pid (\d+) on (\S+)")


class Holder(NamedTuple):
    """Who holds a lock, or held it last.

    Attributes:
        said: as the file says it; "" if nobody does.
        host: its host; "" likewise.
        stamp: time of its newest beat, ns, by the clock of the file server.
    """

    said: str
    host: str
    stamp: int

    @property
    def elsewhere(self) -> bool:
        """Whether it is a process of another host, so that no kernel here knows of its death."""
        return bool(self.host) and self.host != socket.gethostname()


def holder_of(path: Path) -> Holder:
    """Read who holds a lock, or held it last.

    Args:
        path: lock file.

    Returns:
        Nobody if there is no such file.
    """
    try:
        # Opened anew: network file systems look at the server's times then.
        with path.open("rb") as file:
            return _holder(file.fileno())
    except OSError:
        return Holder("", "", 0)


def _holder(descriptor: int) -> Holder:
    said = os.pread(descriptor, 300, 0).decode("utf-8", "replace").strip()
    found = _HOLDER.fullmatch(said)
    return Holder(said, found[2] if found else "", os.fstat(descriptor).st_mtime_ns)


class RunLock:
    """Exclusive right to write a run; held until `release` or the end of the process.

    Attributes:
        enforced: False where the file system has no locks; then beats alone protect the run.
        former: who held it before and did not give it back.
    """

    def __init__(self, path: Path, *, seize: bool = False) -> None:
        """Take the lock.

        Args:
            path: lock file; made if missing, never removed.
            seize: take it from a holder that is known to be dead, whatever the kernel says.

        Raises:
            QmpiError: the lock was refused, as follows.
            StorageError: the lock file cannot be opened.
            RunInUse: another process holds it; the message names its host and process number.
        """
        self.enforced = True
        self._path = path
        if seize:
            _replace(path)
        with explained("open the run's lock", path):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._take(path)
        except QmpiError:
            os.close(self._descriptor)
            self._descriptor = -1
            raise

    def _take(self, path: Path) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunInUse(in_use(path, _holder(self._descriptor))) from error
        except OSError as error:
            # Some Lustre and NFS mounts have no flock at all. Refusing to train there would be
            # worse than training with the beats alone.
            if error.errno not in _NO_LOCKS:
                raise storage_error(error, "lock", path) from error
            self.enforced = False
        with explained("write", path):
            self.former = _holder(self._descriptor)
            self._write(f"pid {os.getpid()} on {socket.gethostname()}\n")

    def _write(self, text: str) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)

    def beat(self) -> bool:
        """Show that the holder lives.

        Returns:
            False if the run was taken over by another process: it must not be written any more.
        """
        if self._descriptor < 0:
            return True
        try:
            os.utime(self._descriptor)
            there, own = self._path.stat(), os.fstat(self._descriptor)
        except OSError:
            return True  # nobody can tell now; the next beat may
        return (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino)

    def yield_to_former(self) -> None:
        """Give the lock back as it was found: its former holder turns out to live."""
        with explained("write", self._path):
            self._write(self.former.said + "\n")
        os.close(self._descriptor)
        self._descriptor = -1

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._descriptor >= 0:
            # Who comes next need not ask whether we live; on a lost disk it will look for beats.
            with suppress(OSError):
                last = os.fstat(self._descriptor)
                os.ftruncate(self._descriptor, 0)
                # Who looks at the run sees by the file's time when it was last held.
                os.utime(self._descriptor, ns=(last.st_atime_ns, last.st_mtime_ns))
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


def refusal_of(path: Path) -> str:
    """Ask whether the kernel would refuse a lock, without taking it or leaving a trace.

    Args:
        path: lock file.

    Returns:
        Why, in words; "" if the lock can be taken, or does not exist.
    """
    try:
        with path.open("rb+") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return in_use(path, holder_of(path))
    except OSError:
        return ""  # none there, or none can be: taking it says why
    return ""


def in_use(path: Path, holder: Holder) -> str:
    """Return why a run that another process holds is refused, and what to do.

    Args:
        path: lock file.
        holder: who holds it.

    Returns:
        A sentence.
    """
    return (
        f"the run {path.parent} is in use by {holder.said or 'another process'}:"
        " wait for it, stop it with Ctrl-C or SIGTERM (`kill PID` of the process named), or choose "
        "another run directory"
    )


def _replace(path: Path) -> None:
    fresh = path.with_name(f"{path.name}.{socket.gethostname()}.{os.getpid()}")
    with explained("write", fresh):
        fresh.write_bytes(b"")
        fresh.replace(path)
