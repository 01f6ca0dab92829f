"""End what is left of a dead job on this host.

Theory of operation. Two ways to find leftovers. A rank that has met the others has written its pid
and start time (`storage.rank_files`). Ranks that were still starting have written nothing, but
share the session of their mpirun.
"""

import os
import signal
import subprocess
from pathlib import Path

from qmpi.storage.rank_files import read_rank_files, start_ticks


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a child has ended, without reaping it.

    Not `poll`: a child that is not reaped keeps its pid, so its session can still be named by it.

    Args:
        process: a child of this process.
    """
    if process.returncode is not None:
        return True
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, process.pid, flags) is not None


def end_session(session: int) -> int:
    """Kill every process of a session but its leader.

    Args:
        session: pid of the leader, a child of this process that was not reaped yet.

    Returns:
        Processes killed.
    """
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return sum(_kill_member(pid, session) for pid in pids if pid != session)


def end_leftovers(folder: Path) -> int:
    """Kill ranks of an earlier job of this run that outlived it, by pid and start time.

    Args:
        folder: RUN/ranks of that run; its files are removed.

    Returns:
        Processes killed.
    """
    killed = 0
    for process in read_rank_files(folder):
        mine = process.host == os.uname().nodename and process.pid != os.getpid()
        if mine and process.started and start_ticks(process.pid) == process.started:
            killed += _kill(process.pid)
        (folder / f"{process.rank}.json").unlink(missing_ok=True)
    return killed


def _kill_member(pid: int, session: int) -> bool:
    try:
        return os.getsid(pid) == session and _kill(pid)
    except ProcessLookupError:
        return False


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # It ended between the look and the blow, or is a stranger's: both are no leftover of ours.
        return False
    return True
