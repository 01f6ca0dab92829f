"""Find runs, and say in which state each is.

Theory of operation. A directory is a run if it holds a status or the lock of a command; nothing is
looked for below one. All is read, nothing written or locked, so that anyone may look at any time.
A run whose files are damaged is a run all the same, and said to be damaged.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from qmpi.errors import InputError, StorageError
from qmpi.monitor.staleness import ENDED, Signs, judge
from qmpi.protocol.status import StatusReport
from qmpi.storage.lock_table import held_locks, held_since
from qmpi.storage.rank_files import read_rank_files, run_of, start_ticks
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.run_lock import holder_of
from qmpi.storage.specialisation_file import read_specialisation
from qmpi.storage.status_file import read_end, read_status

logger = logging.getLogger(__name__)

DEPTH = 4
"""Folders that runs are looked for below; people sort them by project and day."""

MARKS = frozenset({"status.json", "supervisor.lock"})
"""A directory with one of these is a run."""


class RunLine(Struct, frozen=True):
    """A run among others.

    Attributes:
        directory: of the run.
        state: as in a status; "damaged" if its files cannot be read.
        step: steps committed so far, or units done.
        steps: length of the run.
        loss: of the last committed step; None before the first.
        failures: noted so far.
        updated: when it last gave a sign, seconds since the epoch.
        name: of the job.
        reason: why it is in this state, in words.
        roll_backs: times that it went back by itself.
    """

    directory: str
    state: str
    step: int
    steps: int
    loss: float | None
    failures: int
    updated: float
    name: str = ""
    reason: str = ""
    roll_backs: int = 0


class Observer:
    """Looks at runs from this host, at one moment."""

    def __init__(self, now: float) -> None:
        """Look at the locks of this host.

        Args:
            now: seconds since the epoch.
        """
        self._now = now
        self._host = os.uname().nodename
        self._locks = held_locks()

    def report(self, run: Path) -> StatusReport:
        """Return the status of a run as it holds now.

        Args:
            run: its directory.

        Returns:
            The report, its state judged.

        Raises:
            InputError: there is no run.
            StorageError: its files cannot be read, or are damaged.
        """
        if run.exists() and not run.is_dir():
            raise InputError(f"{run} is a file, not the directory of a run")
        directory = RunDirectory(run)
        end = read_end(run)
        signs = self._signs(directory)
        if directory.status.exists():
            written = read_status(run)
        elif end is not None or directory.supervisor_lock.exists():
            written = _unwritten(directory, lives=signs.commanded_since is not None)
        else:
            raise InputError(
                f"{run} has no status; is it the directory of a run, and has it started?"
            )
        return _held_against(directory, judge(written, end, self._now, signs))

    def line(self, run: Path) -> RunLine:
        """Return a run in short; damage is told, not raised.

        Args:
            run: its directory.

        Returns:
            Its line.
        """
        try:
            report = self.report(run)
        except (StorageError, InputError) as error:
            when = _changed(RunDirectory(run))
            return RunLine(str(run), "damaged", 0, 0, None, 0, when, run.name, str(error))
        return RunLine(
            str(run),
            report.state,
            report.step,
            report.steps,
            report.loss,
            len(report.failures),
            report.updated,
            report.name or run.name,
            report.reason,
            len(report.roll_backs),
        )

    def _signs(self, directory: RunDirectory) -> Signs:
        processes = read_rank_files(directory.ranks)
        here = [one for one in processes if one.host == self._host]
        own = run_of(directory.ranks)
        # Files that a copied run has brought along say nothing of it.
        mine = [one for one in here if one.run in {"", own}]
        living = any(one.started and start_ticks(one.pid) == one.started for one in mine)
        gone = bool(mine) and len(mine) == len(processes) and not living
        since = held_since(directory.supervisor_lock, self._locks, self._now)
        alone = living and since is None and self._is_free(directory.supervisor_lock)
        return Signs(self._host, since, gone, alone)

    def _is_free(self, lock: Path) -> bool:
        # A holder of another host may only have a clock that is apart; some systems list no locks.
        holder = holder_of(lock)
        return not holder.said or (bool(self._locks) and not holder.elsewhere)


def find_runs(folder: Path) -> Iterator[Path]:
    """Find the runs below a folder, or the folder itself if it is one.

    Args:
        folder: where to look, links followed; folders that cannot be read hold none.

    Yields:
        Their directories, each once, in no order.
    """
    yield from _runs_below(folder, DEPTH, set())


def _runs_below(folder: Path, depth: int, seen: set[tuple[int, int]]) -> Iterator[Path]:
    try:
        found = folder.stat()
        with os.scandir(folder) as listing:
            entries = list(listing)
    except OSError:
        return
    if (found.st_dev, found.st_ino) in seen:
        return  # a link led here before
    seen.add((found.st_dev, found.st_ino))
    if any(entry.name in MARKS for entry in entries):
        yield folder
        return
    for entry in entries if depth else ():
        if _is_folder(entry):
            yield from _runs_below(folder / entry.name, depth - 1, seen)


def newest_run(folder: Path) -> Path:
    """Return the run below a folder that gave a sign last.

    Args:
        folder: holds directories of runs.

    Returns:
        One of them.

    Raises:
        InputError: there is none.
    """
    found = list(find_runs(folder))
    if not found:
        raise InputError(
            f"no run under {folder.absolute()}; name one, or start one with `qmpi train`"
        )
    return max(found, key=lambda run: _changed(RunDirectory(run)))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _changed(directory: RunDirectory) -> float:
    for path in (directory.status, directory.supervisor_lock):
        try:
            return path.stat().st_mtime
        except OSError:
            continue
    return 0.0


def _held_against(directory: RunDirectory, report: StatusReport) -> StatusReport:
    """Return a status with how the run stands beside its reference, if it is at its end."""
    if report.state not in ENDED:
        return report
    try:
        told = read_specialisation(directory.specialisation)
    except StorageError as error:
        logger.warning("how the run stands beside its reference is not told: %s", error)
        return report
    # A run that went on since is another one.
    is_of_now = told is not None and told.step == report.step
    return replace(report, specialisation=told) if is_of_now else report


def _unwritten(directory: RunDirectory, *, lives: bool) -> StatusReport:
    """Return the status of a run that has not written one."""
    died = "its command ended before the ranks had met; `qmpi logs` shows what they said"
    return StatusReport(
        state="starting" if lives else "stale",
        step=0,
        steps=0,
        tokens=0,
        tokens_per_second=0.0,
        loss=None,
        digest="",
        generation=0,
        failures=(),
        ranks=(),
        name=directory.root.name,
        updated=_changed(directory),
        reason="its ranks have not met yet" if lives else died,
    )
