"""`qmpi checkpoints`: which checkpoints a run has, and whether they are whole."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import RunPath, json_option
from qmpi.cli.output import show_json
from qmpi.errors import ExitCode, InputError

if TYPE_CHECKING:
    from qmpi.exchange.listing import CheckpointLine

EPILOG = """\b
Examples:
  qmpi checkpoints runs/teams
  qmpi checkpoints runs/teams --json
"""


@click.command("checkpoints", epilog=EPILOG)
@click.argument("run", type=RunPath())
@json_option
def command(*, run: Path, as_json: bool) -> int:
    """List the checkpoints of RUN; every byte is read.

    Tells the step, the layout, the parts that are there, and the digest of the unsharded state:
    weights, moments and counters as one rank would hold them. It is the same in each layout, so it
    shows that `qmpi reshape` has changed nothing. Exit code 3: one is not whole.
    """
    from qmpi.exchange.listing import list_checkpoints

    def tell(text: str) -> None:
        click.echo(f"qmpi: {text}", err=True)

    lines = list_checkpoints(run, tell)
    if as_json:
        show_json({"run": run, "checkpoints": lines})
    elif not lines:
        raise InputError(f"{run} has no checkpoint yet")
    else:
        click.echo("\n".join(map(line_text, lines)))
    return int(ExitCode.MACHINE if any(line.fault for line in lines) else ExitCode.DONE)


def line_text(line: "CheckpointLine") -> str:
    """Tell a checkpoint.

    Args:
        line: what is known of it.

    Returns:
        A line for people.
    """
    start = f"step {line.step}  {line.layout}, {line.parts} of {line.of} files"
    if line.fault:
        return f"{start}  not whole: {line.fault}"
    return (
        f"{start}, {line.bytes / 1e6:,.1f} MB  weights {line.weights[:16]}  state {line.state[:16]}"
    )
