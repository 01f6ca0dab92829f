"""`qmpi ingest`: turn text into a corpus of shards."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import json_option
from qmpi.cli.output import show_json
from qmpi.errors import InputError

if TYPE_CHECKING:
    from qmpi.storage.ingest import IngestReport

SHOWN_LEFT_OUT = 20

EPILOG = """\b
Examples:
  qmpi ingest ~/notes README.md --out corpora/notes
  qmpi ingest dump.jsonl.zst --field text --out corpora/dump --vocab-size 32768
  qmpi ingest more/ --out corpora/more --tokenizer corpora/dump/tokenizer.json
"""


@click.command("ingest", epilog=EPILOG)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Corpus to write."
)
@click.option("--field", default="text", show_default=True, help="Field of JSONL records.")
@click.option(
    "--vocab-size",
    type=int,
    default=4096,
    show_default=True,
    help="Of the tokenizer that is trained.",
)
@click.option(
    "--tokenizer",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Use this tokenizer.json instead.",
)
@click.option("--name", default="", help="Name of the corpus; default: that of DIR.")
@click.option("--force", is_flag=True, help="Replace an existing corpus.")
@json_option
def command(
    *,
    paths: tuple[Path, ...],
    out: Path,
    field: str,
    vocab_size: int,
    tokenizer: Path | None,
    name: str,
    force: bool,
    as_json: bool,
) -> None:
    """Ingest PATHS: text, Markdown, source trees, JSONL, and gzip or zstd of these.

    What cannot be used (binary, not UTF-8, empty, duplicate, unreadable) is left out, counted and
    listed.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from qmpi.storage.ingest import IngestOptions, IngestProgress, ingest_corpus

    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise InputError(f"no such file or directory: {', '.join(missing)}")
    options = IngestOptions(
        field=field,
        vocab_size=vocab_size,
        tokenizer=tokenizer,
        name=name or out.name,
        force=force,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, transient=True, disable=as_json) as bar:
        task = bar.add_task("reading", total=None)

        def show(progress: IngestProgress) -> None:
            words = (
                f"{progress.stage}: {progress.documents:,} documents, {progress.tokens:,} tokens"
            )
            bar.update(task, description=words)

        report = ingest_corpus(list(paths), out, options, show)
    if as_json:
        show_json(report)
        return
    click.echo(report_text(report, out))


def report_text(report: "IngestReport", out: Path) -> str:
    """Return what came of an ingestion, for people.

    Args:
        report: the report.
        out: the corpus.

    Returns:
        A few lines.
    """
    facts = report.facts
    lines = [f"{facts.documents:,} documents, {facts.tokens:,} tokens in {out}"]
    lines += [f"  left out, {reason}: {count}" for reason, count in sorted(facts.left_out.items())]
    lines += [f"    {item.where}: {item.reason}" for item in report.left_out[:SHOWN_LEFT_OUT]]
    lines.append(f'use it: [[data.sources]] kind = "corpus", name = "{out.name}", path = "{out}"')
    return "\n".join(lines)
