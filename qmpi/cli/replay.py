"""`qmpi replay`: train a run anew from its journal, and prove that it comes to the same bits."""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import HomePath, RunPath, json_option
from qmpi.cli.output import show_json
from qmpi.errors import ExitCode, pointer

if TYPE_CHECKING:
    from qmpi.launch.replay import Prepared
    from qmpi.policy.replay import Difference, Likeness
    from qmpi.protocol.status import EndMarker

EPILOG = """\b
Examples:
  qmpi replay runs/laptop
  qmpi replay runs/laptop -n 1 --to 200
  qmpi replay runs/laptop --set roles.trainer=3 --run-dir runs/proof
  qmpi replay runs/laptop --json
"""


@click.command("replay", epilog=EPILOG)
@click.argument("run", type=RunPath())
@click.option(
    "-n",
    "ranks",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Ranks to start in all; default: what the batch system says, else what the job asks for.",
)
@click.option(
    "--ranks-per-host",
    "per_host",
    type=click.IntRange(1, 100_000),
    metavar="K",
    help="Ranks to start on each host.",
)
@click.option(
    "--hostfile",
    type=HomePath(),
    metavar="FILE",
    help="Hosts to use, one a line as `node1 slots=4`; default: those of the allocation.",
)
@click.option(
    "--to",
    type=click.IntRange(1, 10**12),
    metavar="STEP",
    help="Replay so many steps; default: all that are committed.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Override a field of the job that decides no weights, as roles.trainer; repeatable.",
)
@click.option(
    "--run-dir",
    type=HomePath(),
    metavar="DIR",
    help="Directory of the replay; default: RUN-replay.",
)
@click.option("--quiet", is_flag=True, help="No live view.")
@json_option
def command(
    *,
    run: Path,
    ranks: int | None,
    per_host: int | None,
    hostfile: Path | None,
    to: int | None,
    overrides: tuple[str, ...],
    run_dir: Path | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Train RUN anew from its journal, in another directory, and compare step by step.

    The replay has the job of RUN and all that its journal says was changed on the way: settings
    given at a step, a batch that grew by noise, microbatches that were halved. It decides none of
    that again, and no spike stops it. So it is the run in which nothing failed. Blocks, losses,
    norms and digests of the weights must be the same bits, on any number of ranks; of a run with
    train.reduction = "fast" on as many trainers alone, and other numbers are refused.

    RUN may still go on: what is committed is replayed. Exit code 0: the same bits. 3: the first
    step that differs is named. 75: the replay was stopped before its last step; the same command
    goes on with it.
    """
    from qmpi.cli.train import run_supervised
    from qmpi.launch.replay import compare, prepare_replay, unless_refused
    from qmpi.launch.train import Asked

    prepared = prepare_replay(run, run_dir, to, overrides, ranks)
    marker = None
    if not prepared.done:
        asked = Asked(ranks, per_host, hostfile)
        # Nobody follows a replay: ranks without its command would only hold the directory.
        quiet = quiet or as_json
        with unless_refused(prepared):
            marker = run_supervised(prepared.settings, asked, quiet=quiet, is_tied=True)
    found = compare(prepared)
    if is_whole(prepared, found) and marker is not None and marker.state == "stopped":
        marker = None  # after its last step: all that there is to compare was compared
    code = _exit_code(found, marker)
    if as_json:
        show_json(_told(prepared, found, marker, code))
    else:
        told = _verdict(prepared, found, marker)
        click.echo(told, err=code not in (ExitCode.DONE, ExitCode.REQUEUE))
    return code


def is_whole(prepared: "Prepared", found: "Likeness") -> bool:
    """Return whether all steps that shall be replayed were compared, and are the same bits.

    Args:
        prepared: the replay.
        found: how far it agrees with the run.
    """
    return found.difference is None and found.steps == prepared.goes_by.steps


def _exit_code(found: "Likeness", marker: "EndMarker | None") -> int:
    if found.difference is not None:
        return int(ExitCode.MACHINE)
    return int(ExitCode.DONE) if marker is None else marker.exit_code


def _told(
    prepared: "Prepared", found: "Likeness", marker: "EndMarker | None", code: int
) -> dict[str, object]:
    unended = "" if marker is None or marker.state == "finished" else marker.state
    return {
        "replay": "differs" if found.difference is not None else unended or "same",
        "steps": found.steps,
        "digests": found.digests,
        "digest": found.digest,
        "digest_step": found.digest_step,
        "difference": found.difference,
        "reason": marker.reason if unended and marker is not None else "",
        "run": prepared.goes_by.run,
        "run_dir": prepared.settings.job.run_dir,
        "exit_code": code,
    }


def _difference(prepared: "Prepared", found: "Difference") -> str:
    text = (
        f"step {found.step} differs: {found.what}: {found.run} in {prepared.goes_by.run}, "
        f"{found.replay} in {prepared.settings.job.run_dir}; the {found.step} steps before it are "
        "the same bits"
    )
    if prepared.settings.train.reduction == "fast":
        text += '; train.reduction = "fast" promises no more: its bits depend on who computes what'
    return text


def _verdict(prepared: "Prepared", found: "Likeness", marker: "EndMarker | None") -> str:
    of = prepared.goes_by.steps
    if found.difference is not None:
        return _difference(prepared, found.difference)
    if marker is not None and marker.state == "failed":
        return (
            f"qmpi: the replay failed at step {marker.step}: {marker.reason}\n"
            f"  {pointer('run-failed')}"
        )
    if marker is not None and marker.state == "stopped":
        so_far = ", the same bits so far" if found.steps else ""
        return f"stopped at step {found.steps} of {of}{so_far}: {marker.reason}"
    same = f"replayed {found.steps} steps: the same bits"
    if found.digests:
        many = f"{found.digests} digests of the weights" if found.digests > 1 else "a digest"
        same += f"; {many} compared, the last at step {found.digest_step}: {found.digest[:16]}"
    else:
        same += " of losses and norms; both journals name no digest of weights before that step"
    return f"{same}\n  qmpi audit {quote(prepared.settings.job.run_dir)}"
