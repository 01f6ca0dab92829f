"""`qmpi sample`: write text from the newest checkpoint of a run."""

import os
from pathlib import Path

import click

from qmpi.cli.options import RunPath, json_option
from qmpi.cli.output import show_json

EPILOG = """\b
Examples:
  qmpi sample runs/laptop --prompt "def main("
  qmpi sample runs/laptop --prompt "Q:" --tokens 200 --temperature 0
"""


@click.command("sample", epilog=EPILOG)
@click.argument("run", type=RunPath())
@click.option("--prompt", default="", metavar="TEXT", help="Beginning; default: a new document.")
@click.option(
    "--tokens", type=click.IntRange(1, 100_000), default=100, show_default=True, metavar="N"
)
@click.option(
    "--temperature",
    type=click.FloatRange(0.0, 100.0),
    default=0.8,
    show_default=True,
    metavar="T",
    help="0: the likeliest token each time; higher is wilder.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    metavar="S",
    help="Equal seeds give equal text.",
)
@json_option
def command(
    *, run: Path, prompt: str, tokens: int, temperature: float, seed: int, as_json: bool
) -> None:
    """Continue a prompt with the weights of the newest checkpoint of RUN, on the CPU.

    A damaged checkpoint is passed over for the next older one, which is told on standard error.
    """
    from qmpi.launch.sample import Draws, sample_run
    from qmpi.storage.cache import default_cache

    def tell(text: str) -> None:
        click.echo(f"qmpi: {text}", err=True)

    draws = Draws(tokens, temperature, seed)
    text = sample_run(run, prompt, draws, default_cache(os.environ), tell)
    if as_json:
        show_json({"run": str(run), "prompt": prompt, "text": text})
    else:
        click.echo(text)
