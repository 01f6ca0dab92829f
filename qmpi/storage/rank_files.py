"""Files in which the ranks of a job say who they are, for whoever has to end or find them later.

Theory of operation. A rank that has met the others writes its pid and start time; a pid alone may
have been given to a stranger since, the start time from /proc tells them apart.
"""

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from qmpi.errors import StorageError
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained, require_file


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


ENDED = ("Z", "X")
"""States of a process that runs no more, as /proc/PID/stat has them."""


def start_ticks(pid: int) -> int:
    """Return the start time of a process in ticks since boot; 0 if there is no such process.

    One that has ended, and whose parent has not asked for its end yet, runs no more: it is none.

    Args:
        pid: process id on this host.

    Returns:
        Field 22 of /proc/PID/stat.
    """
    fields = _stat(pid)
    return int(fields[19]) if len(fields) > 19 and fields[0] not in ENDED else 0


def parent_of(pid: int) -> int:
    """Return the parent of a process; 0 if there is no such process.

    Args:
        pid: process id on this host.

    Returns:
        Field 4 of /proc/PID/stat.
    """
    fields = _stat(pid)
    return int(fields[1]) if len(fields) > 1 else 0


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    # The name, field 2, may hold spaces and brackets; fields are counted after its last bracket.
    return text.rpartition(")")[2].split()


def write_rank_file(folder: Path, rank: int, host: str) -> None:
    """Write who this process is.

    Args:
        folder: RUN/ranks.
        rank: rank of this process.
        host: name of this machine.

    Raises:
        StorageError: the folder cannot be made, or takes no data.
    """
    pid = os.getpid()
    with explained("make the directory of the ranks", folder):
        folder.mkdir(parents=True, exist_ok=True)
    data = msgspec.json.encode(RankProcess(rank, pid, host, start_ticks(pid), run_of(folder)))
    write_atomic(folder / f"{rank}.json", data, durable=False)


def run_of(folder: Path) -> str:
    """Return the run whose ranks a folder tells of.

    Args:
        folder: RUN/ranks.

    Returns:
        Its directory, links resolved.
    """
    return str(folder.resolve().parent)


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
            require_file(path)
            found.append(msgspec.json.decode(path.read_bytes(), type=RankProcess))
        except (OSError, StorageError, msgspec.DecodeError, RecursionError):
            continue
    return sorted(found, key=lambda process: process.rank)
