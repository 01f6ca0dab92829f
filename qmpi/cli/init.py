"""`qmpi init`: write a job file with every field explained."""

from pathlib import Path

import click

from qmpi.cli.options import HomePath, json_option
from qmpi.cli.output import show_json
from qmpi.config.presets import PRESETS
from qmpi.errors import InputError

EPILOG = """\b
Examples:
  qmpi init --preset laptop -o job.toml
  qmpi init --preset cluster | less
"""


@click.command("init", epilog=EPILOG)
@click.option(
    "--preset",
    "name",
    type=click.Choice(list(PRESETS)),
    default="laptop",
    show_default=True,
    help="Machine to write for.",
)
@click.option("-o", "--output", type=HomePath(), help="File; default: standard output.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@json_option
def command(*, name: str, output: Path | None, force: bool, as_json: bool) -> None:
    """Write a job file: every field, what it means, what is legal, and a value."""
    from qmpi.config.describe import describe
    from qmpi.config.presets import preset
    from qmpi.storage.atomic_file import write_named

    text = describe(preset(name), PRESETS[name][0])
    if output is None:
        if as_json:
            show_json({"preset": name, "text": text})
        else:
            click.echo(text)
        return
    if output.is_dir():
        raise InputError(f"{output} is a directory; name a file, such as {output / 'job.toml'}")
    if output.exists() and not force:
        raise InputError(f"{output} exists; choose another name, or replace it with --force")
    write_named(output, text.encode())
    if as_json:
        show_json({"preset": name, "path": str(output)})
    else:
        click.echo(f"wrote {output}; next: qmpi check {output}")
