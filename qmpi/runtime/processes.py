"""Processes of a job on this host: who they are, so that leftovers of a dead job can be ended.

Two ways to find them. A rank that has met the others has written its pid and start time; a pid
alone may have been given to a stranger since, the start time from /proc tells them apart. Ranks
that were still starting have written nothing, but share the session of their mpirun.
"""

import logging
import os
import signal
import subprocess
from pathlib import Path

import msgspec
from msgspec import Struct

from qmpi.storage.atomic_file import write_atomic

logger = logging.getLogger(__name__)


class RankProcess(Struct, frozen=True):
    """RUN/ranks/RANK.json.

    Attributes:
        rank: rank in the MPI job.
        pid: process id.
        host: name of the machine.
        started: start time of the process in clock ticks since boot, from /proc/PID/stat; 0 if
            unknown.
        run: the run directory that it works for, links resolved; "" if unknown. A copied run
            brings the files of the original's ranks, which may be alive.
    """

    rank: int
    pid: int
    host: str
    started: int
    run: str = ""


def start_ticks(pid: int) -> int:
    """Return the start time of a process in ticks since boot; 0 if there is no such process.

    Args:
        pid: process id on this host.

    Returns:
        Field 22 of /proc/PID/stat.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    # The name, field 2, may hold spaces and brackets; fields are counted after its last bracket.
    fields = text.rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 else 0


def write_rank_file(folder: Path, rank: int, host: str) -> None:
    """Write who this process is.

    Args:
        folder: RUN/ranks.
        rank: rank of this process.
        host: name of this machine.
    """
    pid = os.getpid()
    folder.mkdir(parents=True, exist_ok=True)
    data = msgspec.json.encode(RankProcess(rank, pid, host, start_ticks(pid), _run(folder)))
    write_atomic(folder / f"{rank}.json", data, durable=False)


def read_rank_files(folder: Path) -> list[RankProcess]:
    """Read who the ranks of the last job were.

    Args:
        folder: RUN/ranks.

    Returns:
        One entry a readable file, by rank.
    """
    found: list[RankProcess] = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=RankProcess))
        except (OSError, msgspec.DecodeError):
            continue
    return sorted(found, key=lambda process: process.rank)


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
        here = process.host == os.uname().nodename and process.run in {"", _run(folder)}
        mine = here and process.pid != os.getpid()
        if mine and process.started and start_ticks(process.pid) == process.started:
            killed += _kill(process.pid)
        (folder / f"{process.rank}.json").unlink(missing_ok=True)
    return killed


def fence_process(pid: int, reason: str) -> None:
    """Kill a process of this host that is alive but silent.

    Args:
        pid: process id; this very process and the system's first are spared.
        reason: why, in words.
    """
    if pid <= 1 or pid == os.getpid():
        logger.error("will not fence process %d: %s", pid, reason)
        return
    logger.warning("fencing process %d: %s", pid, reason)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        logger.info("process %d is gone already", pid)


def _run(folder: Path) -> str:
    return str(folder.resolve().parent)


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
