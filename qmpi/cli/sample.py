"""`qmpi sample`: write text from a checkpoint of a run."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import FiniteRange, HomePath, RunPath, json_option
from qmpi.cli.output import show_json

if TYPE_CHECKING:
    from qmpi.exchange.sample import Piece, Wanted

EPILOG = """\b
Examples:
  qmpi sample runs/laptop --prompt "def main("
  qmpi sample runs/laptop --prompt "Q:" --tokens 200 --temperature 0
  qmpi sample runs/laptop --prompts-file prompts.txt --count 3 --top-p 0.9 --json
  echo "class Tree" | qmpi sample runs/laptop --prompts-file -
"""


@click.command("sample", epilog=EPILOG)
@click.argument("run", type=RunPath())
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    metavar="TEXT",
    help="Beginning; repeatable. Default: a new document.",
)
@click.option(
    "--prompts-file",
    type=HomePath(),
    metavar="FILE",
    help='Prompts, one a line; in a file .jsonl each a JSON text. "-": standard input.',
)
@click.option(
    "--mid-document", is_flag=True, help="Put no end token before prompts: they begin no document."
)
@click.option(
    "--count",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    metavar="N",
    help="Texts of each prompt.",
)
@click.option(
    "--tokens",
    type=click.IntRange(1, 100_000),
    default=100,
    show_default=True,
    metavar="N",
    help="Longest continuation.",
)
@click.option(
    "--temperature",
    type=FiniteRange(0.0, 100.0),
    default=0.8,
    show_default=True,
    metavar="T",
    help="0: the likeliest token each time; higher is wilder.",
)
@click.option(
    "--top-k",
    type=click.IntRange(0, 2**31),
    default=0,
    metavar="K",
    help="Draw from the K likeliest tokens; 0: from all.",
)
@click.option(
    "--top-p",
    type=FiniteRange(0.0, 1.0, min_open=True),
    default=1.0,
    metavar="P",
    help="Draw from the likeliest tokens that reach the share P.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    metavar="S",
    help="Equal seeds give equal text.",
)
@click.option(
    "--step",
    type=click.IntRange(0, 2**63 - 1),
    metavar="S",
    help="Checkpoint of this step; default: the newest that is whole.",
)
@json_option
def command(
    *,
    run: Path,
    prompts: tuple[str, ...],
    prompts_file: Path | None,
    mid_document: bool,
    count: int,
    tokens: int,
    temperature: float,
    top_k: int,
    top_p: float,
    seed: int,
    step: int | None,
    as_json: bool,
) -> None:
    """Continue prompts with the weights of a checkpoint of RUN, on the CPU.

    A text ends where the model ends the document. The same seed, prompt and checkpoint give the
    same text in any company. A damaged checkpoint is passed over for the next older one, which is
    told on standard error.
    """
    from qmpi.exchange.prompts import read_prompts
    from qmpi.exchange.sample import Sampler, Wanted
    from qmpi.storage.cache import default_cache
    from qmpi.training.draws import Draws

    def tell(text: str) -> None:
        click.echo(f"qmpi: {text}", err=True)

    if prompts_file is not None:
        prompts += read_prompts(prompts_file)
    wanted = Wanted(prompts or ("",), count, mid_document)
    draws = Draws(tokens, temperature, seed, top_k, top_p)
    wanted.check()
    sampler = Sampler(run, step, default_cache(os.environ), tell)
    pieces = sampler.stream(wanted, draws)
    if as_json:
        show_json({"run": run, "step": sampler.step, **_facts(wanted, pieces)})
    else:
        _print(wanted, pieces)


def _facts(wanted: "Wanted", pieces: "Iterable[Piece]") -> dict[str, object]:
    texts = [prompt for prompt, _ in wanted.rows]
    ends: dict[int, Piece] = {}
    for piece in pieces:
        texts[piece.row] += piece.text
        ends[piece.row] = piece
    samples = [
        {
            "prompt": prompt,
            "copy": copy,
            "text": texts[row],
            "tokens": ends[row].tokens,
            "ended": ends[row].ended,
        }
        for row, (prompt, copy) in enumerate(wanted.rows)
    ]
    return {"prompt": wanted.prompts[0], "text": texts[0], "samples": samples}


def _print(wanted: "Wanted", pieces: "Iterable[Piece]") -> None:
    rows = wanted.rows
    # Texts grow together; the first that is not told in full is told as it comes.
    held, done, told = [""] * len(rows), [False] * len(rows), -1
    for piece in pieces:
        held[piece.row] += piece.text
        done[piece.row] |= piece.last
        while told < len(rows):
            if told >= 0:
                click.echo(held[told], nl=done[told])
                held[told] = ""
                if not done[told]:
                    break
            told += 1
            if told < len(rows):
                _head(told, len(rows), rows[told][0])


def _head(row: int, rows: int, prompt: str) -> None:
    if rows > 1:
        click.echo(f"--- {row + 1} of {rows} ---")
    click.echo(prompt, nl=False)
