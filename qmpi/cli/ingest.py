"""`qmpi ingest`: turn text into a corpus of shards."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qmpi.cli.options import FiniteRange, HomePath, json_option
from qmpi.cli.output import show_json
from qmpi.errors import ExitCode, InputError, pointer
from qmpi.storage.codec_names import USUAL_CODEC

if TYPE_CHECKING:
    from qmpi.ingest.corpus import Prepared
    from qmpi.ingest.settings import IngestOptions, IngestReport

EPILOG = """\b
Examples:
  qmpi ingest ~/notes README.md --out corpora/notes
  qmpi ingest dump.jsonl.zst --field text --out corpora/dump --vocab-size 32768
  qmpi ingest more/ --out corpora/more --tokenizer corpora/dump/tokenizer.json
  qmpi ingest more/ --out corpora/more --tokenizer llama/tokenizer.json --end-token "</s>"
  qmpi ingest crawl/ --out corpora/web --rules web --language en --screen eval.jsonl -n 9

\b
Exit codes: 0 all that was usable is in; 5 the corpus is there, but some input was damaged
(unreadable, cut short, not UTF-8, not JSON) and left out; 2 nothing usable, or a wrong option.
--accept-damage makes 5 a 0.
"""


_TYPED = click.core.ParameterSource.COMMANDLINE


def rules_text() -> str:
    """Return all quality rules with their thresholds, for people.

    Returns:
        A table.
    """
    from qmpi.ingest.judge.rules import PRESETS, RULES

    lines = [f"{'rule':29}{'light':>8}{'web':>9}  what it looks at"]
    for name, rule in RULES.items():
        light, web = (
            f"{PRESETS[p][name]:g}" if name in PRESETS[p] else "-" for p in PRESETS if p != "none"
        )
        lines.append(f"{name:29}{light:>8}{web:>9}  {rule.says} ({rule.scope})")
    return "\n".join(lines)


def _list_rules(context: click.Context, _option: click.Parameter, wanted: object) -> None:
    if wanted:
        click.echo(rules_text())
        context.exit()


@click.command("ingest", epilog=EPILOG)
@click.argument("paths", nargs=-1, required=True, type=HomePath())
@click.option("--out", type=HomePath(), required=True, metavar="DIR", help="Corpus to write.")
@click.option(
    "--field", default="text", show_default=True, help="Field of JSONL records, column of Parquet."
)
@click.option(
    "--id-field", default="id", show_default=True, help="Field whose value identifies a record."
)
@click.option(
    "--vocab-size",
    type=int,
    default=4096,
    show_default=True,
    help="Of the tokenizer that is trained.",
)
@click.option(
    "--tokenizer",
    type=HomePath(),
    metavar="FILE",
    help="Use this tokenizer.json instead.",
)
@click.option(
    "--end-token",
    metavar="TEXT",
    help="Token of --tokenizer that ends a document; default: what a file beside it declares.",
)
@click.option(
    "--rules",
    type=click.Choice(["none", "light", "web"]),
    default="light",
    show_default=True,
    help="Quality rules: light takes out wreckage, web is strict as for crawled pages.",
)
@click.option(
    "--rule",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change one threshold, or 'off'; repeatable.",
)
@click.option(
    "--list-rules",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_rules,
    help="Show all rules and leave.",
)
@click.option(
    "--near-duplicates",
    type=FiniteRange(0, 1),
    default=0.8,
    show_default=True,
    help="Similarity at which the later of two documents is left out; 0: only equal ones.",
)
@click.option(
    "--language", "languages", multiple=True, metavar="CODE", help="Keep these; repeatable."
)
@click.option(
    "--screen",
    multiple=True,
    type=HomePath(),
    metavar="FILE",
    help="Leave out what shares words with this evaluation set; repeatable.",
)
@click.option(
    "--screen-words", type=click.IntRange(4, 200), default=13, show_default=True,
    help="How many words in a row.",
)  # fmt: skip
@click.option("--encoding", default="", help="Of files that are not UTF-8, as latin-1.")
@click.option(
    "--codec",
    default=USUAL_CODEC,
    show_default=True,
    metavar="NAME[:LEVEL]",
    help="Of the shards; auto or auto:MB/s tries them for a reader that gets so much (200).",
)
@click.option("--report", type=HomePath(), metavar="FILE", help="Write the report as JSON.")
@click.option("-n", "ranks", type=click.IntRange(1, 1_000_000), metavar="N", help="MPI ranks.")
@click.option("--accept-damage", is_flag=True, help="Exit with 0 if input was damaged.")
@click.option("--name", default="", help="Name of the corpus; default: that of DIR.")
@click.option("--force", is_flag=True, help="Replace an existing corpus.")
@json_option
def command(
    *,
    paths: tuple[Path, ...],
    out: Path,
    field: str,
    id_field: str,
    vocab_size: int,
    tokenizer: Path | None,
    end_token: str | None,
    rules: str,
    changes: tuple[str, ...],
    near_duplicates: float,
    languages: tuple[str, ...],
    screen: tuple[Path, ...],
    screen_words: int,
    encoding: str,
    codec: str,
    report: Path | None,
    ranks: int | None,
    accept_damage: bool,
    name: str,
    force: bool,
    as_json: bool,
) -> int:
    """Ingest PATHS: text, Markdown, source trees, JSONL, Parquet, and gzip or zstd of these.

    What cannot be used (binary, damaged, empty, duplicate, of low quality) is left out, counted and
    listed. An ingestion that was killed goes on when the same command is given again.
    """
    from qmpi.ingest.judge.rules import thresholds
    from qmpi.ingest.settings import IngestOptions

    _check_effect(tokenizer, screen, end_token)
    missing = [str(path) for path in (*paths, *screen) if not path.exists()]
    if missing:
        raise InputError(f"no such file or directory: {', '.join(missing)}")
    if report and not report.absolute().parent.is_dir():
        # Said now, not after hours of reading.
        raise InputError(f"--report {report}: there is no such directory; make it first")
    options = IngestOptions(
        field=field,
        id_field=id_field,
        vocab_size=vocab_size,
        tokenizer=tokenizer,
        end_token=end_token or "",
        name=name or out.name,
        force=force,
        encoding=encoding,
        rules=thresholds(rules, _changes(changes)),
        languages=languages,
        near_duplicates=near_duplicates,
        screen=screen,
        screen_words=screen_words,
        codec=codec,
    )
    made = _ingest(list(paths), out, options, ranks, quiet=as_json)
    if isinstance(made, int):
        return made
    if report:
        _write_report(report, made)
    if as_json:
        show_json(made)
    else:
        click.echo(report_text(made, out))
    damaged = made.damaged and not accept_damage
    return int(ExitCode.PARTIAL if damaged else ExitCode.DONE)


def _check_effect(tokenizer: Path | None, screen: tuple[Path, ...], end_token: str | None) -> None:
    # An option that would be passed over is a slip, and one better said than found later.
    def typed(name: str) -> bool:
        return click.get_current_context().get_parameter_source(name) is _TYPED

    if tokenizer and typed("vocab_size"):
        click.echo("--vocab-size has no effect: the ids are those of --tokenizer", err=True)
    if screen == () and typed("screen_words"):
        raise InputError("--screen-words says how to look for --screen FILE; name one")
    if end_token == "":
        raise InputError("--end-token is empty; name a token of the tokenizer")


def _changes(typed: tuple[str, ...]) -> dict[str, str]:
    changes: dict[str, str] = {}
    for text in typed:
        name, mark, value = text.partition("=")
        if not mark:
            raise InputError(f"--rule {text}: write NAME=VALUE; --list-rules shows the names")
        changes[name.strip()] = value.strip()
    return changes


def _ingest(
    paths: list[Path], out: Path, options: "IngestOptions", ranks: int | None, *, quiet: bool
) -> "IngestReport | int":
    import msgspec

    from qmpi.cli.ingest_view import IngestView
    from qmpi.ingest.corpus import ingest_prepared, prepare_ingest, publish

    prepared = prepare_ingest(paths, out, options)
    if prepared.resumed and not quiet:
        click.echo(f"going on with what is in {prepared.partial}", err=True)
    for remark in () if quiet else prepared.remarks:
        click.echo(f"tokenizer: {remark}", err=True)
    if prepared.short and not quiet:
        click.echo(
            f"screening: {prepared.short:,} of {prepared.items:,} items have under "
            f"{options.screen_words} words in a row and cannot be found",
            err=True,
        )
    if ranks is not None:
        code = _on_ranks(prepared, ranks, quiet=quiet)
        return code if code else publish(prepared)
    with IngestView(quiet=quiet) as view:
        report = ingest_prepared(prepared, view.show)
    return msgspec.structs.replace(report, seconds=view.seconds)


def _on_ranks(prepared: "Prepared", ranks: int, *, quiet: bool) -> int:
    from qmpi.cli.farm_view import run_with_bar
    from qmpi.storage.work_file import WorkFile

    work = WorkFile(kind="ingest", name=prepared.spec.name, plan=prepared.spec.plain())
    marker = run_with_bar(work, prepared.work, ranks, quiet=quiet, counted="bytes")
    if marker.state == "finished":
        return 0
    if quiet:
        page = {"page": "run-failed"} if marker.state == "failed" else {}
        said = {"state": marker.state, "reason": marker.reason, "exit_code": marker.exit_code}
        show_json({**said, **page})
    elif marker.state == "stopped":
        click.echo(f"stopped: {marker.reason}; the same command goes on where it was")
    else:
        click.echo(f"qmpi: ingesting failed: {marker.reason}", err=True)
        click.echo(f"  {pointer('run-failed')}", err=True)
    if marker.exit_code == ExitCode.USER:
        _forget(prepared)
    return marker.exit_code


def _forget(prepared: "Prepared") -> None:
    # Nobody can go on with what the user's input made fail.
    import shutil

    shutil.rmtree(prepared.partial, ignore_errors=True)


def _write_report(path: Path, report: "IngestReport") -> None:
    import msgspec

    from qmpi.storage.atomic_file import write_named

    data = msgspec.json.format(msgspec.json.encode(report, enc_hook=str), indent=1)
    write_named(path, data + b"\n")


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
    for reason, count in sorted(facts.left_out.items()):
        dropped = report.dropped.get(reason)
        size = f", {dropped.bytes / 1e6:,.2f} MB" if dropped and dropped.bytes else ""
        lines.append(f"  left out, {reason}: {count:,}{size}")
        lines += [f"    {_printable(where)}" for where in (dropped.examples if dropped else ())]
    if facts.left_out:
        lines.append(f"  all of them: zstdcat {out / 'left-out.jsonl.zst'}")
    if report.damaged:
        lines.append(f"  {report.damaged:,} inputs are damaged or cannot be read as they are")
    # JSON quotes a string as TOML does.
    name, path = (json.dumps(text, ensure_ascii=False) for text in (facts.name, str(out)))
    lines.append(f'use it: [[data.sources]] kind = "corpus", name = {name}, path = {path}')
    return "\n".join(lines)


def _printable(name: str) -> str:
    # A file's name may hold line breaks and what terminals obey.
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
