"""The end of following a job that another command started.

Theory of operation. A command that was killed cannot clear away after its job: whoever followed the
ranks to their end does so in its stead. A command that is alive does it itself, and its job is its
own: who merely followed it leaves it alone.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from qmpi.errors import ExitCode, RunInUse, StorageError, UserError
from qmpi.launch.scratch import scratch_of
from qmpi.protocol.status import EndMarker
from qmpi.runtime.clock import Clock
from qmpi.runtime.leftovers import clear_stop, end_leftovers, has_leftovers
from qmpi.storage.run_directory import RunDirectory, RunLock
from qmpi.storage.status_file import EndStamp, end_stamp, read_status, write_end
from qmpi.units import Seconds

LOOK_SECONDS = 0.05

LEAVING_SECONDS = 30.0
"""Longer than a job holds its run after the end marker, with clocks a little apart."""

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


def end_before(directory: RunDirectory, clock: Clock) -> EndStamp:
    """Tell the end marker of an earlier start from one of the job that is followed.

    A command that is refused leaves the marker that it found: it says nothing of that command. One
    whose job has just ended holds the run a little longer, until its ranks have left.

    Args:
        directory: of the run.
        clock: the clock.

    Returns:
        The stamp of a marker that is older than a job takes to leave; None if there is none.

    Raises:
        StorageError: the marker cannot be looked at.
    """
    stamp = end_stamp(directory.root)
    is_old = stamp is not None and clock.now() - stamp[1] / 1e9 > LEAVING_SECONDS
    return stamp if is_old else None


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


def stopped_without_job(run: Path, clock: Clock, *, write: bool) -> EndMarker:
    """Say that a command was stopped while no job of it ran.

    Args:
        run: directory of the run; the caller holds the supervisor's lock.
        clock: the clock.
        write: it has started one since the run last ended; else how that ended still holds.

    Returns:
        As `stopped_marker`.

    Raises:
        StorageError: the run directory takes no data.
    """
    reason = "stopped while no job was up; what it has written can be resumed"
    marker = stopped_marker(run, reason, clock)
    if write:
        write_end(run, marker)
    return marker


def refused_marker(run: Path, check: Callable[[], None], clock: Clock) -> EndMarker | None:
    """Check what the ranks of a run would read, where no rank is there to refuse it.

    Args:
        run: directory of the run; the caller holds the supervisor's lock.
        check: raises what the user has to mend.
        clock: the clock.

    Returns:
        The marker that was written, "failed" at the step of the newest status; None if all is well.

    Raises:
        StorageError: the run directory takes no data.
    """
    try:
        check()
    except UserError as error:
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
    return None


def _reached(run: Path) -> tuple[int, str]:
    try:
        status = read_status(run)
    except StorageError:
        return 0, ""  # the job never came as far as a status
    return status.step, status.digest
