"""`qmpi completion`: the script with which a shell completes commands."""

import click

from qmpi.cli.complete import SHELLS, completer
from qmpi.cli.options import json_option
from qmpi.cli.output import show_json

EPILOG = """\b
Examples:
  eval "$(qmpi completion bash)"                                   now, in this shell
  echo 'eval "$(qmpi completion bash)"' >> ~/.bashrc               from now on
  qmpi completion zsh > ~/.zfunc/_qmpi
  qmpi completion fish > ~/.config/fish/completions/qmpi.fish

Commands, options, run directories and job files are completed.
"""


@click.command("completion", epilog=EPILOG)
@click.argument("shell", type=click.Choice(SHELLS))
@json_option
def command(*, shell: str, as_json: bool) -> None:
    """Print the completion script of SHELL."""
    from qmpi.cli.main import cli

    script = completer(cli, shell).source()
    if as_json:
        show_json({"shell": shell, "script": script})
    else:
        click.echo(script)
