"""`qmpi audit`: prove that each block was trained on exactly once."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import RunPath, json_option
from qmpi.cli.output import show_json
from qmpi.errors import ExitCode

if TYPE_CHECKING:
    from qmpi.corpora.audit import AuditReport

EPILOG = """\b
Examples:
  qmpi audit runs/laptop
  qmpi audit runs/laptop --json
"""


@click.command("audit", epilog=EPILOG)
@click.argument("run", type=RunPath())
@json_option
def command(*, run: Path, as_json: bool) -> int:
    """Re-derive the stream of RUN and compare it with its journal.

    Checks the journal's hash chain, that every step stands exactly once whatever died, that steps
    done again used the same blocks and gave the same losses, that each block, built anew from its
    address, is what was trained on, and that each step had the learning rate that held. Says what
    was changed while the run went on, and how many updates were skipped.
    """
    from rich.console import Console
    from rich.progress import Progress

    from qmpi.corpora.audit import audit_run
    from qmpi.storage.cache import default_cache

    console = Console(stderr=True)
    hidden = as_json or not console.is_terminal
    with Progress(console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("auditing", total=None)
        report = audit_run(
            run,
            default_cache(os.environ),
            lambda done, of: bar.update(task, completed=done, total=of),
        )
    if as_json:
        show_json(report)
    elif report.audit == "ok":
        click.echo(found_good(report))
    else:
        click.echo(f"fault: {report.audit}", err=True)
    return int(ExitCode.DONE if report.audit == "ok" else ExitCode.MACHINE)


def found_good(report: "AuditReport") -> str:
    """Tell an audit that found no fault.

    Args:
        report: its result.

    Returns:
        A line, and one for each time that the run went back and for each change.
    """
    from qmpi.monitor.recipe_text import recipe_text
    from qmpi.monitor.roll_backs import rolled_back_text

    skipped = f", {report.skipped} skipped (gradient not finite)" if report.skipped else ""
    what = "a spike" if report.spikes == 1 else "spikes"
    spikes = f", {report.spikes} left out as {what}" if report.spikes else ""
    skips = f", {report.updates} updates{skipped}{spikes}" if skipped or spikes else ""
    lines = [
        f"ok: {report.steps} steps{skips}, {report.blocks} blocks, each trained on exactly once; "
        f"weights {report.digest[:16]}"
    ]
    went = [f"went back to step {step}" for step in report.went_back]
    went += map(rolled_back_text, report.roll_backs)
    lines += [f"  {words}: what came after was given up" for words in went]
    lines += [
        f"  {cut.reason}, state {cut.state[:16]}; the journal does not prove that it was carried "
        "over: `qmpi checkpoints` tells what a checkpoint has"
        for cut in report.reshaped
    ]
    lines += [f"  {change}" for change in report.changes]
    lines += [f"  {recipe_text(recipe)}" for recipe in report.recipes if len(report.recipes) > 1]
    return "\n".join(lines)
