"""`qmpi status`: who is alive and how far a run is."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import HomePath, json_option
from qmpi.cli.output import show_json
from qmpi.errors import InputError

if TYPE_CHECKING:
    from qmpi.protocol.status import StatusReport

EPILOG = """\b
Examples:
  qmpi status                     the newest run under runs/
  qmpi status runs/laptop --watch
  qmpi status runs/laptop --json
"""

WATCH_SECONDS = 1.0


@click.command("status", epilog=EPILOG)
@click.argument("run", required=False, type=HomePath())
@click.option("--watch", is_flag=True, help="Show it again each second until the run ends.")
@json_option
def command(*, run: Path | None, watch: bool, as_json: bool) -> None:
    """Show the status of RUN (default: the newest under runs/)."""
    from rich.console import Console
    from rich.live import Live

    from qmpi.monitor.status_text import render

    where = run if run is not None else newest_run(Path("runs"))
    report = read(where)
    if as_json:
        show_json(report)
        return
    console = Console()
    if not watch:
        console.print(render(report))
        return
    with Live(render(report), console=console, auto_refresh=False) as live:
        while report.state in ("starting", "running"):
            time.sleep(WATCH_SECONDS)
            report = read(where)
            live.update(render(report), refresh=True)


def read(run: Path) -> "StatusReport":
    """Return the status of a run as it holds now.

    Args:
        run: directory of the run.

    Returns:
        The report.

    Raises:
        InputError: there is no run there.
    """
    from qmpi.monitor.staleness import judge
    from qmpi.storage.run_directory import RunDirectory
    from qmpi.storage.status_file import read_end, read_status

    if not RunDirectory(run).status.exists():
        raise InputError(f"{run} has no status; is it the directory of a run, and has it started?")
    return judge(read_status(run), read_end(run), time.time())


def newest_run(folder: Path) -> Path:
    """Return the run under `folder` that wrote its status last.

    Args:
        folder: holds directories of runs.

    Returns:
        One of them.

    Raises:
        InputError: there is none.
    """
    try:
        found = [path.parent for path in folder.glob("**/status.json")]
        return max(found, key=lambda path: (path / "status.json").stat().st_mtime)
    except (ValueError, OSError) as error:
        raise InputError(
            f"no run under {folder.absolute()}; name one, or start one with `qmpi train`"
        ) from error
