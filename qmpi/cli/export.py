"""`qmpi export`: a checkpoint of a run as a model that other programs load."""

import os
from pathlib import Path
from typing import Literal

import click

from qmpi.cli.options import HomePath, RunPath, json_option
from qmpi.cli.output import show_json
from qmpi.cli.sizes import Count

EPILOG = """\b
Examples:
  qmpi export runs/laptop --to models/laptop
  qmpi export runs/laptop --to models/laptop --dtype bfloat16 --force
  qmpi export runs/laptop --to models/early --step 100 --shard-bytes 2G
"""


@click.command("export", epilog=EPILOG)
@click.argument("run", type=RunPath())
@click.option("--to", "target", type=HomePath(), required=True, help="Directory to make.")
@click.option(
    "--step",
    type=click.IntRange(0, 2**63 - 1),
    metavar="S",
    help="Checkpoint of this step; default: the newest that is whole.",
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="Type of the numbers.",
)
@click.option(
    "--shard-bytes",
    type=Count(),
    default="5G",
    show_default=True,
    metavar="N",
    help="Largest file of weights.",
)
@click.option("--force", is_flag=True, help="Replace an older export in the directory.")
@click.option(
    "--drop-expert-bias",
    is_flag=True,
    help="Leave biases of experts away where the model that is written has none.",
)
@json_option
def command(
    *,
    run: Path,
    target: Path,
    step: int | None,
    dtype: Literal["float32", "bfloat16"],
    shard_bytes: int,
    force: bool,
    drop_expert_bias: bool,
    as_json: bool,
) -> None:
    """Write a checkpoint of RUN as safetensors with all that `transformers` needs to load it.

    The directory appears whole or not at all; the run may be going on. A damaged checkpoint is
    passed over for the next older one, which is told on standard error.
    """
    from qmpi.exchange.export import Form, export_run
    from qmpi.storage.cache import default_cache

    def tell(text: str) -> None:
        click.echo(f"qmpi: {text}", err=True)

    form = Form(dtype, shard_bytes, force, drop_expert_bias)
    done = export_run(run, target, step, form, cache=default_cache(os.environ), tell=tell)
    if as_json:
        show_json(
            {
                "run": run,
                "directory": done.directory,
                "step": done.step,
                "digest": done.digest,
                "dtype": dtype,
                "files": done.files,
                "bytes": done.bytes,
                "dropped_bias": done.dropped_bias,
                "left_out_parameters": done.left_out,
            }
        )
        return
    if done.left_out:
        click.echo(
            f"left out: {done.left_out:,} parameters of the modules that predict further ahead; "
            "they serve training alone"
        )
    files = "1 file" if done.files == 1 else f"{done.files} files"
    click.echo(
        f"{done.directory}: step {done.step}, {dtype}, {files}, {done.bytes / 1e6:,.1f} MB\n"
        f"next: AutoModelForCausalLM.from_pretrained({str(done.directory)!r})"
    )
