"""`qmpi audit`: prove that each block was trained on exactly once."""

import os
from pathlib import Path

import click

from qmpi.cli.options import RunPath, json_option
from qmpi.cli.output import show_json
from qmpi.errors import ExitCode

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
    done again used the same blocks and gave the same losses, and that each block, built anew from
    its address, is what was trained on.
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
        click.echo(
            f"ok: {report.steps} steps, {report.blocks} blocks, each trained on exactly once; "
            f"weights {report.digest[:16]}"
        )
    else:
        click.echo(f"fault: {report.audit}", err=True)
    return int(ExitCode.DONE if report.audit == "ok" else ExitCode.MACHINE)
