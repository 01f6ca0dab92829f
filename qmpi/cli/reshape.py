"""`qmpi reshape`: go on with a run in another layout of its teams."""

from pathlib import Path
from shlex import quote

import click

from qmpi.cli.options import HomePath, RunPath, json_option
from qmpi.cli.output import show_json

EPILOG = """\b
Examples:
  qmpi reshape runs/teams --to runs/wider --set parallel.tensor=4 --set roles.trainer=4
  qmpi reshape runs/teams --to runs/single --set parallel.tensor=1 --step 400
"""


@click.command("reshape", epilog=EPILOG)
@click.argument("run", type=RunPath())
@click.option("--to", "target", type=HomePath(), required=True, help="Directory of the new run.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Field of [parallel], or one that decides no weights, as roles.trainer; repeatable.",
)
@click.option(
    "--step",
    type=click.IntRange(0, 2**63 - 1),
    metavar="S",
    help="Checkpoint of this step; default: the newest that is whole.",
)
@json_option
def command(
    *, run: Path, target: Path, overrides: tuple[str, ...], step: int | None, as_json: bool
) -> None:
    """Make a run that goes on from a checkpoint of RUN in another layout.

    Weights, moments and counters are those of RUN, bit by bit, cut for the new [parallel]; data and
    settings go on as they would have. The new run has the journal of RUN as the story so far. RUN
    must have been stopped, and stays as it is.

    From there on losses agree with those of RUN up to rounding: sums are taken in another order.
    """
    from qmpi.launch.reshape import reshape_run

    def tell(text: str) -> None:
        click.echo(f"qmpi: {text}", err=True)

    made = reshape_run(run, target, step, overrides, tell)
    if as_json:
        show_json(made)
        return
    if made.given_up:
        click.echo(
            f"{made.given_up} steps that {run} has trained behind this checkpoint are trained anew"
        )
    click.echo(
        f"{made.run}: step {made.step}, {made.before} became {made.after}, state "
        f"{made.state[:16]}\nnext: qmpi train --resume {quote(str(target))}"
    )
