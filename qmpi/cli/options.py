"""Options that every command with a job takes; a contract for scripts."""

from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., Any]


def json_option(command: Command) -> Command:
    """Add `--json`.

    Args:
        command: a click command function.

    Returns:
        The same, with the option.
    """
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


def job_options(command: Command) -> Command:
    """Add `--set`, `--run-dir` and `--json`.

    Args:
        command: a click command function.

    Returns:
        The same, with the options.
    """
    command = json_option(command)
    command = click.option(
        "--run-dir", metavar="DIR", help="Directory of the run; replaces job.run_dir."
    )(command)
    return click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="SECTION.KEY=VALUE",
        help="Override a field of the job; repeatable.",
    )(command)
