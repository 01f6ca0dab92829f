"""Options that every command with a job takes; a contract for scripts."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Command = Callable[..., Any]


class FiniteRange(click.FloatRange):
    """A range of numbers; "nan" lies in none, though it is below and above nothing."""

    def convert(
        self, value: float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read a number.

        Args:
            value: what the user wrote.
            param: the option.
            ctx: of the command.

        Returns:
            A number of the range.
        """
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is no number", param, ctx)
        return number


class HomePath(click.Path):
    """A path on the command line; "~" stands for the home directory, as in a job file.

    The shell expands it in `--out ~/x`, but not in `--out=~/x`, and no program that starts this one
    without a shell does.
    """

    def __init__(self, *, exists: bool = False, file_okay: bool = True) -> None:
        """Describe what is taken.

        Args:
            exists: it must be there.
            file_okay: it may be a file.
        """
        super().__init__(exists=exists, file_okay=file_okay, path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | os.PathLike[str]:
        """Expand and check.

        Args:
            value: as given.
            param: of the command.
            ctx: of the call.

        Returns:
            The path; as it stands where it begins with "~" but names no home, as "~$draft.txt".
        """
        return super().convert(os.path.expanduser(value), param, ctx)  # noqa: PTH111


class RunPath(HomePath):
    """The directory of a run; a shell completes those that are there."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        """Return the runs that a word may become."""
        from qmpi.cli.complete import run_items

        del ctx, param
        return run_items(incomplete)


class JobPath(HomePath):
    """A job file; a shell completes those that are there."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        """Return the job files that a word may become."""
        from qmpi.cli.complete import job_items

        del ctx, param
        return job_items(incomplete)


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
