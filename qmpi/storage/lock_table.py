"""Who holds a lock of a run, found out without touching the lock.

Theory of operation. Trying to take a lock is no way to look: for a moment the looker holds it, and
a command that starts just then is refused. The kernel lists the locks of this host in /proc/locks;
a run's lock file names the process that took it last. A lock counts as held if a process of that
number holds an advisory lock on that inode. Devices are not compared: on layered file systems the
kernel names another one than `stat` does. Locks of other hosts cannot be seen.
"""

import os
import re
from pathlib import Path

LOCKS = Path("/proc/locks")
_HOLDER = re.compile(r"pid (\d+) on (\S+)")

Held = frozenset[tuple[int, int]]
"""Process and inode of each lock."""


def held_locks(table: Path = LOCKS) -> Held:
    """Return the advisory whole-file locks that processes of this host hold.

    Args:
        table: the kernel's list.

    Returns:
        Their processes and inodes; nothing where there is no such list.
    """
    try:
        lines = table.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    rows = [line.split() for line in lines]
    found = [
        (int(row[4]), int(row[5].rpartition(":")[2]))
        for row in rows
        # A row whose second word is an arrow waits for the lock of the row above it.
        if len(row) > 5 and row[1] == "FLOCK" and row[4].isdigit()
    ]
    return frozenset(found)


def held_since(lock: Path, held: Held) -> float | None:
    """Return when a lock that is held was taken.

    Args:
        lock: lock file of a run.
        held: from `held_locks`.

    Returns:
        Seconds since the epoch by the clock of the file system; None if nobody on this host holds
        it.
    """
    try:
        found = lock.stat()
        with lock.open("rb") as file:
            holder = _HOLDER.match(file.read(300).decode("utf-8", "replace"))
    except OSError:
        return None
    if holder is None or holder[2] != os.uname().nodename:
        return None
    return found.st_mtime if (int(holder[1]), found.st_ino) in held else None
