"""`qmpi submit`: hand a job in to a batch system."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qmpi.cli.options import HomePath, JobPath, job_options
from qmpi.cli.output import show_json

if TYPE_CHECKING:
    from qmpi.launch.batch.submission import Submission

EPILOG = """\b
Examples:
  qmpi submit job.toml --nodes 4 --time 12:00:00
  qmpi submit job.toml --scheduler slurm --nodes 4 --queue gpu --account me --dry-run
  qmpi submit job.toml --machine perlmutter --nodes 64 --time 1-00:00:00 --account m1234
  qmpi submit job.toml --nodes 2 --vary job.seed=1,2,3 --setup "module load python"
"""


@click.command("submit", epilog=EPILOG)
@click.argument("job", type=JobPath())
@click.option(
    "--nodes", type=click.IntRange(1, 1_000_000), required=True, metavar="N", help="Nodes."
)
@click.option(
    "--scheduler",
    type=click.Choice(["slurm", "pbs", "lsf", "flux"]),
    help="Kind of batch system; default: that of the machine, else that whose command is found.",
)
@click.option(
    "--machine",
    default="",
    metavar="NAME",
    help="A machine that qmpi knows, or a machine file; default: that of the job, else this one.",
)
@click.option(
    "--time", default="", metavar="TIME", help='Limit of time: "12:00:00", "1-12:00:00", "90m".'
)
@click.option(
    "--warn",
    type=click.IntRange(1, 65_535),
    metavar="SECONDS",
    help="Stop in order so long before the limit; default: 180, or a quarter of a short time.",
)
@click.option("--queue", default="", metavar="NAME", help="Partition or queue.")
@click.option("--account", default="", metavar="NAME", help="Who is charged.")
@click.option(
    "--ranks-per-host",
    type=click.IntRange(1, 65_536),
    metavar="K",
    help="Ranks a node; default: from the job and the shape of a node.",
)
@click.option(
    "-n",
    "ranks",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Ranks in all; default: as many as have work.",
)
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="TEXT",
    help="One more option of the scheduler, as it stands; repeatable.",
)
@click.option(
    "--setup", multiple=True, metavar="LINE", help="A line of shell before the start; repeatable."
)
@click.option(
    "--vary",
    default="",
    metavar="SECTION.KEY=V,V,...",
    help="An array: one run for each value, in RUN/0, RUN/1, ... (slurm, lsf).",
)
@click.option(
    "--qmpi", default="", metavar="COMMAND", help="The command on the nodes; default: this one."
)
@click.option("--dry-run", is_flag=True, help="Print the script and hand nothing in.")
@click.option(
    "-o",
    "--output",
    type=HomePath(),
    metavar="FILE",
    help="Write the script to FILE and hand nothing in.",
)
@job_options
def command(
    *,
    job: Path,
    dry_run: bool,
    output: Path | None,
    overrides: tuple[str, ...],
    run_dir: str | None,
    as_json: bool,
    scheduler: str | None,
    warn: int | None,
    **asked: Any,  # noqa: ANN401 - options of this command, by the names of `Asked`
) -> None:
    """Hand JOB in to a batch system.

    The script starts `qmpi train` on all nodes, asks it to stop in order before the limit of time,
    and queues the job again until the run is done. It is kept in RUN/batch. How many ranks a node
    gets, and what they do there, follows from the job and from the shape of a node.
    """
    from qmpi.launch.batch.submission import Asked, Given, prepare
    from qmpi.storage.atomic_file import write_named

    wanted = Asked(scheduler=scheduler or "", warn_seconds=warn, **asked)
    submission = prepare(Given(job, overrides, run_dir), wanted, os.environ)
    if output is not None:
        write_named(output, submission.script.encode())
    if output is not None or dry_run:
        _show(submission, output, as_json=as_json)
    else:
        _submit(submission, as_json=as_json)


def _submit(submission: "Submission", *, as_json: bool) -> None:
    from qmpi.launch.batch.submission import cancel_command, keep

    number = keep(submission, os.environ)
    if as_json:
        show_json({**_facts(submission), "job_id": number, "path": submission.path})
        return
    click.echo(f"handed in to {submission.scheduler}: job {number}")
    for sentence in submission.layout.words:
        click.echo(f"  {sentence}")
    click.echo(f"  script and output: {submission.path.parent}")
    click.echo(f"  qmpi status {submission.run}\n  {cancel_command(submission, number)}")


def _show(submission: "Submission", written: Path | None, *, as_json: bool) -> None:
    if as_json:
        shown = {"job_id": None, "path": written, "script": submission.script}
        show_json({**_facts(submission), **shown})
    elif written is not None:
        click.echo(f"wrote {written}; nothing is handed in")
    else:
        click.echo(submission.script, nl=False)


def _facts(submission: "Submission") -> dict[str, Any]:
    layout = submission.layout
    return {
        "scheduler": submission.scheduler,
        "run": submission.run,
        "nodes": layout.nodes,
        "ranks": layout.ranks,
        "ranks_per_host": layout.ranks_per_host,
        "gpus_per_node": layout.gpus,
        "threads": layout.threads,
        "layout": layout.words,
    }
