"""Answers the shell when a user presses the tabulator key.

The script of `qmpi completion` calls the command with `_QMPI_COMPLETE` set, anew for each key
press, so nothing is loaded that the answer does not need, and nothing is printed but the answer.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from qmpi.errors import ExitCode, QmpiError

VARIABLE = "_QMPI_COMPLETE"
SHELLS = ("bash", "zsh", "fish")

PLAIN = re.compile(r"[\w@%+=:,./~-]+")
"""What a shell takes as it stands. Bash puts what is offered on the line without quotes, so that a
folder called `$(...)` would be a command there; other names are left to the shell's own completion,
which quotes them."""


def completer(cli: click.Group, shell: str) -> ShellComplete:
    """Return what completes in a shell.

    Args:
        cli: the command line.
        shell: one of `SHELLS`.

    Returns:
        The completer.

    Raises:
        KeyError: no such shell.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise KeyError(shell)
    return kind(cli, {}, "qmpi", VARIABLE)


def answer(cli: click.Group, environ: Mapping[str, str]) -> int:
    """Answer a request of the shell's script.

    Args:
        cli: the command line.
        environ: environment of the process; `VARIABLE` says what is asked for.

    Returns:
        Exit code.
    """
    shell, _, what = environ[VARIABLE].partition("_")
    if shell not in SHELLS or what != "complete":
        return int(ExitCode.USER)
    try:
        said = completer(cli, shell).complete()
    except (QmpiError, click.ClickException, OSError, ValueError):
        return int(ExitCode.USER)  # half a line need not make sense
    click.echo(said)
    return int(ExitCode.DONE)


def run_items(incomplete: str) -> list[CompletionItem]:
    """Return the run directories that a word may become.

    Args:
        incomplete: what is typed so far.

    Returns:
        Runs under runs/, or below the folder that is typed; else any directory.
    """
    from qmpi.monitor.run_look import find_runs

    typed = Path(incomplete)
    folder = Path("runs") if "/" not in incomplete else typed if typed.is_dir() else typed.parent
    return _offered(map(str, find_runs(folder)), incomplete) or [
        CompletionItem(incomplete, type="dir")
    ]


def job_items(incomplete: str) -> list[CompletionItem]:
    """Return the job files that a word may become.

    Args:
        incomplete: what is typed so far.

    Returns:
        TOML files here, under jobs/, or in the folder that is typed; else any file.
    """
    folder = incomplete.rpartition("/")[0]
    folders = [Path(folder or "/")] if "/" in incomplete else [Path(), Path("jobs")]
    named = (str(path) for place in folders for path in place.glob("*.toml"))
    # "./" and doubled slashes are gone from a path as Python spells it.
    return _offered(named, incomplete) or [CompletionItem(incomplete, type="file")]


def _offered(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [
        CompletionItem(name)
        for name in sorted(names)
        if name.startswith(incomplete) and PLAIN.fullmatch(name)
    ]
