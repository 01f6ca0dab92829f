"""End what an mpirun has started on this host.

Theory of operation. Ranks that were still starting have written nothing about themselves, but share
the session of their mpirun. Those that have written it are found by that (`runtime.leftovers`).
"""

import os
import subprocess
from pathlib import Path

from qmpi.runtime.leftovers import kill


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


def _kill_member(pid: int, session: int) -> bool:
    try:
        return os.getsid(pid) == session and kill(pid)
    except ProcessLookupError:
        return False
