"""`qmpi evaluate`: measure a checkpoint on held-out text and on problems."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import RunPath, json_option
from qmpi.cli.output import show_json

if TYPE_CHECKING:
    from rich.table import Table

    from qmpi.protocol.evaluation import Evaluation

EPILOG = """\b
Examples:
  qmpi evaluate runs/laptop
  qmpi evaluate runs/laptop --step 100 --tokens 20000 --problems 0
  qmpi evaluate runs/laptop --problems 1000 --json
  qmpi evaluate runs/laptop --leaks
"""


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
    type=click.IntRange(0, 10**9),
    default=65_536,
    show_default=True,
    metavar="N",
    help="Held-out tokens of all sources together; 0: none.",
)
@click.option(
    "--problems",
    type=click.IntRange(0, 10**6),
    default=200,
    show_default=True,
    metavar="N",
    help="Problems of all generated sources together; 0: none.",
)
@click.option("--again", is_flag=True, help="Measure although the same was measured before.")
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
    leaks: bool,
    as_json: bool,
) -> None:
    """Measure a checkpoint of RUN on what it was never trained on, on the CPU.

    Held-out loss and bits per byte come by source, content type and band of levels. Problems are
    set by documents that no job trains on, answered by the likeliest tokens, and judged by
    certificate and solver. The result is kept in RUN/evaluations.
    """
    from qmpi.launch.evaluate import Asked, evaluate_run
    from qmpi.storage.cache import default_cache

    def tell(text: str) -> None:
        click.echo(f"qmpi: {text}", err=True)

    asked = Asked(step, tokens, problems, again, leaks)
    with progress_shown(quiet=as_json) as progress:
        result = evaluate_run(run, asked, default_cache(os.environ), tell, progress)
    if as_json:
        show_json(result)
    else:
        show(result)


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


def show(result: "Evaluation") -> None:
    """Print an evaluation as a table.

    Args:
        result: what was measured.
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
    if not result.problems.overall:
        click.echo("no problem was asked: the sources set none that fits a sequence")


def table_of(result: "Evaluation") -> "Table":
    """Return an evaluation as a table, a row a group.

    Args:
        result: what was measured.

    Returns:
        For the terminal.
    """
    from rich.table import Table

    table = Table(title=f"weights before step {result.step}", title_justify="left", box=None)
    for name in ("", "loss", "bits/byte", "tokens", "right", "of"):
        table.add_column(name, justify="right" if name else "left")
    table.add_row("overall", *cells(result, "overall", ""))
    for group in ("source", "type", "band"):
        names = {**getattr(result.loss, group), **getattr(result.problems, group)}
        for name in names:
            table.add_row(f"{group} {name}", *cells(result, group, name))
    return table


def cells(result: "Evaluation", group: str, name: str) -> list[str]:
    """Return what was measured of a group.

    Args:
        result: of the evaluation.
        group: "overall", "source", "type" or "band".
        name: of the group; not used for "overall".

    Returns:
        Loss, bits per byte, tokens, accuracy and problems; "-" for what was not measured.
    """
    scores = (
        (result.loss, "{:.3f}"),
        (result.bits_per_byte, "{:.3f}"),
        (result.tokens, "{:,.0f}"),
        (result.accuracy, "{:.1%}"),
        (result.problems, "{:,.0f}"),
    )
    values = [getattr(score, group) for score, _ in scores]
    found = values if group == "overall" else [value.get(name) for value in values]
    return [
        "-" if value is None else form.format(value)
        for value, (_, form) in zip(found, scores, strict=True)
    ]
