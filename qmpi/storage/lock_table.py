"""Who holds a lock of a run, found out without touching the lock.

Theory of operation. Trying to take a lock is no way to look: for a moment the looker holds it, and
a command that starts just then is refused. The kernel lists the locks of this host in /proc/locks;
a run's lock file names its holder (`qmpi.storage.run_lock`). A lock counts as held if a process of
that number holds an advisory lock on that inode. Devices are not compared: on layered file systems
the kernel names another one than `stat` does. A holder on another host is believed while it beats.
"""

import os
import re
from pathlib import Path

from qmpi.storage.rank_files import start_ticks
from qmpi.storage.run_lock import holder_of

LOCKS = Path("/proc/locks")
BEATING_SECONDS = 10.0
"""Silence of a holder on another host after which it is not believed: it beats each second, and a
network file system may show that some seconds later."""

LEAVING_SECONDS = 20.0
"""As long as a command may hold a run after its end."""

HOLDER = re.compile(r"pid (\d+) on (\S+)")
_BOOT = re.compile(r"^btime (\d+)$", re.MULTILINE)

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


def held_since(lock: Path, held: Held, now: float) -> float | None:
    """Return since when a lock is held, as far as can be known.

    Args:
        lock: lock file of a run.
        held: from `held_locks`.
        now: seconds since the epoch.

    Returns:
        When its holder began, seconds since the epoch; of a holder on another host, a moment at
        which it held the lock for sure if it holds it now. None if nobody holds it.
    """
    holder = holder_of(lock)
    match = HOLDER.fullmatch(holder.said)
    if match is None:
        return None
    if holder.elsewhere:
        beat = holder.stamp / 1e9
        return beat - LEAVING_SECONDS if now - beat < BEATING_SECONDS else None
    pid = int(match[1])
    try:
        is_held = (pid, lock.stat().st_ino) in held
    except OSError:
        return None
    return began(pid) if is_held else None


def began(pid: int) -> float:
    """Return when a process of this host began.

    Args:
        pid: which.

    Returns:
        Seconds since the epoch, to the second; 0 if it cannot be known.
    """
    ticks = start_ticks(pid)
    try:
        boot = _BOOT.search(Path("/proc/stat").read_text(encoding="ascii", errors="replace"))
    except OSError:
        boot = None
    return int(boot[1]) + ticks / os.sysconf("SC_CLK_TCK") if boot and ticks else 0.0
