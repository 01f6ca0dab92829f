"""What an earlier start of a run has left, cleared by the rank that holds the run's lock.

Theory of operation. A start may end at any point, so any of its files may be left: the end marker,
a request to stop, the ranks' process numbers, a status that says "running". None of them may be
taken for one of this start. The supervisor clears what it reads itself before it starts the ranks;
the coordinator's rank clears everything, so that a job started by hand is as clean.
"""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from qmpi.errors import StorageError
from qmpi.storage.os_errors import explained
from qmpi.storage.rank_files import RankProcess, read_rank_files, run_of, start_ticks
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.status_file import clear_end, read_status, write_status
from qmpi.units import Seconds


def clear_leftovers(directory: RunDirectory, began: Seconds, now: Seconds) -> None:
    """Clear what an earlier start has left; the caller holds the lock of the run.

    Args:
        directory: of the run.
        began: when this start began; a request to stop that is younger is meant for it.
        now: clock.

    Raises:
        StorageError: a file cannot be removed or written.
    """
    end_leftovers(directory.ranks)
    clear_end(directory.root)
    clear_stop(directory, before=began)
    with explained("remove", directory.profile_request):
        directory.profile_request.unlink(missing_ok=True)
    _restart_status(directory.root, now)


def end_leftovers(folder: Path, *, here_alone: bool = False) -> int:
    """Kill ranks of an earlier job of this run that outlived it, by pid and start time.

    Args:
        folder: RUN/ranks of that run; its files are removed.
        here_alone: keep the files of ranks on other hosts, for whoever can reach those.

    Returns:
        Processes killed.

    Raises:
        StorageError: a file cannot be removed.
    """
    here = os.uname().nodename
    processes = [p for p in read_rank_files(folder) if not here_alone or p.host == here]
    killed = end_processes(processes, folder)
    for process in processes:
        path = folder / f"{process.rank}.json"
        with explained("remove", path):
            path.unlink(missing_ok=True)
    return killed


def end_processes(processes: Iterable[RankProcess], folder: Path) -> int:
    """Kill those of a run's ranks that live on this host.

    Args:
        processes: ranks of an earlier job.
        folder: RUN/ranks of that run.

    Returns:
        Processes killed.
    """
    return sum(kill(process.pid) for process in processes if _lives(process, folder))


def has_leftovers(folder: Path) -> bool:
    """Return whether ranks of a job of this run live on this host.

    Args:
        folder: RUN/ranks of that run.
    """
    return any(_lives(process, folder) for process in read_rank_files(folder))


def _lives(process: RankProcess, folder: Path) -> bool:
    here = process.host == os.uname().nodename and process.run in {"", run_of(folder)}
    mine = here and process.pid != os.getpid() and bool(process.started)
    return mine and start_ticks(process.pid) == process.started


def kill(pid: int) -> bool:
    """Kill a process.

    Args:
        pid: which; the caller has made sure that it is of this run.

    Returns:
        False if it was gone already, or a stranger's.
    """
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # It ended between the look and the blow, or is a stranger's: both are no leftover of ours.
        return False
    return True


def clear_stop(directory: RunDirectory, before: Seconds | None = None) -> None:
    """Remove a request to stop: it was obeyed, or meant an earlier start.

    Args:
        directory: of the run.
        before: a younger one stays, seconds since the epoch; None: none stays.

    Raises:
        StorageError: it cannot be removed.
    """
    path = directory.stop_request
    with explained("remove", path), suppress(FileNotFoundError):
        if before is None or path.stat().st_mtime < before:
            path.unlink()


def _restart_status(run: Path, now: Seconds) -> None:
    # Kept, not removed: until the coordinator writes its own, this one tells how far the run is.
    try:
        status = read_status(run)
    except StorageError:
        return  # none, or damaged: either way it says nothing
    write_status(
        run,
        replace(
            status,
            state="starting",
            reason="the ranks of this start meet",
            ranks=(),
            tokens_per_second=0.0,
            eta_seconds=None,
            updated=now,
        ),
    )
