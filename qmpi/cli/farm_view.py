"""Run a work farm from the command line: progress bar, Ctrl-C, events."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from qmpi.cli.sizes import duration, short
from qmpi.cli.stop_request import StopRequest
from qmpi.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress, TaskID

    from qmpi.launch.supervisor import SupervisorEvent
    from qmpi.protocol.status import EndMarker, StatusReport
    from qmpi.storage.work_file import WorkFile

LOOK_SECONDS = 0.25


def run_with_bar(
    work: "WorkFile",
    directory: Path,
    ranks: int,
    *,
    quiet: bool,
    counted: str = "tokens",
    claimed: "Callable[[], None]" = lambda: None,
) -> "EndMarker":
    """Do the work of a farm, with a progress bar on standard error.

    Args:
        work: what.
        directory: the work directory.
        ranks: MPI processes to start.
        quiet: no bar.
        counted: what the rate is of, "tokens" or "bytes".
        claimed: called once the directory belongs to this command.

    Returns:
        How it ended.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    from qmpi.launch.farm import Onlookers, run_farm

    stop = StopRequest()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
    console = Console(stderr=True)
    with ExitStack() as stack:
        shown = console.is_terminal and not quiet
        bar = Progress(*columns, console=console, transient=True, disable=not shown)
        stack.enter_context(bar)
        task = bar.add_task("starting", total=None, said="")
        view = FarmView(bar, task, directory, counted, quiet=quiet)
        with stop.heard():
            onlookers = Onlookers(view.say, view.tick, stop, claimed)
            return run_farm(work, directory, ranks, onlookers, os.environ)


class FarmView:
    """Shows the status of a farm on a progress bar."""

    def __init__(
        self, bar: "Progress", task: "TaskID", directory: Path, counted: str, *, quiet: bool
    ) -> None:
        """Show nothing yet.

        Args:
            bar: the progress bar.
            task: its line.
            directory: the work directory.
            counted: "tokens" or "bytes".
            quiet: say nothing either.
        """
        from qmpi.runtime.clock import Clock

        self._bar, self._task, self._counted = bar, task, counted
        self._directory = directory
        self._quiet = quiet
        self._clock = Clock()
        self._next = 0.0
        # What an earlier run has left says nothing of this one.
        self._stale = self._look()

    def tick(self) -> None:
        """Look at the newest status, a few times a second at most."""
        if self._bar.disable or self._clock.now() < self._next:
            return
        self._next = self._clock.now() + LOOK_SECONDS
        report = self._look()
        if report is not None and report != self._stale:
            self._show(report)

    def _look(self) -> "StatusReport | None":
        from qmpi.storage.status_file import read_status

        try:
            return read_status(self._directory)
        except StorageError:
            return None  # not written yet

    def say(self, event: "SupervisorEvent") -> None:
        """Tell what the supervisor did.

        Args:
            event: what.
        """
        if not self._quiet:
            self._bar.console.print(event.what, markup=False, highlight=False)

    def _show(self, report: "StatusReport") -> None:
        work = report.work
        if work is None:
            return
        many = f" ({work.stage_number + 1} of {work.stages})" if work.stages > 1 else ""
        rate = report.tokens_per_second if self._counted == "tokens" else work.bytes_per_second
        amount = work.tokens if self._counted == "tokens" else work.bytes
        said = (
            f"{work.units_done:,} of {work.units:,}  {short(amount)} {self._counted}  "
            f"{short(rate)} {self._counted}/s  {duration(report.eta_seconds)} to go"
        )
        lost = sum(not rank.alive for rank in report.ranks)
        said += f"  {lost} ranks lost" if lost else ""
        self._bar.update(
            self._task,
            description=work.stage + many,
            total=max(1, work.units),
            completed=work.units_done,
            said=said,
        )
