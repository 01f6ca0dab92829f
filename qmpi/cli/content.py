"""`qmpi content`: look at generated documents, go from a token to its document, check samples."""

import os
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import HomePath, json_option
from qmpi.cli.output import show_json
from qmpi.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qmpi.content.document import Document
    from qmpi.content.survey import Failure, Verified

TYPES = (
    "technical",
    "scientific",
    "code",
    "mathematics",
    "philosophy",
    "creative",
    "conversation",
    "multilingual",
    "drills",
)
SHOWN_FAILURES = 20
_BATCH = 50

type_choice = click.Choice(TYPES)
seed_option = click.option(
    "--seed", type=click.IntRange(0, 2**62), default=0, show_default=True, help="Seed of the job."
)

EPILOG = """\b
Examples:
  qmpi content show --type technical --level 37
  qmpi content explain mathematics/37/en/123456789
  qmpi content verify --documents 200
"""
VERIFY_EPILOG = """\b
Examples:
  qmpi content verify
  qmpi content verify --type code --documents 10000
  qmpi content verify --type mathematics --levels 80-100 --json
"""
SHOW_EPILOG = """\b
Examples:
  qmpi content show --type technical --level 37 --index 5
  qmpi content show --type multilingual --level 10 --language ja --index 123456789 --json
  qmpi content show --type drills --level 12 --family sort
"""
EXPLAIN_EPILOG = """\b
Examples:
  qmpi content explain mathematics/37/en/123456789
  qmpi content explain code/90/en/1152921504606846975 --job jobs/laptop.toml
  qmpi content explain drills/12/sort/123456789
"""


@click.group("content", epilog=EPILOG)
def command() -> None:
    """Look at generated documents and check what they say."""


@command.command("show", epilog=SHOW_EPILOG)
@click.option("--type", "type_name", type=type_choice, required=True, help="Kind of text.")
@click.option("--level", type=click.IntRange(1, 100), required=True, help="Difficulty.")
@click.option(
    "--index", type=click.IntRange(0, 2**56 - 1), default=0, show_default=True,
    help="Which document: 4096 x block + number in the block.",
)  # fmt: skip
@click.option("--language", default="en", show_default=True, help="Of type multilingual.")
@click.option("--family", default="", metavar="NAME", help="Of type drills, which has no other.")
@seed_option
@json_option
def show(
    *,
    type_name: str,
    level: int,
    index: int,
    language: str,
    family: str,
    seed: int,
    as_json: bool,
) -> None:
    """Print a document with its certificate."""
    from qmpi.config.data import DRILLS
    from qmpi.content.address import checked_stream, generator_key, place_of
    from qmpi.content.catalogue import write_document
    from qmpi.content.lexicons import lexicon_digest

    if family and type_name != DRILLS:
        raise InputError(f"--family goes with --type {DRILLS} alone; leave it out")
    stream = checked_stream(type_name, level, family if type_name == DRILLS else language)
    key = generator_key(lexicon_digest(), seed)
    document = write_document(key, stream, place_of(index))
    if as_json:
        show_json({"stream": str(stream), "index": index, "document": document})
        return
    click.echo(f"{stream} index {index}: {document.genre}")
    click.echo(document_text(document))


@command.command("explain", epilog=EXPLAIN_EPILOG)
@click.argument("token_address")
@click.option("--job", type=HomePath(), help="Job file that gives seed and tokenizer.")
@click.option(
    "--tokenizer",
    default="",
    metavar="PATH",
    help="tokenizer.json, corpus directory, or builtin:NAME; default: that of the job, without one"
    " builtin:content.",
)
@click.option("--seed", type=click.IntRange(0, 2**62), help="Seed; default: that of the job, or 0.")
@json_option
def explain(
    *, token_address: str, job: Path | None, tokenizer: str, seed: int | None, as_json: bool
) -> None:
    """Go from TOKEN_ADDRESS, written TYPE/LEVEL/LANGUAGE/TOKEN, back to its document.

    Drills have their family where others have a language.
    """
    from qmpi.cli.first_use import first_use_shown
    from qmpi.config.load import load_job
    from qmpi.content.address import generator_key, parse_token
    from qmpi.content.block_maker import BlockMaker
    from qmpi.content.lexicons import lexicon_digest
    from qmpi.content.survey import origin_of
    from qmpi.corpora.tokenizer import open_tokenizer, with_tokenizer
    from qmpi.storage.cache import default_cache

    stream, token = parse_token(token_address)
    settings = load_job(job) if job is not None else None
    if seed is None:
        seed = settings.job.seed if settings is not None else 0
    cache = default_cache(os.environ)
    with first_use_shown(cache, quiet=as_json) as show:
        opened = open_tokenizer(with_tokenizer(settings, tokenizer), cache, show)
    maker = BlockMaker(opened, generator_key(lexicon_digest(), seed))
    origin = origin_of(maker, stream, token)
    if as_json:
        show_json(origin)
        return
    if origin.document is None:
        click.echo(f"token {token} of {stream} is padding at the end of block {origin.block}")
        return
    click.echo(
        f"token {token} of {stream}: token {origin.offset} of document {origin.index}"
        f" (block {origin.block}), {origin.document.genre}"
    )
    click.echo(document_text(origin.document))


@command.command("verify", epilog=VERIFY_EPILOG)
@click.option("--type", "type_name", type=type_choice, help="Kind of text; default: all.")
@click.option(
    "--documents", type=click.IntRange(1), default=1000, show_default=True, help="Of each type."
)
@click.option("--levels", default="1-100", show_default=True, metavar="A-B", help="Difficulty.")
@seed_option
@json_option
def verify(*, type_name: str | None, documents: int, levels: str, seed: int, as_json: bool) -> int:
    """Make documents at random addresses and check all they say with independent checkers."""
    from rich.console import Console
    from rich.progress import Progress

    span = parse_levels(levels)
    results: dict[str, Verified] = {}
    # The bar goes where people look and pipes do not read.
    console = Console(stderr=True)
    hidden = as_json or not console.is_terminal
    with Progress(console=console, transient=True, disable=hidden) as bar:
        for name in (type_name,) if type_name else TYPES:
            task = bar.add_task(name, total=documents)
            results[name] = _verified(
                name, documents, seed, span, lambda n, task=task: bar.advance(task, n)
            )
    failed = [failure for result in results.values() for failure in result.failures]
    counts = {
        "documents": sum(result.documents for result in results.values()),
        "facts": sum(result.facts for result in results.values()),
        "failures": len(failed),
    }
    if as_json:
        show_json({**counts, "types": results})
    else:
        _show_results(results, failed)
        click.echo(
            f"{counts['documents']:,} documents, {counts['facts']:,} facts,"
            f" {counts['failures']:,} failures"
        )
    return 1 if failed else 0


def _verified(
    name: str, documents: int, seed: int, levels: tuple[int, int], advance: "Callable[[int], None]"
) -> "Verified":
    from qmpi.content.address import generator_key
    from qmpi.content.lexicons import lexicon_digest
    from qmpi.content.survey import Verified, addresses, verify_sample

    key = generator_key(lexicon_digest(), seed)
    sample = addresses(name, documents, seed, levels)
    facts, failures = 0, list["Failure"]()
    # Never all addresses at once: a count that nobody waits for must not fill the memory either.
    while batch := list(islice(sample, _BATCH)):
        result = verify_sample(key, batch)
        facts += result.facts
        failures += result.failures
        advance(result.documents)
    return Verified(documents, facts, tuple(failures))


def _show_results(results: "dict[str, Verified]", failed: "list[Failure]") -> None:
    for name, result in results.items():
        click.echo(
            f"{name:14}{result.documents:>10,} documents {result.facts:>12,} facts"
            f" {len(result.failures):>6,} failures"
        )
    for failure in failed[:SHOWN_FAILURES]:
        click.echo(f"  {failure.stream} index {failure.index}: {failure.faults[0]}")
    if len(failed) > SHOWN_FAILURES:
        click.echo(f"  and {len(failed) - SHOWN_FAILURES:,} more; --json lists all")


def parse_levels(text: str) -> tuple[int, int]:
    """Read a range of levels.

    Args:
        text: as "7" or "10-20".

    Returns:
        Lowest and highest.

    Raises:
        InputError: it is no range within 1 to 100.
    """
    # Python refuses to read a number of thousands of digits, so their count is bounded here.
    found = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9})?)?", text, re.ASCII)
    if found is None:
        raise InputError(f"levels {text[:40]!r}: write one as 7, or a range as 10-20")
    low, high = int(found[1]), int(found[2] or found[1])
    if not 1 <= low <= high <= 100:
        raise InputError(f"levels {text!r} are not a range within 1-100")
    return low, high


def document_text(document: "Document") -> str:
    """Return a document with its certificate, for people.

    Args:
        document: any.

    Returns:
        Several lines.
    """
    import msgspec

    def shown(value: object) -> str:
        return msgspec.json.encode(value).decode()

    budget = "  ".join(f"{axis} {points}" for axis, points in _budget(document))
    lines = [
        "-" * 72,
        document.text.rstrip("\n"),
        "-" * 72,
        f"level {document.level}: {budget}",
        f"world: {shown(document.world)}",
        *([f"folded at {shown(document.breaks)}"] if document.breaks else []),
    ]
    for fact in document.facts:
        said = shown(document.text[fact.start : fact.end])
        lines.append(f"fact {fact.kind} {shown(fact.args)}: {said}")
    lines += [
        f"problem {problem.family} {shown(problem.world)}: answer {problem.answer}"
        for problem in document.problems
    ]
    return "\n".join(lines)


def _budget(document: "Document") -> list[tuple[str, int]]:
    from msgspec import structs

    return list(structs.asdict(document.budget).items())
