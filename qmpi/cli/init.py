"""`qmpi init`: write a job file with every field explained."""

from pathlib import Path
from typing import Any

import click

from qmpi.cli.options import HomePath, json_option
from qmpi.cli.output import show_json
from qmpi.config.presets import PRESETS
from qmpi.errors import InputError
from qmpi.planning.scaling import DEEPEST
from qmpi.planning.sizes import SIZES

EPILOG = """\b
Examples:
  qmpi init --preset laptop -o job.toml
  qmpi init --preset cluster | less
  qmpi init --size 125M -o job.toml && qmpi check job.toml
  qmpi init --depth 12 | less

\b
A preset is written for a machine. A size or a depth is written for a model: its
steps, batch, learning rate and roles follow by rules (docs/scaling.md). Look at
the result with qmpi check and qmpi plan.
"""


@click.command("init", epilog=EPILOG)
@click.option(
    "--preset",
    "name",
    type=click.Choice(list(PRESETS)),
    help="Machine to write for.  [default: laptop]",
)
@click.option("--size", type=click.Choice(list(SIZES)), help="Parameters of the model, about.")
@click.option(
    "--depth",
    type=click.IntRange(1, DEEPEST),
    metavar="N",
    help=f"Layers of the model, 1 to {DEEPEST}; all else follows.",
)
@click.option("-o", "--output", type=HomePath(), help="File; default: standard output.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@json_option
def command(
    *,
    name: str | None,
    size: str | None,
    depth: int | None,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write a job file: every field, what it means, what is legal, and a value."""
    from qmpi.config.describe import describe
    from qmpi.storage.atomic_file import write_named

    chosen, settings, title = _job(name, size, depth)
    text = describe(settings, title)
    if output is None:
        if as_json:
            show_json({**chosen, "text": text})
        else:
            click.echo(text)
        return
    if output.is_dir():
        raise InputError(f"{output} is a directory; name a file, such as {output / 'job.toml'}")
    if output.exists() and not force:
        raise InputError(f"{output} exists; choose another name, or replace it with --force")
    write_named(output, text.encode())
    if as_json:
        show_json({**chosen, "path": str(output)})
    else:
        click.echo(f"wrote {output}; next: qmpi check {output}")


def _job(name: str | None, size: str | None, depth: int | None) -> tuple[dict[str, Any], Any, str]:
    from qmpi.config.presets import preset
    from qmpi.planning.scaling import model_of_depth, scaled_job
    from qmpi.planning.shape import parameters, shape_of

    if sum(choice is not None for choice in (name, size, depth)) > 1:
        raise InputError("--preset, --size and --depth exclude each other: give one of them")
    if size is None and depth is None:
        name = name or "laptop"
        return {"preset": name}, preset(name), PRESETS[name][0]
    model = model_of_depth(depth) if depth is not None else SIZES[str(size)]
    chosen: dict[str, Any] = {"size": size} if depth is None else {"depth": depth}
    label = f"depth-{depth}" if depth is not None else str(size)
    count = parameters(shape_of(model))
    title = f"{count:,} parameters; steps, batch and rate by the rules of docs/scaling.md."
    return chosen, scaled_job(label.lower(), model), title
