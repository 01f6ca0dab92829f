"""`qmpi logs`: what the ranks of a run have written, by time."""

import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import RunPath, json_option
from qmpi.cli.output import show_json
from qmpi.errors import InputError, QmpiError

if TYPE_CHECKING:
    from qmpi.monitor.run_logs import Line, RunLogs
    from qmpi.protocol.status import StatusReport
    from qmpi.storage.run_directory import RunDirectory

EPILOG = """\b
Examples:
  qmpi logs                             the newest run under runs/
  qmpi logs runs/laptop --tail 50
  qmpi logs runs/laptop --rank 3 --follow
  qmpi logs runs/laptop --role trainer --since 10m
  qmpi logs runs/laptop --since "2026-11-28 23:40" --json

Lines of ranks begin with their local time. What the launcher printed, "job 2: ..." for the second
start, has no times: it stands where it ended.
"""

LOOK_SECONDS = 0.25
LINGER_SECONDS = 1.0
"""How long ranks may take to write their last line after the end marker."""

STALE_PATIENCE = 120.0
"""Silence after which a run on another machine is no longer followed: a large one may take a while
to start again."""

DAMAGED_PATIENCE = 15.0
"""How long a status may be unreadable, as on a network file system, before that is told."""

MOST_LINES = 1_000_000_000
"""The last lines are kept in memory until the end is reached."""

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Moment(click.ParamType):
    """A time, or how long ago it was."""

    name = "time"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds since the epoch."""
        ago = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhd])", value.strip())
        if ago is not None:
            return max(0.0, time.time() - float(ago[1]) * UNITS[ago[2]])
        try:
            return max(0.0, datetime.fromisoformat(value.strip()).timestamp())
        except (ValueError, OverflowError, OSError):
            self.fail(f'{value!r}: write 90s, 10m, 2h, 1d, or "2026-11-28 23:40"', param, ctx)


@click.command("logs", epilog=EPILOG)
@click.argument("run", required=False, type=RunPath())
@click.option(
    "--rank", "ranks", multiple=True, type=click.IntRange(0), help="Of this rank; repeatable."
)
@click.option("--role", metavar="ROLE", help="Of the ranks that play this role now.")
@click.option("--follow", is_flag=True, help="Go on as lines are written, until the run ends.")
@click.option(
    "--tail", type=click.IntRange(0, MOST_LINES), metavar="N", help="Begin with the last N lines."
)
@click.option("--since", type=Moment(), metavar="TIME", help="Nothing older: 10m, or a time.")
@json_option
def command(
    *,
    run: Path | None,
    ranks: tuple[int, ...],
    role: str | None,
    follow: bool,
    tail: int | None,
    since: float | None,
    as_json: bool,
) -> None:
    """Show the logs of RUN (default: the newest under runs/), merged by time.

    With --json, one object a line.
    """
    from qmpi.monitor.run_logs import RunLogs, spelled
    from qmpi.monitor.run_look import newest_run
    from qmpi.storage.run_directory import RunDirectory

    where = run if run is not None else newest_run(Path("runs"))
    chosen = _chosen(where, ranks, role)
    directory = RunDirectory(where)
    logs = RunLogs(directory.log_dir, chosen)
    _check(directory, logs, ranks)
    begin = "" if since is None else spelled(since)
    for line in logs.lines(begin) if tail is None else logs.last(tail, begin):
        _show(line, as_json=as_json)
    for line in _followed(where, logs) if follow else ():
        _show(line, as_json=as_json)


def _chosen(run: Path, ranks: tuple[int, ...], role: str | None) -> frozenset[int] | None:
    """Return the ranks that are asked for; None: all, and the launcher."""
    if role is None:
        return frozenset(ranks) if ranks else None
    report = _report(run)
    players = {rank.rank for rank in report.ranks if rank.role == role}
    if report.summary is not None:
        raise InputError(
            f"the status of a job of {report.summary.ranks:,} ranks does not name each rank's "
            "role; name ranks with --rank"
        )
    if not players:
        roles = ", ".join(sorted({rank.role for rank in report.ranks})) or "nothing yet"
        raise InputError(f"no rank of {run} plays {role!r}; they play {roles}")
    return frozenset(players | set(ranks))


def _check(directory: "RunDirectory", logs: "RunLogs", ranks: tuple[int, ...]) -> None:
    found = {file.number for file in logs.refresh()}
    missing = sorted(set(ranks) - found)
    if missing:
        raise InputError(f"{directory.root} has no log of rank {', '.join(map(str, missing))}")
    if not found and not directory.log_dir.is_dir():
        raise InputError(
            f"{directory.root} has no logs; is it the directory of a run, and has it started?"
        )


def _report(run: Path) -> "StatusReport":
    from qmpi.monitor.run_look import Observer

    return Observer(time.time()).report(run)


def _followed(run: Path, logs: "RunLogs") -> "Iterator[Line]":
    from qmpi.monitor.run_logs import follow

    quiet_since: float | None = None

    def is_over() -> bool:
        nonlocal quiet_since
        now, patience = time.monotonic(), _patience(run)
        if patience is None:
            quiet_since = None
        elif quiet_since is None:
            quiet_since = now
        return quiet_since is not None and patience is not None and now - quiet_since >= patience

    yield from follow(logs, is_over, lambda: time.sleep(LOOK_SECONDS))
    _report(run)  # what is damaged is told, not taken for an end


def _patience(run: Path) -> float | None:
    """Return how much longer a run is followed, seconds; None: it goes on, or has not begun."""
    import os

    from qmpi.monitor.staleness import CHIEFS

    try:
        report = _report(run)
    except InputError:
        return None
    except QmpiError:
        # Files are replaced as a whole: it is not just being written, and may be mended.
        return DAMAGED_PATIENCE
    if report.state != "stale":
        return None if report.state in ("starting", "running") else LINGER_SECONDS
    chief = next((rank.host for rank in report.ranks if rank.role in CHIEFS), "")
    far = chief not in ("", os.uname().nodename)
    is_over = not far or time.time() - report.updated > STALE_PATIENCE
    return LINGER_SECONDS if is_over else None


def _show(line: "Line", *, as_json: bool) -> None:
    from qmpi.monitor.paint import plain

    if as_json:
        show_json({"time": line.time, "source": line.source, "text": line.text})
        return
    prefix = f"{line.source}: " if line.source.startswith("job") else ""
    # Tabs are what tracebacks and tables are written with.
    click.echo(prefix + "\t".join(plain(part) for part in line.text.split("\t")))
