"""A visit to another host before and after a job: clear away what an earlier start has left there.

Run by its path, with nothing but the standard library, so that it costs little and shows that the
host has this interpreter, these files and the run's directory:

    python -I -S visit.py make|clear SCRATCH RUN [PID:TICKS ...]

`make` ends the processes named and makes the folder for MPI's own files, `clear` ends them and
removes it. A process is named by its start time too (ticks since boot, from /proc): a pid alone may
have been given to a stranger, and a visit that comes late must not strike a rank of the next start.
What it finds is one line of JSON. A host that cannot be used says why on standard error, with an
exit code that is not 0.
"""

import json
import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

RUN_SECONDS = 2.0
"""How long a shared file system may take to show a directory that another host has just made."""


def visit(task: str, scratch: Path, run: Path, ranks: list[str]) -> dict[str, object]:
    """Do what is asked.

    Args:
        task: "make" or "clear".
        scratch: folder for MPI's own files on this host.
        run: directory of the run.
        ranks: processes to end, as PID:TICKS.

    Returns:
        What was found, for the one who asked.

    Raises:
        OSError: the folder cannot be made, or the run's directory is not to be seen.
    """
    ended = sum(_end(*map(int, rank.split(":"))) for rank in ranks)
    shutil.rmtree(scratch, ignore_errors=True)
    if task == "make":
        _await(run)
        _make(scratch)
    return {"host": socket.gethostname(), "ended": ended}


def _await(run: Path) -> None:
    until = time.monotonic() + RUN_SECONDS
    while not run.is_dir():
        if time.monotonic() > until:
            raise OSError(f"it does not see {run}: put it on a file system that all hosts share")
        time.sleep(0.1)


def _make(scratch: Path) -> None:
    try:
        scratch.mkdir(mode=0o700)
    except FileExistsError:
        # Two names of one machine are visited at once. A link, or a stranger's folder, is refused.
        if scratch.is_symlink() or scratch.stat().st_uid != os.getuid():
            raise


def _end(pid: int, ticks: int) -> int:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        if int(text.rpartition(")")[2].split()[19]) != ticks:
            return 0
        os.kill(pid, signal.SIGKILL)
    except (OSError, IndexError):
        return 0  # it has ended by itself
    return 1


if __name__ == "__main__":
    try:
        found = visit(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
    except OSError as error:
        sys.exit(f"{socket.gethostname()}: {error}")
    sys.stdout.write(json.dumps(found) + "\n")
