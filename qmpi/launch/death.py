"""Why did a job end without an end marker? Found out afterwards, for the journal and for people.

Theory of operation. Nobody is left to tell: the coordinator is gone, or mpirun, or all. What can be
known stands in the logs. The supervisor writes down at the end of the job's log what it did itself
and by which signal mpirun went; ranks that outlived the coordinator or mpirun write why they leave.
The next start is told, and its coordinator writes it into the journal.
"""

import re
import signal
import time
from pathlib import Path

from qmpi.storage.run_directory import RunDirectory
from qmpi.units import Seconds

TAIL_BYTES = 1 << 13
LOOKED_AT = 32
"""Logs that are looked at: whoever saw the end wrote last."""

SAID_BYTES = 400
"""As much of a reason as an argument of a command, and a line of a status, has room for."""

_LEFT = re.compile(
    r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d{3} rank \d+ \w+ \S+: "
    r"(?:leaving: (the \w+ is gone.*)|(mpirun is gone).*)$",
    re.MULTILINE,
)


def how_launcher_ended(returncode: int | None) -> str:
    """Return what is worth writing down about mpirun's own end.

    Args:
        returncode: as of a child process; its value proves nothing, but a signal does.

    Returns:
        A sentence; "" if it ended by itself.
    """
    if returncode is None or returncode >= 0:
        return ""
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"mpirun was ended by {name}"


def cause_of_death(directory: RunDirectory, log: Path, began: Seconds) -> str:
    """Return why a start of the job ended.

    Args:
        directory: of the run.
        log: of that start.
        began: when it began.

    Returns:
        One line for people.
    """
    own = [line for line in _tail(log).splitlines() if line.startswith("qmpi: ")]
    if own and ("mpirun was ended" in own[-1] or "ending" in own[-1]):
        return _short(own[-1].removeprefix("qmpi: "))
    left = _who_left(directory, began)
    if left:
        return _short(left)
    said = [line for line in _tail(log).splitlines() if line.strip(" -=*")]
    return _short(f"the job ended, and last said: {said[-1]}" if said else "the job ended silently")


def died_option(why: str) -> tuple[str, ...]:
    """Return how the next start is told.

    Args:
        why: from `cause_of_death`.

    Returns:
        Arguments of every rank.
    """
    return ("--died", why)


def _who_left(directory: RunDirectory, began: Seconds) -> str:
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(began))
    # Who heard of it from MPI knows more than who lost mpirun, which goes when the job does.
    found: list[tuple[bool, str, str]] = []
    for path in _newest(directory.log_dir):
        left = _LEFT.finditer(_tail(path))
        found += [(not one[2], one[1], one[2] or one[3]) for one in left if one[1] >= since]
    return min(found)[2] if found else ""


def _newest(folder: Path) -> list[Path]:
    dated: list[tuple[float, Path]] = []
    for path in folder.glob("rank-*.log"):
        try:
            dated.append((path.stat().st_mtime, path))
        except OSError:
            continue
    return [path for _, path in sorted(dated, reverse=True)[:LOOKED_AT]]


def _tail(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            return file.read(TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _short(text: str) -> str:
    line = " ".join(text.split())
    return "".join(mark for mark in line if mark.isprintable())[:SAID_BYTES]
