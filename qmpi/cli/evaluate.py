"""`qmpi evaluate`: measure a checkpoint on held-out text and on problems."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import RunPath, json_option
from qmpi.cli.output import show_json
from qmpi.config.evaluation import MOST_PROBLEMS, MOST_TOKENS

if TYPE_CHECKING:
    from rich.table import Table

    from qmpi.launch.evaluate import Asked
    from qmpi.protocol.evaluation import Evaluation

EPILOG = """\b
Examples:
  qmpi evaluate runs/laptop
  qmpi evaluate runs/laptop --step 100 --tokens 20000 --problems 0
  qmpi evaluate runs/laptop --problems 1000 --json
  qmpi evaluate runs/laptop --leaks
  qmpi evaluate runs/laptop --follow --problems 50      beside a running job
"""

FOLLOW_SECONDS = 2.0


@click.command("evaluate", epilog=EPILOG)
@click.argument("run", type=RunPath())
@click.option(
    "--step",
    type=click.IntRange(min=0),
    metavar="S",
    help="Of the checkpoint; default: the newest.",
)
@click.option(
    "--tokens",
    type=click.IntRange(0, MOST_TOKENS),
    default=65_536,
    show_default=True,
    metavar="N",
    help="Held-out tokens of all sources together; 0: none.",
)
@click.option(
    "--problems",
    type=click.IntRange(0, MOST_PROBLEMS),
    default=200,
    show_default=True,
    metavar="N",
    help="Problems of all generated sources together; 0: none.",
)
@click.option("--again", is_flag=True, help="Measure although the same was measured before.")
@click.option("--follow", is_flag=True, help="Measure each new checkpoint until the run has ended.")
@click.option(
    "--leaks", is_flag=True, help="Look for the held-out text in all that RUN has trained on."
)
@json_option
def command(
    *,
    run: Path,
    step: int | None,
    tokens: int,
    problems: int,
    again: bool,
    follow: bool,
    leaks: bool,
    as_json: bool,
) -> None:
    """Measure a checkpoint of RUN on what it was never trained on, on the CPU.

    Held-out loss and bits per byte come by source, content type and band of levels. Problems are
    set by documents that no job trains on, answered by the likeliest tokens, and judged by
    certificate and solver. The result is kept in RUN/evaluations.
    """
    from qmpi.launch.evaluate import Asked, why_no_problem

    if follow and (step is not None or again):
        raise click.UsageError("--follow measures each new checkpoint: no --step, no --again")
    asked = Asked(step, tokens, problems, again, leaks)

    def tell(result: "Evaluation") -> None:
        if as_json:
            show_json(result)
        else:
            show(result, why_no_problem(run, asked, result))

    if follow:
        _follow(run, asked, tell, quiet=as_json)
    else:
        tell(_measured(run, asked, quiet=as_json))


def _measured(run: Path, asked: "Asked", *, quiet: bool) -> "Evaluation":
    from qmpi.launch.evaluate import evaluate_run
    from qmpi.storage.cache import default_cache

    def tell(text: str) -> None:
        click.echo(f"qmpi: {text}", err=True)

    with progress_shown(quiet=quiet) as progress:
        return evaluate_run(run, asked, default_cache(os.environ), tell, progress)


def _follow(
    run: Path, asked: "Asked", tell: "Callable[[Evaluation], None]", *, quiet: bool
) -> None:
    from qmpi.cli.status import read
    from qmpi.storage.run_directory import RunDirectory

    directory = RunDirectory(run)
    seen: tuple[str, ...] = ()
    while True:
        # Asked before the look: what is written in between is then seen in the next round.
        ended = read(run).state not in ("starting", "running")
        names = directory.checkpoint_names()
        if names[-1:] != seen:
            seen = names[-1:]
            tell(_measured(run, asked, quiet=quiet))
        elif ended:
            return
        else:
            time.sleep(FOLLOW_SECONDS)


@contextmanager
def progress_shown(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Show how far an evaluation is.

    Args:
        quiet: show nothing.

    Yields:
        What is to be told of it: what is done, how much, of how much.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        tasks: dict[str, int] = {}

        def told(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of or None)
            bar.update(tasks[what], completed=done, total=of or None)  # pyright: ignore[reportArgumentType]

        yield told


def show(result: "Evaluation", unasked: str = "") -> None:
    """Print an evaluation as a table.

    Args:
        result: what was measured.
        unasked: why there are no answers, if some were asked for.
    """
    from rich.console import Console

    Console().print(table_of(result))
    for name in result.left_out:
        click.echo(f"of source {name!r} nothing is held out: evaluation.held_out is 0")
    if result.overlap is not None and result.overlap.overall is not None:
        click.echo(
            f"{result.overlap.overall:.1%} of the held-out text stands in what was trained on; "
            f"{result.leaked_rows} rows of it as a whole"
        )
    if unasked:
        click.echo(unasked)


def table_of(result: "Evaluation") -> "Table":
    """Return an evaluation as a table, a row a group.

    Args:
        result: what was measured.

    Returns:
        For the terminal.
    """
    from rich.table import Table

    from qmpi.monitor.evaluation_section import SCORE_NAMES, score_rows

    table = Table(title=f"weights before step {result.step}", title_justify="left", box=None)
    for name in ("", *SCORE_NAMES):
        table.add_column(name, justify="right" if name else "left")
    for row in score_rows(result):
        table.add_row(*row)
    return table
