"""`qmpi import`: a job that begins with the weights of a Hugging Face model."""

from pathlib import Path

import click

from qmpi.cli.options import HomePath, json_option
from qmpi.cli.output import show_json
from qmpi.config.presets import PRESETS
from qmpi.errors import InputError

EPILOG = """\b
Examples:
  qmpi import models/laptop -o job.toml
  qmpi import models/laptop -o job.toml --name second --corpus corpora/docs
  qmpi import models/laptop -o - | less
"""

STDOUT = "-"
"""Stands for standard output; a file of that name is `./-`."""


@click.command("import", epilog=EPILOG)
@click.argument("directory", metavar="DIR", type=HomePath())
@click.option(
    "-o",
    "--output",
    type=HomePath(),
    required=True,
    help="Job file to write; `-`: on standard output.",
)
@click.option("--name", default="", metavar="NAME", help="Of the run; default: that of DIR.")
@click.option(
    "--corpus",
    "corpora",
    type=HomePath(),
    multiple=True,
    metavar="DIR",
    help="Corpus made with the model's tokenizer; repeatable. Default: generated text.",
)
@click.option(
    "--preset",
    "base",
    type=click.Choice(list(PRESETS)),
    default="laptop",
    show_default=True,
    help="Machine to write for.",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@json_option
def command(
    *,
    directory: Path,
    output: Path,
    name: str,
    corpora: tuple[Path, ...],
    base: str,
    force: bool,
    as_json: bool,
) -> None:
    """Write a job that trains on from a model in DIR.

    It is a Qwen3, Llama, Mistral, OLMo 2, Qwen3-MoE or dots1. DIR holds config.json, safetensors
    and tokenizer.json, and stays where it is: the job names it, with the digest of its weights.
    What qmpi's model cannot represent is refused by name.
    """
    from qmpi.config.describe import describe
    from qmpi.exchange.importing import import_model
    from qmpi.model.shape import parameter_count
    from qmpi.storage.atomic_file import write_named

    to_stdout = str(output) == STDOUT
    if not to_stdout:
        _check_free(output, force=force)
    found = import_model(directory, name, base, corpora)
    settings = found.settings
    title = f"Begins with the weights in {settings.initial.weights!r}."
    text = describe(settings, title)
    if not to_stdout:
        write_named(output, text.encode())
    parameters = parameter_count(settings.model)
    if as_json:
        where = {"text": text} if to_stdout else {"path": output}
        facts = {**where, "name": settings.job.name, "digest": found.digest}
        show_json({**facts, "parameters": parameters, "end_token": found.end_token})
        return
    if to_stdout:
        click.echo(text)
    place = "standard output" if to_stdout else output
    told = (
        f"wrote {place}: {parameters:,} parameters, digest {found.digest[:16]}, documents end "
        f"with {found.end_token}"
    )
    # What is piped on is the job alone.
    click.echo(told if to_stdout else f"{told}\nnext: qmpi check {output}", err=to_stdout)


def _check_free(output: Path, *, force: bool) -> None:
    if output.is_dir():
        raise InputError(f"{output} is a directory; name a file, such as {output / 'job.toml'}")
    if output.exists() and not force:
        raise InputError(f"{output} exists; choose another name, or replace it with --force")
