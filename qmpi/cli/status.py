"""`qmpi status`: who is alive and how far a run is.

Asked for again and again, on machines that many share: it loads neither MPI nor torch nor any other
library that takes long, and answers in a tenth of a second.
"""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import RunPath, json_option
from qmpi.cli.output import has_colour, show_json

if TYPE_CHECKING:
    from qmpi.protocol.status import StatusReport

EPILOG = """\b
Examples:
  qmpi status                     the newest run under runs/
  qmpi status runs/laptop --watch
  qmpi status runs/laptop --json

States: starting running stopped finished failed, and stale: it gives no sign of life any more.
"""

WATCH_SECONDS = 1.0


@click.command("status", epilog=EPILOG)
@click.argument("run", required=False, type=RunPath())
@click.option("--watch", is_flag=True, help="Show it again each second until the run ends.")
@json_option
def command(*, run: Path | None, watch: bool, as_json: bool) -> None:
    """Show the status of RUN (default: the newest under runs/)."""
    from qmpi.monitor.run_look import newest_run
    from qmpi.monitor.status_text import render

    if watch and as_json:
        raise click.UsageError("--watch is for people; with --json ask as often as you like")
    where = run if run is not None else newest_run(Path("runs"))
    report = read(where)
    if as_json:
        show_json(report)
    elif watch:
        _watch(where, report)
    else:
        click.echo(render(report, colour=has_colour(sys.stdout)))


def read(run: Path) -> "StatusReport":
    """Return the status of a run as it holds now.

    Args:
        run: directory of the run.

    Returns:
        The report.
    """
    from qmpi.monitor.run_look import Observer

    return Observer(time.time()).report(run)


def _watch(run: Path, report: "StatusReport") -> None:
    # Drawing in place is what a library is worth its time for: one waits here anyway.
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from qmpi.monitor.status_text import render

    def shown(report: "StatusReport") -> Text:
        return Text.from_ansi(render(report, colour=has_colour(sys.stdout)))

    with Live(shown(report), console=Console(), auto_refresh=False) as live:
        while report.state in ("starting", "running"):
            time.sleep(WATCH_SECONDS)
            report = read(run)
            live.update(shown(report), refresh=True)
