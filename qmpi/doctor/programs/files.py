"""Try what a run needs of a file system: `python -m qmpi.doctor.programs.files FOLDER [FOLDER...]`.

Theory of operation. Everything is really done, in a hidden folder that is removed afterwards: bytes
are flushed to the device before they count as written, and dropped from the cache before they are
read. The first folder is tried in full, the others only for whether they can be written. Speeds are
measured in pieces that grow, so that a disk of any speed is measured within seconds. This is a
process of its own, because a dead network file system hangs whoever touches it.
"""

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from qmpi.doctor.programs.lines import Line, Moved, Small, Space, Tried, tell
from qmpi.runtime.clock import Clock
from qmpi.storage.atomic_file import write_atomic

Now = Callable[[], float]

FIRST_PIECE = 256 << 10
LARGEST_PIECE = 8 << 20
LARGEST_FILE = 48 << 20
WRITE_SECONDS = 1.5
SMALL_FILES = 20
SMALL_SECONDS = 1.0
SMALL_BYTES = 2048
"""About the size of a status or of some records of a journal."""

WRITE, READ = "write", "read"
RENAME, FLOCK, RECORD_LOCK = "rename", "flock", "fcntl"


def space(folder: Path) -> Space:
    """Return the room of a file system.

    Args:
        folder: on it.

    Returns:
        Room for this user.
    """
    system = os.statvfs(folder)
    block = system.f_frsize
    files = system.f_favail if system.f_files else -1
    free, total = system.f_bavail * block, system.f_blocks * block
    return Space(free, total, files, os.fsencode(folder.resolve()).decode("utf-8", "replace"))


def written(path: Path, now: Now) -> Moved:
    """Write and flush, piece by piece, until it is enough to tell the speed.

    Args:
        path: new file.
        now: clock.

    Returns:
        What was written, and how long that took.
    """
    noise = os.urandom(LARGEST_PIECE)  # a file system may compress or leave out zeros
    began, size, piece = now(), 0, FIRST_PIECE
    with path.open("wb", buffering=0) as file:
        while not size or (size < LARGEST_FILE and now() - began < WRITE_SECONDS):
            size += file.write(memoryview(noise)[:piece])
            os.fsync(file.fileno())
            piece = min(2 * piece, LARGEST_PIECE)
    return Moved(WRITE, size, now() - began)


def read_back(path: Path, now: Now) -> Moved:
    """Read a file, from the device where the cache lets go of it.

    Args:
        path: of a file that was flushed.
        now: clock.

    Returns:
        What was read, and how long that took.
    """
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        began, size = now(), 0
        while now() - began < WRITE_SECONDS and (data := file.read(LARGEST_PIECE)):
            size += len(data)
    return Moved(READ, size, now() - began)


def small_files(folder: Path, now: Now) -> Small:
    """Write small files as a run writes its status: whole, flushed, renamed.

    Args:
        folder: where.
        now: clock.

    Returns:
        Seconds for each.
    """
    taken: list[float] = []
    first = now()
    while len(taken) < SMALL_FILES and now() - first < SMALL_SECONDS:
        began = now()
        write_atomic(folder / f"small-{len(taken) % 2}", os.urandom(SMALL_BYTES))
        taken.append(now() - began)
    return Small(median(taken), max(taken))


def renamed(folder: Path) -> str:
    """Rename a file over another while somebody reads that.

    Args:
        folder: where.

    Returns:
        Why the file system cannot do it; "" if it can.
    """
    old, new = folder / "old", folder / "new"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    with old.open("rb") as reader:
        new.replace(old)
        if reader.read() != b"old":
            return "a reader of the replaced file lost it"
    if old.read_bytes() != b"new" or new.exists():
        return "after a rename over a file, the old one is still there"
    return ""


def locked(path: Path, *, whole: bool) -> str:
    """Take a lock and let another process try for it.

    Args:
        path: lock file.
        whole: by `flock`, as a run is locked; else by `fcntl`.

    Returns:
        Why locks do not work; "" if they do.
    """
    take = fcntl.flock if whole else fcntl.lockf
    with path.open("wb") as file:
        take(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        child = os.fork()
        if child == 0:
            os._exit(_try_for(path, take))
        _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return "" if code == 1 else "two processes get the same lock"


def _try_for(path: Path, take: Callable[[int, int], None]) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR)
        take(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return 1
    return 0


def folder_trial(number: int) -> str:
    """Name the trial of a folder: by number, since a path may be no text.

    Args:
        number: place of the folder on the command line.

    Returns:
        What `Tried` calls it.
    """
    return f"folder {number}"


def takes_files(folder: Path) -> str:
    """Make a file and remove it.

    Args:
        folder: that it is to be made in; where it is missing, the nearest above that is there.

    Returns:
        Why it cannot be done; "" if it can.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=nearest(folder), prefix=".qmpi-doctor-") as file:
            file.write(bytes(SMALL_BYTES))
            file.flush()
    except OSError as problem:
        return problem.strerror or str(problem)
    return ""


def nearest(folder: Path) -> Path:
    """Return a folder, or the nearest above it that exists.

    Args:
        folder: absolute.
    """
    return next((one for one in (folder, *folder.parents) if one.is_dir()), Path("/"))


@contextmanager
def hidden(folder: Path) -> Iterator[Path]:
    """A hidden folder that is removed afterwards.

    Args:
        folder: that it is made in.

    Yields:
        The new folder.
    """
    made = Path(tempfile.mkdtemp(prefix=".qmpi-doctor-", dir=nearest(folder)))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def try_folder(folder: Path, now: Now, say: Callable[[Line], None]) -> None:
    """Try all that a run needs of a folder.

    Args:
        folder: where a run is to lie.
        now: clock.
        say: told what was found out, piece by piece.
    """
    say(space(nearest(folder)))
    with hidden(folder) as made:
        for what, trial in (
            (RENAME, lambda: renamed(made)),
            (FLOCK, lambda: locked(made / "lock", whole=True)),
            (RECORD_LOCK, lambda: locked(made / "lock", whole=False)),
        ):
            say(Tried(what, _fault(trial)))
        say(small_files(made, now))
        say(written(made / "large", now))
        say(read_back(made / "large", now))


def _fault(trial: Callable[[], str]) -> str:
    try:
        return trial()
    except OSError as problem:
        return problem.strerror or str(problem)


def main(folders: list[str]) -> int:
    """Try the folders.

    Args:
        folders: the first in full, the others for writing.

    Returns:
        Exit code.
    """
    for number, folder in enumerate(folders):
        tell(Tried(folder_trial(number), takes_files(Path(folder))))
    try:
        try_folder(Path(folders[0]), Clock().now, tell)
    except OSError as problem:
        sys.stderr.write(f"{problem.strerror or problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
