"""`qmpi runs`: the runs below a folder, each in a line."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import HomePath, json_option
from qmpi.cli.output import has_colour, show_json
from qmpi.errors import InputError

if TYPE_CHECKING:
    from qmpi.monitor.run_look import RunLine

EPILOG = """\b
Examples:
  qmpi runs                       those under runs/
  qmpi runs /scratch/me --state running
  qmpi runs --json | jq -r '.runs[] | select(.state == "stale") | .directory'

Newest first. A run whose files are damaged is listed as such; `qmpi status RUN` says what is wrong.
"""

STATES = ("starting", "running", "stopped", "finished", "failed", "stale", "damaged")


@click.command("runs", epilog=EPILOG)
@click.argument("folder", metavar="[DIR]", default="runs", type=HomePath(file_okay=False))
@click.option(
    "--state", "states", multiple=True, type=click.Choice(STATES), help="Only these; repeatable."
)
@json_option
def command(*, folder: Path, states: tuple[str, ...], as_json: bool) -> None:
    """List the runs below DIR (default: runs/)."""
    from qmpi.monitor.run_table import run_table

    if not folder.is_dir():
        raise InputError(
            f"there is no folder {folder.absolute()}; name one, or start a run with `qmpi train`"
        )
    now = time.time()
    runs = [run for run in listed(folder, now) if not states or run.state in states]
    if as_json:
        show_json({"folder": str(folder), "runs": runs})
    elif runs:
        click.echo("\n".join(run_table(runs, now, colour=has_colour(sys.stdout))))
    else:
        which = f" that is {' or '.join(states)}" if states else ""
        click.echo(f"no run{which} below {folder}")


def listed(folder: Path, now: float) -> "list[RunLine]":
    """Return the runs below a folder, the newest first.

    Args:
        folder: where to look.
        now: seconds since the epoch.

    Returns:
        A line each.
    """
    from qmpi.monitor.run_look import Onlooker, find_runs

    onlooker = Onlooker(now)
    found = [onlooker.line(run) for run in find_runs(folder)]
    return sorted(found, key=lambda run: (-run.updated, run.directory))
