"""Make a corpus from texts: of files, as a plan of units, or of a program, in one go.

Theory of operation: all files go to OUT.partial, which becomes OUT by one rename at the very end,
so a corpus exists whole or not at all. What a killed ingestion of files left there is gone on with
by the next, if that is told the same and finds the same files; else it is removed.
"""

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from qmpi.errors import InputError, StorageError, UserError
from qmpi.ingest.checks import given_tokenizer, refuse_if_used, refuse_without_effect
from qmpi.ingest.judge.language import LanguageGuess
from qmpi.ingest.read.json_lines import with_lines_marked
from qmpi.ingest.read.parquet import is_parquet, require_parquet
from qmpi.ingest.report import read_report
from qmpi.ingest.scan import Scan, scan
from qmpi.ingest.screen import make_screen, save_screen
from qmpi.ingest.settings import (
    LISTED,
    IngestOptions,
    IngestProgress,
    IngestReport,
    LeftOut,
    Progress,
)
from qmpi.ingest.spec import IngestSpec, spec_of
from qmpi.ingest.stages import GIVEN_TOKENIZER, SCREEN_NAME, IngestPlan
from qmpi.protocol.work import UnitProgress, UnitReport, joined
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.corpus_directory import (
    PARTIAL_SUFFIX,
    PLAN_NAME,
    WORK_FOLDER,
    check_corpus_directory,
    clear_corpus_directory,
    corpus_place,
    sweep_corpus_directory,
)
from qmpi.storage.corpus_index import INDEX_VERSION, TOKENIZER_NAME, CorpusFacts, write_corpus_facts
from qmpi.storage.os_errors import explained
from qmpi.storage.run_directory import RunDirectory, RunLock
from qmpi.storage.shard_encoder import Piece, ShardEncoder, batches, corpus_digest
from qmpi.storage.shard_layout import dtype_name
from qmpi.storage.tokenizer import Tokenizer, train_tokenizer
from qmpi.units import Tokens

__all__ = [
    "IngestOptions",
    "IngestProgress",
    "IngestReport",
    "PieceSource",
    "Prepared",
    "Progress",
    "ingest_corpus",
    "ingest_prepared",
    "ingest_source",
    "prepare_ingest",
    "publish",
    "run_plan",
]


class PieceSource(Protocol):
    """Texts that can be read more than once."""

    left_out: list[LeftOut]
    bytes_read: int

    def pieces(self) -> Iterator[Piece]:
        """Read everything, from the start.

        Yields:
            The pieces of all documents, in order.
        """
        ...


class Prepared(NamedTuple):
    """An ingestion ready to be done.

    Attributes:
        spec: what decides the result.
        partial: directory of the corpus under way.
        resumed: whether some of it was done before.
        items: of the evaluation sets to screen against.
        short: of these, what is too short to be looked for.
        remarks: on the tokenizer that was given.
    """

    spec: IngestSpec
    partial: Path
    resumed: bool
    items: int = 0
    short: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def work(self) -> Path:
        """Directory of intermediate files."""
        return self.partial / WORK_FOLDER


def ingest_corpus(
    paths: Sequence[Path], out: Path, options: IngestOptions, progress: Progress
) -> IngestReport:
    """Make a corpus from files, in this process.

    Args:
        paths: files and directories: text, Markdown, source code, JSON lines, Parquet; plain, .gz
            or .zst.
        out: directory to make.
        options: see `IngestOptions`.
        progress: told often.

    Returns:
        What was made, and what was left out and why.

    Raises:
        UserError: `out` exists, a path does not, or no usable text was found.
        StorageError: no space or no permission; the same call goes on where this one was.
    """
    return ingest_prepared(prepare_ingest(paths, out, options), progress)


def ingest_prepared(prepared: Prepared, progress: Progress) -> IngestReport:
    """Do a prepared ingestion in this process.

    Args:
        prepared: what to do.
        progress: told often.

    Returns:
        What was made.

    Raises:
        UserError: no usable text was found, or another command is at it.
        StorageError: no space or no permission; the same call goes on where this one was.
    """
    work = RunDirectory(prepared.work)
    # Both: a lock of ranks alone means that their command was killed.
    with RunLock(work.supervisor_lock), RunLock(work.lock):
        try:
            run_plan(IngestPlan(prepared.spec, prepared.work), progress)
            return publish(prepared)
        except UserError:
            # Nobody can go on with this; what the machine or a signal ended stays for the next try.
            _remove(prepared.partial)
            raise


def prepare_ingest(paths: Sequence[Path], out: Path, options: IngestOptions) -> Prepared:
    """Check what can be checked before the work, and make the directory ready.

    Args:
        paths: files and directories.
        out: directory to make.
        options: see `IngestOptions`.

    Returns:
        What to do.

    Raises:
        InputError: `out` exists or is none of ours, or an option cannot be used.
        StorageError: no space or no permission.
    """
    out = corpus_place(out)
    partial = _place_for(out, options)
    if options.languages:
        LanguageGuess(options.languages)
    tokenizer = given_tokenizer(options)
    screen = make_screen(options.screen, options.screen_words) if options.screen else None
    digests = tokenizer.digest if tokenizer else "", screen.digest if screen else ""
    spec = spec_of(list(paths), out, options, *digests)
    prepared = Prepared(
        spec,
        partial,
        resumed=True,
        items=len(screen.names) if screen else 0,
        short=screen.short if screen else 0,
        remarks=tuple(tokenizer.remarks()) if tokenizer else (),
    )
    scans = [with_lines_marked(scan(path, out), spec.fields) for path in paths]
    refuse_without_effect(options, [file for found in scans for file in found.files])
    if any(is_parquet(file.path) for found in scans for file in found.files):
        require_parquet()
    work = RunDirectory(partial / WORK_FOLDER)
    refuse_if_used(work.supervisor_lock)
    if _is_begun(partial, spec, scans):
        return prepared  # ranks whose command was killed may be at it: they are followed
    refuse_if_used(work.lock)
    _remove(partial)
    work = partial / WORK_FOLDER
    with explained("make the corpus", partial):
        work.mkdir(parents=True)
    if tokenizer:
        tokenizer.save(work / GIVEN_TOKENIZER)
    if screen:
        save_screen(screen, work / SCREEN_NAME)
    write_atomic(partial / PLAN_NAME, msgspec.json.encode(spec))
    return prepared._replace(resumed=False)


def _place_for(out: Path, options: IngestOptions) -> Path:
    partial = out.parent / f"{out.name}{PARTIAL_SUFFIX}"
    for doomed in (out, partial):
        check_corpus_directory(doomed)  # first: --force would not replace what is no corpus either
    if out.exists() and not options.force:
        raise InputError(f"{out} exists; choose another directory, or pass --force to replace it")
    return partial


def _is_begun(partial: Path, spec: IngestSpec, scans: list[Scan]) -> bool:
    # The same command on the same files: what is done may stay.
    try:
        if (partial / PLAN_NAME).read_bytes() != msgspec.json.encode(spec):
            return False
    except OSError:
        return False
    try:
        return IngestPlan(spec, partial / WORK_FOLDER).scans == scans
    except (StorageError, msgspec.DecodeError, RecursionError):
        return False


def run_plan(plan: IngestPlan, progress: Progress) -> None:
    """Do all units of a plan in this process.

    Args:
        plan: what to do.
        progress: told often.
    """
    for stage, name in enumerate(plan.stages):
        units = plan.units(stage)
        weights = [plan.weight(stage, unit) for unit in range(units)]
        done = plan.done(stage)
        teller = _Teller(name, sum(weights), progress)
        teller.add(joined(done.values()))
        for unit in range(units):
            if unit not in done:
                teller.add(plan.run(stage, unit, teller.tell))
    plan.finish()


class _Teller:
    """Adds what units under way say to what is done."""

    def __init__(self, stage: str, total: int, progress: Progress) -> None:
        self._bytes = 0
        self._stage = stage
        self._total = total
        self._progress = progress
        self._documents = 0
        self._tokens = 0

    def tell(self, now: UnitProgress) -> None:
        self._progress(
            IngestProgress(
                stage=self._stage,
                bytes_read=self._bytes + now.bytes,
                documents=self._documents + now.documents,
                tokens=self._tokens + now.tokens,
                bytes_total=self._total,
            )
        )

    def add(self, report: UnitReport) -> None:
        self._bytes += report.bytes
        self._documents += report.documents
        self._tokens += report.tokens
        self.tell(UnitProgress())


def publish(prepared: Prepared) -> IngestReport:
    """Put a finished corpus in its place.

    Args:
        prepared: what was done.

    Returns:
        Its report.

    Raises:
        StorageError: it cannot be moved.
    """
    partial, out = prepared.partial, Path(prepared.spec.out)
    report = read_report(partial)
    clear_corpus_directory(out)
    with explained("rename", partial):
        (partial / PLAN_NAME).unlink(missing_ok=True)
        partial.rename(out)
    sweep_corpus_directory(out)
    return report


def _remove(directory: Path) -> None:
    with explained("remove", directory):
        if directory.is_dir():
            shutil.rmtree(directory)


def ingest_source(
    source: PieceSource, out: Path, options: IngestOptions, progress: Progress
) -> IngestReport:
    """Make a corpus of texts from anywhere: no rules, no search for duplicates.

    Args:
        source: the texts.
        out: directory to make.
        options: see `IngestOptions`; those of files do not count.
        progress: told about once a million characters.

    Returns:
        What was made.

    Raises:
        InputError: `out` exists, or no usable text was found.
        StorageError: no space or no permission; nothing is left behind.
    """
    out = corpus_place(out)
    partial = _place_for(out, options)
    _remove(partial)
    try:
        with explained("make the corpus", partial):
            partial.mkdir(parents=True)
        report = _fill(source, partial, options, progress)
        clear_corpus_directory(out)
        with explained("rename", partial):
            partial.rename(out)
    finally:
        _remove(partial)
    return msgspec.structs.replace(report, path=out)


def _fill(
    source: PieceSource, partial: Path, options: IngestOptions, progress: Progress
) -> IngestReport:
    tokenizer = _tokenizer(source, options, progress)
    tokenizer.save(partial / TOKENIZER_NAME)
    encoder = ShardEncoder(partial, tokenizer, options.shard_tokens)
    try:
        for batch in batches(source.pieces()):
            encoder.add(batch)
            progress(
                IngestProgress(
                    stage="encode",
                    bytes_read=source.bytes_read,
                    documents=encoder.documents,
                    tokens=encoder.tokens,
                )
            )
        encoder.end_shard()
    finally:
        encoder.abandon()
    counts = Counter(item.reason for item in source.left_out)
    if not encoder.tokens:
        raise InputError(f"no usable text found; left out: {dict(counts) or 'nothing, no files'}")
    facts = CorpusFacts(
        version=INDEX_VERSION,
        name=options.name or partial.name.removesuffix(PARTIAL_SUFFIX),
        tokenizer_digest=tokenizer.digest,
        vocab_size=tokenizer.size,
        dtype=dtype_name(tokenizer.size),
        tokens=Tokens(encoder.tokens),
        documents=encoder.documents,
        shards=tuple(encoder.shards),
        left_out=dict(sorted(counts.items())),
        digest=corpus_digest(tokenizer, [bytes(encoder.digests)]),
    )
    write_corpus_facts(partial, facts)
    return IngestReport(
        path=partial,
        facts=facts,
        left_out=tuple(source.left_out[:LISTED]),
        bytes_read=source.bytes_read,
    )


def _tokenizer(source: PieceSource, options: IngestOptions, progress: Progress) -> Tokenizer:
    given = given_tokenizer(options)
    if given is not None:
        return given
    progress(IngestProgress(stage="tokenizer", bytes_read=0, documents=0, tokens=0))
    return train_tokenizer(_sample(source, options.sample_characters), options.vocab_size)


def _sample(source: PieceSource, characters: int) -> Iterator[str]:
    left = characters
    for piece in source.pieces():
        yield piece.text[:left]
        left -= len(piece.text)
        if left <= 0:
            return
