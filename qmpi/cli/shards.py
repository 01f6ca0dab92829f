"""`qmpi shards`: list, read, verify, describe and repair shards."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import HomePath, json_option
from qmpi.cli.output import show_json
from qmpi.cli.shards_check import repair, verify
from qmpi.cli.shards_listing import listing
from qmpi.cli.sizes import short
from qmpi.errors import ExitCode

if TYPE_CHECKING:
    from qmpi.storage.origins import Origin

EPILOG = """\b
Examples:
  qmpi shards ls corpora/mixed
  qmpi shards head corpora/mixed -k 2
  qmpi shards verify corpora/mixed --json
  qmpi shards stats corpora/mixed
  qmpi shards repair corpora/mixed
"""


@click.group("shards", epilog=EPILOG)
def command() -> None:
    """List, read, verify, describe and repair shards.

    A PATH is the directory of a corpus, or a single shard.
    """


@command.command("ls", epilog="Example: qmpi shards ls corpora/mixed corpora/notes/shard-000000.h5")
@click.argument("paths", nargs=-1, required=True, type=HomePath())
@json_option
def list_shards(*, paths: tuple[Path, ...], as_json: bool) -> int:
    """Show what each shard holds; exit code 3 says that one cannot be read."""
    from qmpi.corpora.survey import find_shards, summarize

    found = [summarize(shard) for shard in find_shards(paths)]
    broken = any(summary.fault for summary in found)
    code = int(ExitCode.MACHINE if broken else ExitCode.DONE)
    if as_json:
        show_json({"shards": found})
        return code
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in listing(found, width):
        click.echo(line)
    return code


@command.command("head", epilog="Example: qmpi shards head corpora/mixed -k 1")
@click.argument("path", type=HomePath())
@click.option("-k", "count", type=click.IntRange(1, 1000), default=3, show_default=True)
@json_option
def show_head(*, path: Path, count: int, as_json: bool) -> None:
    """Show the first documents of a shard or corpus, and where each comes from.

    A generated document has an address; an ingested one a file, and a line or row in it.
    """
    from qmpi.corpora.documents import first_documents

    found = first_documents(path, count)
    if as_json:
        show_json({"documents": found})
        return
    for document in found:
        click.secho(f"== {document.address}  ({document.tokens} tokens)", bold=True)
        if document.origin is not None:
            click.secho(f"   from {origin_text(document.origin)}", dim=True)
        click.echo(document.text)


def origin_text(origin: "Origin") -> str:
    """Return where an ingested document comes from, for people.

    Args:
        origin: of the document.

    Returns:
        Its file, with line, row or byte, its own name, and what was done to read it.
    """
    from qmpi.ingest.read.parquet import is_parquet

    where = origin.file
    if origin.record:
        unit = "row" if is_parquet(os.fsencode(origin.file)) else "line"
        where += f", {unit} {origin.record}"
    elif origin.offset:
        where += f", from byte {origin.offset}"
    where += f", id {origin.id}" if origin.id else ""
    return where + (f" ({origin.note})" if origin.note else "")


@command.command("stats", epilog="Example: qmpi shards stats corpora/mixed --out mixed.html")
@click.argument("paths", nargs=-1, required=True, type=HomePath())
@click.option(
    "--out",
    type=HomePath(),
    metavar="FILE",
    help="Page to write; default: statistics.html in the corpus, or SHARD.html.",
)
@json_option
def show_statistics(*, paths: tuple[Path, ...], out: Path | None, as_json: bool) -> None:
    """Write a page with plots: lengths, types, levels, compression, vocabulary."""
    from qmpi.corpora.statistics import corpus_statistics
    from qmpi.monitor.corpus_page import corpus_page
    from qmpi.storage.atomic_file import write_named
    from qmpi.storage.corpus_directory import STATISTICS_NAME

    if out is not None and len(paths) > 1:
        raise click.UsageError("--out names one page; give one PATH with it")
    pages = []
    for path in paths:
        found = corpus_statistics(path)
        page = out or (path / STATISTICS_NAME if path.is_dir() else path.with_suffix(".html"))
        write_named(page, corpus_page(found).encode())
        pages.append({"page": page, "statistics": found})
        if not as_json:
            click.echo(
                f"{path}: {short(found.tokens)} tokens, {found.documents:,} documents, ratio "
                f"{found.ratio:.2f}, Heaps exponent {found.heaps:.2f}; see {page}"
            )
            why = f" ({found.codec_reason})" if found.codec_reason else ""
            click.echo(f"  codec {', '.join(found.codecs)}{why}")
    if as_json:
        show_json({"pages": pages})


command.add_command(verify)
command.add_command(repair)
