"""`qmpi profile`: let a live job record what its trainers do, as a trace that Perfetto opens.

Theory of operation. The command leaves a request in the run's directory, which the coordinator's
rank takes; what comes of it stands in the status. So it works from any host that sees the
directory, and needs no way into the job. The traces are written by the ranks themselves.
"""

import math
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import FiniteRange, HomePath, RunPath, json_option
from qmpi.cli.output import show_json
from qmpi.errors import InputError, LaunchError, MachineError, PeerLost
from qmpi.protocol.profiles import MOST_STEPS, ProfileReport, ProfileRequest
from qmpi.units import Rank

if TYPE_CHECKING:
    from qmpi.protocol.status import StatusReport

EPILOG = """\b
Examples:
  qmpi profile runs/laptop --steps 5                        its first trainer
  qmpi profile runs/laptop --steps 3 --ranks 3,4 --to both.json.gz
  qmpi profile runs/laptop --steps 1 --ranks all

Open the file at https://ui.perfetto.dev, or with Perfetto's trace processor. The job goes on, a
little slower during these steps, to the same weights.
"""

LOOK_SECONDS = 0.25
ALL = "all"


class Ranks(click.ParamType):
    """Numbers with commas between, or "all"."""

    name = "ranks"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Rank, ...]:
        """Return the ranks, ascending; none for "all"."""
        if value.strip() == ALL:
            return ()
        words = [word.strip() for word in value.split(",")]
        if not all(word.isascii() and word.isdigit() and len(word) <= 9 for word in words):
            self.fail(f'{value!r}: write numbers of ranks such as 3,4, or "{ALL}"', param, ctx)
        return tuple(sorted({Rank(int(word)) for word in words}))


@click.command("profile", epilog=EPILOG)
@click.argument("run", required=False, type=RunPath())
@click.option(
    "--steps",
    type=click.IntRange(1, MOST_STEPS),
    default=3,
    show_default=True,
    metavar="K",
    help="How many of the steps that come.",
)
@click.option(
    "--ranks", type=Ranks(), metavar="R", help='Which trainers: 3,4 or "all"; default: the first.'
)
@click.option("--to", type=HomePath(), metavar="FILE", help="Also write one file with all ranks.")
@click.option(
    "--timeout",
    type=FiniteRange(1.0, 1e6),
    default=300.0,
    show_default=True,
    metavar="S",
    help="Seconds to wait for the traces.",
)
@json_option
def command(
    *,
    run: Path | None,
    steps: int,
    ranks: tuple[Rank, ...] | None,
    to: Path | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Record K steps of trainers of the live RUN (default: the newest under runs/)."""
    from qmpi.monitor.run_look import newest_run

    where = run if run is not None else newest_run(Path("runs"))
    if math.isnan(timeout):
        raise InputError("--timeout is no number of seconds")
    _check_target(to)
    report = _live(where)
    chosen = ranks if ranks is not None else _first_trainer(report)
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    with _asked(where, ProfileRequest(name, steps, chosen)):
        made = _wait(where, name, report.incarnation, timeout)
    files = _files(made)
    if to is not None:
        _join(files, to)
    if as_json:
        written = [str(path) for path in files]
        target = None if to is None else str(to)
        numbers = [part.rank for part in made.ranks]
        show_json(
            {"profile": name, "steps": steps, "ranks": numbers, "files": written, "to": target}
        )
        return
    for part, path in zip(made.ranks, files, strict=True):
        click.echo(f"rank {part.rank}: {path}")
    if to is not None:
        click.echo(f"all of them: {to}")
    click.echo("open it at https://ui.perfetto.dev")


def _check_target(to: Path | None) -> None:
    if to is not None and not to.parent.is_dir():
        raise InputError(f"{to.parent} is no directory; --to takes a file in one that exists")
    if to is not None and to.is_dir():
        raise InputError(f"{to} is a directory; --to takes a file")


def _report(run: Path) -> "StatusReport":
    from qmpi.monitor.run_look import Observer

    return Observer(time.time()).report(run)


def _live(run: Path) -> "StatusReport":
    report = _report(run)
    if report.state != "running":
        raise InputError(f"{run} is {report.state}: only a job that runs can be profiled")
    if report.work is not None:
        raise InputError(f"{run} is a work farm, which trains nothing")
    return report


def _first_trainer(report: "StatusReport") -> tuple[Rank, ...]:
    trainers = [one.rank for one in report.ranks if one.role == "trainer" and one.alive]
    if not trainers or report.summary is not None:
        raise InputError("the status names no trainer (yet); name ranks with --ranks")
    return (Rank(min(trainers)),)


@contextmanager
def _asked(run: Path, request: ProfileRequest) -> Iterator[None]:
    """Ask; what nobody has taken by the end is withdrawn."""
    from qmpi.storage.named_request import withdraw_request
    from qmpi.storage.profile_request import write_request
    from qmpi.storage.run_directory import RunDirectory

    path = RunDirectory(run).profile_request
    if path.exists():
        raise InputError(
            f"another profile of {run} is just being asked for; try again, or remove {path}"
        )
    write_request(path, request)
    try:
        yield
    finally:
        withdraw_request(path, request.name)


def _wait(run: Path, name: str, incarnation: int, timeout: float) -> ProfileReport:
    """Wait until each rank has ended its part.

    Returns:
        What came of them.

    Raises:
        InputError: the job refuses.
        MachineError: it took too long, or the job is gone.
    """
    end = time.monotonic() + timeout
    while True:
        report = _report(run)
        found = next((one for one in report.profiles if one.name == name), None)
        if found is not None and found.refused:
            raise InputError(found.refused)
        waiting = [] if found is None else [p for p in found.ranks if p.state == "under way"]
        if found is not None and not waiting:
            _show("")
            return found
        if report.state == "starting" or report.incarnation != incarnation:
            raise LaunchError("the job was started again meanwhile; ask once more")
        if report.state != "running":
            raise MachineError(f"{run} is {report.state}; it ended before the profile was written")
        awaited = ", ".join(f"rank {part.rank}" for part in waiting) or "the coordinator"
        if time.monotonic() > end:
            raise MachineError(
                f"no answer of {awaited} within {timeout:.0f} s; a job with long steps needs a "
                f"longer --timeout; what is written later goes to {run / 'profiles' / name}"
            )
        _show(f"step {report.step}: waiting for {awaited}")
        time.sleep(LOOK_SECONDS)


def _show(text: str) -> None:
    if sys.stderr.isatty():
        width = os.get_terminal_size(sys.stderr.fileno()).columns
        click.echo(f"\r\x1b[2K{text[: max(1, width - 1)]}", nl=False, err=True)


def _files(made: ProfileReport) -> list[Path]:
    failed = [f"rank {part.rank}: {part.fault}" for part in made.ranks if part.state == "failed"]
    if failed:
        written = [part.path for part in made.ranks if part.path]
        rest = f"; written are {', '.join(written)}" if written else ""
        raise PeerLost(f"{'; '.join(failed)}{rest}")
    return [Path(part.path) for part in made.ranks]


def _join(files: list[Path], to: Path) -> None:
    from qmpi.storage.trace_file import joined, read_trace, write_trace

    write_trace(to, joined([read_trace(path) for path in files]))
