"""`qmpi shards verify` and `qmpi shards repair`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import HomePath, json_option
from qmpi.cli.output import show_json
from qmpi.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qmpi.corpora.repair import Repair
    from qmpi.corpora.survey import FoundShard
    from qmpi.corpora.verify import Fault


@click.command("verify", epilog="Example: qmpi shards verify corpora/mixed --json")
@click.argument("paths", nargs=-1, required=True, type=HomePath())
@json_option
def verify(*, paths: tuple[Path, ...], as_json: bool) -> int:
    """Find every flipped bit, and name its chunk and block.

    The index keeps a digest of each whole file, so damage to any byte is found. A shard without an
    index is checked by the checksums inside it. Exit code 3 says that something is damaged.
    """
    from qmpi.corpora.survey import find_shards
    from qmpi.corpora.verify import verify_directory, verify_shard

    faults: list[Fault] = []
    for folder in _folders(paths):
        faults += verify_directory(folder)
    shards = find_shards(paths, loose=True)
    partly = 0
    for shard in _watched(shards, "verifying", as_json=as_json):
        check = verify_shard(shard)
        faults += check.faults
        partly += not check.whole_file
    if as_json:
        state = "damaged" if faults else "ok"
        show_json({"state": state, "shards": len(shards), "unindexed": partly, "faults": faults})
    else:
        _say_faults(faults, len(shards), partly)
    return int(ExitCode.MACHINE if faults else ExitCode.DONE)


def _say_faults(faults: "list[Fault]", shards: int, partly: int) -> None:
    for fault in faults:
        where = f", chunk {fault.chunk}" if fault.chunk >= 0 else ""
        where += f", block {fault.block}" if fault.block else ""
        click.echo(f"damaged: {fault.path}{where}: {fault.what}", err=True)
    note = f"; {partly} have no index: only the checksums inside were checked" if partly else ""
    if not faults:
        click.echo(f"ok: {shards} shards{note}")
    else:
        many = "fault" if len(faults) == 1 else "faults"
        click.echo(f"{len(faults)} {many} in {shards} shards{note}; qmpi shards repair", err=True)


@click.command("repair", epilog="Example: qmpi shards repair corpora/notes --from backup/notes")
@click.argument("paths", nargs=-1, required=True, type=HomePath())
@click.option(
    "--from",
    "copy",
    type=HomePath(exists=True, file_okay=False),
    metavar="DIR",
    help="Another copy of the corpus, for what cannot be made again.",
)
@json_option
def repair(*, paths: tuple[Path, ...], copy: Path | None, as_json: bool) -> int:
    """Make damaged shards whole, to the very bytes that were written.

    Of a generated shard exactly the damaged blocks are made again from their addresses. An ingested
    shard is taken from another copy of the corpus. A file is replaced only if the result has the
    digest that the index keeps. Exit code 3 says that something could not be repaired.
    """
    from qmpi.cli.first_use import first_use_shown
    from qmpi.corpora.content_tokenizer import content_tokenizer
    from qmpi.corpora.repair import repair_directory, repair_shard
    from qmpi.corpora.survey import find_shards
    from qmpi.storage.cache import default_cache

    done: list[Repair] = []
    cache = default_cache(os.environ)
    with first_use_shown(cache, quiet=as_json) as show:
        for folder in _folders(paths):
            done += repair_directory(folder, copy, lambda: content_tokenizer(cache, show))
    shards = find_shards(paths, loose=True)
    done += [repair_shard(s, copy) for s in _watched(shards, "repairing", as_json=as_json)]
    refused = [one for one in done if one.state == "refused"]
    if as_json:
        state = "damaged" if refused else "ok"
        show_json({"state": state, "files": [one for one in done if one.state != "whole"]})
    else:
        _say_repairs(done, len(shards))
    return int(ExitCode.MACHINE if refused else ExitCode.DONE)


def _say_repairs(done: "list[Repair]", shards: int) -> None:
    for one in done:
        if one.state == "whole":
            continue
        click.echo(f"{one.state}: {one.path}: {one.how}", err=one.state == "refused")
        for block in one.blocks[:20]:
            click.echo(f"  {block}")
    changed = sum(one.state == "repaired" for one in done)
    click.echo(f"{changed} files repaired, {shards} shards looked at")


def _folders(paths: tuple[Path, ...]) -> list[Path]:
    return [path for path in paths if path.is_dir()]


def _watched(shards: "list[FoundShard]", what: str, *, as_json: bool) -> "Iterator[FoundShard]":
    """Yield the shards, with a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    quiet = as_json or len(shards) < 2 or not console.is_terminal
    yield from track(shards, what, console=console, transient=True, disable=quiet)
