"""Where the levels of a run lie on a host: one tree a run, in it one folder a process.

Theory of operation. The tree DIRECTORY/qmpi-USER-RUN is its user's alone; RUN is a digest of the
run's identity and place, so that neither another job nor a copied run meets it. A process writes
and deletes in a folder of its own, named by host, process number and the time at which it began,
and only reads those of its siblings: nobody needs a lock. A folder whose process is gone belongs
to nobody, and whoever finds it removes it: siblings when they leave, ranks of the next start.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from qmpi.errors import StorageError
from qmpi.storage.atomic_file import short_host
from qmpi.storage.os_errors import explained
from qmpi.storage.rank_files import start_ticks

_OWNER = re.compile(r"([A-Za-z0-9]{0,16})-(\d{1,10})-(\d{1,20})")
_PRIVATE = 0o700
_TRIES = 5


def tree_path(directory: str, run_id: str, run: Path) -> Path:
    """Name the tree of a run; touches nothing.

    Args:
        directory: a RAM file system, or a directory of a local disk.
        run_id: identity of the run.
        run: directory of the run.

    Returns:
        Where it lies, whether it is there or not.
    """
    named = run_id.encode() + b"\0" + os.fsencode(run.resolve())
    return Path(directory) / f"qmpi-{os.getuid()}-{hashlib.sha256(named).hexdigest()[:16]}"


def open_folder(tree: Path) -> Path:
    """Make the folder of this process, and the tree if need be.

    Args:
        tree: its directory must exist.

    Returns:
        The folder.

    Raises:
        StorageError: no permission, no space, no such directory, or the tree is another user's.
    """
    own = tree / f"{short_host()}-{os.getpid()}-{start_ticks(os.getpid())}"
    with explained("make the folder of chunks", own):
        for _ in range(_TRIES):
            tree.mkdir(_PRIVATE, exist_ok=True)
            _require_own(tree)
            # Whoever left last may just have taken the empty tree away.
            with suppress(FileNotFoundError):
                own.mkdir(_PRIVATE, exist_ok=True)
                return own
    raise StorageError(f"{tree} goes as often as it is made; name another directory")


def _require_own(tree: Path) -> None:
    found = tree.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise StorageError(
            f"{tree} is another user's, or no folder; remove it, or name another directory in "
            "memory.levels"
        )
    if stat.S_IMODE(found.st_mode) != _PRIVATE:
        tree.chmod(_PRIVATE)


def siblings_of(own: Path) -> Iterator[Path]:
    """List the folders of other processes in the tree.

    Args:
        own: folder of this process.

    Yields:
        Those that are there now; none if the tree cannot be read.
    """
    with suppress(OSError), os.scandir(own.parent) as entries:
        for entry in entries:
            if entry.name != own.name and _OWNER.fullmatch(entry.name):
                yield Path(entry.path)


def leave_folder(own: Path) -> None:
    """Remove the folder of this process, those whose processes are gone, and an empty tree.

    Args:
        own: the folder; may be gone.
    """
    import shutil  # at the head each rank would load it at its start

    shutil.rmtree(own, ignore_errors=True)
    clear_tree(own.parent)


def clear_tree(tree: Path) -> int:
    """Remove the folders of processes that are gone, and the tree if nothing else is in it.

    Args:
        tree: of a run; may be gone, or another user's: then nothing is touched.

    Returns:
        Folders removed.
    """
    try:
        _require_own(tree)
        dead = [Path(entry.path) for entry in os.scandir(tree) if _is_dead(entry.name)]
    except (OSError, StorageError, ValueError):
        # The last of them: what was noted is no path, and so nothing lies there.
        return 0
    import shutil  # as above

    for folder in dead:
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        tree.rmdir()
    return len(dead)


def _is_dead(name: str) -> bool:
    match = _OWNER.fullmatch(name)
    if match is None or match[1] != short_host():
        return False
    return bool(int(match[3])) and start_ticks(int(match[2])) != int(match[3])
