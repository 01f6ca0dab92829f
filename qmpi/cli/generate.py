"""`qmpi generate`: write a corpus of generated, machine-checked documents."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qmpi.cli.options import HomePath, JobPath, json_option
from qmpi.cli.output import show_json
from qmpi.cli.sizes import Count, LevelSpan, duration, short
from qmpi.content.address import ALL_TYPES
from qmpi.errors import pointer
from qmpi.storage.codec_names import USUAL_CODEC

if TYPE_CHECKING:
    from qmpi.launch.generate import Prepared
    from qmpi.protocol.status import EndMarker

EPILOG = """\b
Examples:
  qmpi generate --tokens 50M --out corpora/mixed
  qmpi generate jobs/laptop.toml --tokens 1.5G --out corpora/big -n 9
  qmpi generate --tokens 20M --type mathematics --type code --level 1-40 --out corpora/easy
"""


@click.command("generate", epilog=EPILOG)
@click.argument("job", required=False, type=JobPath())
@click.option(
    "--tokens", type=Count(), required=True, metavar="N", help="Size, as 50M, 1.5G or 2T."
)
@click.option("--out", type=HomePath(), required=True, metavar="DIR", help="Corpus to write.")
@click.option(
    "-n",
    "ranks",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="Ranks to start; default: one worker a core.",
)
@click.option("--seed", type=click.IntRange(0, 2**62), help="Seed; default: that of the job, or 0.")
@click.option(
    "--type", "types", multiple=True, type=click.Choice(ALL_TYPES), help="Type wanted; repeatable."
)
@click.option("--level", "levels", type=LevelSpan(), metavar="A-B", help="Levels wanted.")
@click.option(
    "--tokenizer",
    type=HomePath(),
    metavar="PATH",
    help="tokenizer.json, corpus directory, or builtin:NAME; default: that of JOB, without one"
    " builtin:content.",
)
@click.option(
    "--codec",
    default=USUAL_CODEC,
    show_default=True,
    metavar="NAME[:LEVEL]",
    help="Of the shards; auto or auto:MB/s tries them for a reader that gets so much (200).",
)
@click.option("--name", default="", help="Name of the corpus; default: that of DIR.")
@click.option("--force", is_flag=True, help="Replace what is in DIR.")
@json_option
def command(
    *,
    job: Path | None,
    tokens: int,
    out: Path,
    ranks: int | None,
    seed: int | None,
    types: tuple[str, ...],
    levels: tuple[int, int] | None,
    tokenizer: Path | None,
    codec: str,
    name: str,
    force: bool,
    as_json: bool,
) -> int:
    """Generate a corpus: the content sources of JOB, or all types and levels.

    Every block has an address, so any rank makes any shard to the same bytes. Ranks that die are
    made up for; when all of them die, or this command is stopped, the same command goes on where it
    was. The result is a corpus for `qmpi train`, with a manifest that proves it.
    """
    from qmpi.cli.farm_view import run_with_bar
    from qmpi.cli.first_use import first_use_shown
    from qmpi.config.load import load_job
    from qmpi.launch.generate import (
        GenerateOptions,
        default_ranks,
        keep_tokenizer,
        prepare_corpus,
    )
    from qmpi.launch.mpirun import find_mpirun
    from qmpi.runtime.clock import Clock
    from qmpi.storage.cache import default_cache

    settings = load_job(job) if job is not None else None
    options = GenerateOptions(
        tokens=tokens,
        out=out,
        seed=seed,
        types=types,
        levels=levels,
        tokenizer=tokenizer,
        name=name,
        force=force,
        codec=codec,
    )
    cache = default_cache(os.environ)
    if force:
        find_mpirun(os.environ)  # before anything is removed for what could not be made
    with first_use_shown(cache, quiet=as_json) as show:
        prepared = prepare_corpus(settings, options, cache, show)
    clock = Clock()
    begun = clock.now()
    if prepared.state != "complete":
        number = ranks if ranks is not None else default_ranks(prepared.units)
        marker = run_with_bar(
            prepared.work,
            prepared.directory,
            number,
            quiet=as_json,
            claimed=lambda: keep_tokenizer(prepared),
        )
        if marker.state != "finished":
            _show_unfinished(marker, as_json=as_json)
            return marker.exit_code
    _complete(prepared)
    _show(prepared, clock.now() - begun, as_json=as_json)
    return 0


def _complete(prepared: "Prepared") -> None:
    """Write the statistics page and clear the working files away, unless that is done."""
    from qmpi.corpora.statistics import corpus_statistics
    from qmpi.monitor.corpus_page import corpus_page
    from qmpi.storage.atomic_file import write_atomic
    from qmpi.storage.corpus_directory import STATISTICS_NAME, sweep_corpus_directory

    out = prepared.directory.parent
    page = out / STATISTICS_NAME
    if not page.exists():
        write_atomic(page, corpus_page(corpus_statistics(out)).encode())
    sweep_corpus_directory(out)


def _show_unfinished(marker: "EndMarker", *, as_json: bool) -> None:
    if as_json:
        page = {"page": "run-failed"} if marker.state == "failed" else {}
        said = {"state": marker.state, "reason": marker.reason, "exit_code": marker.exit_code}
        show_json({**said, **page})
    elif marker.state == "stopped":
        click.echo(f"stopped: {marker.reason}; the same command goes on where it was")
    else:
        click.echo(f"qmpi: generating failed: {marker.reason}", err=True)
        click.echo(f"  {pointer('run-failed')}", err=True)


def _show(prepared: "Prepared", seconds: float, *, as_json: bool) -> None:
    from qmpi.storage.corpus_index import read_corpus_facts

    out = prepared.directory.parent
    facts = read_corpus_facts(out)
    size = sum((out / shard.name).stat().st_size for shard in facts.shards)
    said: dict[str, Any] = {
        "state": "finished",
        "path": out,
        "tokens": facts.tokens,
        "documents": facts.documents,
        "shards": len(facts.shards),
        "bytes": size,
        "digest": facts.digest,
        "made_now": prepared.state != "complete",
        "seconds": round(seconds, 3),
        "exit_code": 0,
    }
    if as_json:
        show_json(said)
        return
    item = 2 if facts.dtype == "uint16" else 4
    if prepared.state == "complete":
        click.echo("the corpus is there already")
    click.echo(
        f"{short(facts.tokens)} tokens, {facts.documents:,} documents in {len(facts.shards)} "
        f"shards, {size / 1e6:,.1f} MB (ratio {item * facts.tokens / max(1, size):.2f}) in {out}, "
        f"{duration(seconds)}"
    )
    click.echo(f"  qmpi shards verify {out}\n  open {out / 'statistics.html'}")
    # JSON quotes a string as TOML does.
    name, path = (json.dumps(text, ensure_ascii=False) for text in (facts.name, str(out)))
    click.echo(f'use it: [[data.sources]] kind = "corpus", name = {name}, path = {path}')
