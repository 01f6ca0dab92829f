"""The end of following a job that another command started.

Theory of operation. A command that was killed cannot clear away after its job: whoever followed the
ranks to their end does so in its stead. A command that is alive does it itself, and its job is its
own: who merely followed it leaves it alone.
"""

import shutil
from contextlib import suppress
from pathlib import Path

from qmpi.errors import ExitCode, QmpiError, RunInUse, StorageError
from qmpi.launch.scratch import scratch_of
from qmpi.protocol.status import EndMarker
from qmpi.runtime.clock import Clock
from qmpi.runtime.leftovers import clear_stop, end_leftovers, has_leftovers
from qmpi.storage.run_directory import RunDirectory, RunLock
from qmpi.storage.status_file import EndStamp, end_stamp, read_status, write_end
from qmpi.units import Seconds

LOOK_SECONDS = 0.05

SWEEP_SECONDS = 2.0
"""How long the launcher may go on writing into its folder after its ranks have gone."""


def clear_followed(directory: RunDirectory, patience: Seconds, clock: Clock) -> None:
    """Clear away after a job whose command was killed; the caller holds the supervisor's lock.

    Args:
        directory: of the run.
        patience: how long ranks may take to leave by themselves.
        clock: the clock.

    Raises:
        StorageError: a request to stop cannot be removed.
    """
    try:
        lock = RunLock(directory.lock)
    except RunInUse:
        return  # a job that somebody started by hand is at it already
    with lock:
        deadline = clock.now() + patience
        while has_leftovers(directory.ranks) and clock.now() < deadline:
            clock.sleep(LOOK_SECONDS)
        end_leftovers(directory.ranks)
        clear_stop(directory)
        scratch = scratch_of(directory.root)
        deadline = clock.now() + SWEEP_SECONDS
        while scratch.exists() and clock.now() < deadline:
            shutil.rmtree(scratch, ignore_errors=True)
            clock.sleep(LOOK_SECONDS)


def end_before(directory: RunDirectory) -> EndStamp:
    """Tell the end marker of an earlier start from one of the job that is followed.

    A command that is refused leaves the marker that it found: it says nothing of that command.

    Args:
        directory: of the run; nobody has looked at its locks by taking them yet.

    Returns:
        The stamp of a marker that is older than the newest taking of a lock; None if there is none.

    Raises:
        StorageError: the marker cannot be looked at.
    """
    stamp = end_stamp(directory.root)
    taken = [0]
    for lock in (directory.supervisor_lock, directory.lock):
        with suppress(OSError):
            taken.append(lock.stat().st_mtime_ns)
    return stamp if stamp is not None and stamp[1] < max(taken) else None


def stopped_marker(run: Path, reason: str, clock: Clock) -> EndMarker:
    """Say that a command stopped without an end marker of the job; writes nothing.

    Args:
        run: directory of the run.
        reason: for people.
        clock: the clock.

    Returns:
        "stopped", to be queued again, at the step of the newest status.
    """
    step, digest = _reached(run)
    return EndMarker(
        state="stopped",
        exit_code=int(ExitCode.REQUEUE),
        step=step,
        digest=digest,
        reason=reason,
        time=clock.now(),
    )


def failed_marker(run: Path, error: QmpiError, clock: Clock) -> EndMarker:
    """Write down that a run cannot go on, where no rank is there to say so.

    Args:
        run: directory of the run; the caller holds the supervisor's lock.
        error: why.
        clock: the clock.

    Returns:
        "failed", at the step of the newest status.

    Raises:
        StorageError: the run directory takes no data.
    """
    step, digest = _reached(run)
    marker = EndMarker(
        state="failed",
        exit_code=int(error.exit_code),
        step=step,
        digest=digest,
        reason=str(error),
        time=clock.now(),
    )
    write_end(run, marker)
    return marker


def _reached(run: Path) -> tuple[int, str]:
    try:
        status = read_status(run)
    except StorageError:
        return 0, ""  # the job never came as far as a status
    return status.step, status.digest
