"""`qmpi audit`: re-derive the stream and prove that each block was trained on exactly once.

Theory of operation. The journal's hash chain is checked first. Then its records are replayed: a
generation that starts at step s voids the committed steps from s on, so each step stands exactly
once in the end, and a step done again must name the same blocks. No block may hold a row that is
held out. Each block of each standing step
is built anew from its address and compared with the digest of what was trained on. Last, the weight
digests of the status and of the end marker must be the journal's.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec import Struct

from qmpi.config.load import load_job, settings_digest
from qmpi.config.settings import CorpusSource, Settings
from qmpi.corpora.sources import Sources
from qmpi.errors import CorruptData, InputError, QmpiError
from qmpi.policy.held_out import is_held_out
from qmpi.policy.stream import rows_of_block
from qmpi.protocol.journal import GenerationOpened, JournalRecord, RunOpened, StepCommitted
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.recipe import RowAddress
from qmpi.storage.journal import read_journal
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.status_file import read_end
from qmpi.units import Lane, Step


class AuditReport(Struct, frozen=True):
    """Result of an audit.

    Attributes:
        audit: "ok", or the first fault in words.
        steps: steps that stand in the journal.
        blocks: blocks whose digest was derived again and found equal.
        digest: newest weight digest.
    """

    audit: str
    steps: int
    blocks: int
    digest: str


class StandingSteps(Struct):
    """The journal, replayed.

    Attributes:
        steps: record of each standing step.
        opened: newest opening of the run.
        fault: first contradiction, "" if none.
        redone: steps that were committed more than once, net of voids.
    """

    steps: dict[int, StepCommitted]
    opened: RunOpened | None
    fault: str
    redone: int


def audit_run(
    run: Path, cache: Path, progress: Callable[[int, int], None] | None = None
) -> AuditReport:
    """Audit a run.

    Args:
        run: directory of the run.
        cache: directory of built-in corpora.
        progress: called with (steps done, steps in all).

    Returns:
        The report; a fault found is not an error.

    Raises:
        InputError: there is no journal in `run`.
    """
    directory = RunDirectory(run)
    if not directory.journal.exists():
        raise InputError(f"{run} has no journal; is it the directory of a run?")
    try:
        standing = replay(read_journal(directory.journal))
    except CorruptData as error:
        return AuditReport(str(error), 0, 0, "")
    settings = load_job(directory.job)
    digest = _newest_digest(standing)
    fault = standing.fault or _check_facts(standing, settings, run, digest)
    if fault:
        return AuditReport(fault, len(standing.steps), 0, digest)
    try:
        blocks, fault = _check_blocks(standing, settings, cache, progress or _silent)
    except QmpiError as error:
        blocks, fault = 0, f"the data cannot be read again: {error}"
    return AuditReport(fault or "ok", len(standing.steps), blocks, digest)


def _silent(done: int, of: int) -> None:
    """Tell nobody."""
    del done, of


def replay(records: Iterable[JournalRecord]) -> StandingSteps:
    """Replay a journal.

    Args:
        records: the records in order.

    Returns:
        Which steps stand.
    """
    standing = StandingSteps({}, None, "", 0)
    void: dict[int, StepCommitted] = {}
    for record in records:
        match record:
            case RunOpened():
                standing.opened = record
            case GenerationOpened():
                for step in [s for s in standing.steps if s >= record.step]:
                    void[step] = standing.steps.pop(step)
            case StepCommitted():
                fault = _commit(standing, void, record)
                if fault:
                    standing.fault = fault
                    break
            case _:
                pass
    return standing


def _commit(standing: StandingSteps, void: dict[int, StepCommitted], record: StepCommitted) -> str:
    step = record.step
    if step != len(standing.steps):
        return f"step {step} was committed where step {len(standing.steps)} was due"
    before = void.pop(step, None)
    if before is not None:
        standing.redone += 1
        if before.block_digests != record.block_digests:
            return f"step {step} was done again with other blocks"
        if before.lane_losses != record.lane_losses:
            return f"step {step} was done again with other losses"
        if before.weight_digest != record.weight_digest:
            return f"step {step} was done again to other weights"
    standing.steps[step] = record
    return ""


def _newest_digest(standing: StandingSteps) -> str:
    for step in sorted(standing.steps, reverse=True):
        if standing.steps[step].weight_digest:
            return str(standing.steps[step].weight_digest)
    return ""


def _check_facts(standing: StandingSteps, settings: Settings, run: Path, digest: str) -> str:
    if standing.opened is None:
        return "the journal does not say how the run was opened"
    if standing.opened.settings_digest != settings_digest(settings):
        return "job.toml is not the job that the journal was opened with"
    end = read_end(run)
    if end is not None and end.state == "finished":
        if len(standing.steps) != settings.train.steps:
            return f"{len(standing.steps)} steps stand, but the run has {settings.train.steps}"
        if end.digest != digest:
            return f"the end marker says {end.digest[:16]}, the journal {digest[:16]}"
    return ""


def _check_blocks(
    standing: StandingSteps, settings: Settings, cache: Path, progress: Callable[[int, int], None]
) -> tuple[int, str]:
    opened = standing.opened
    if opened is None:
        return 0, ""
    sources = Sources(settings, cache)
    if sources.open() != opened.sources:
        return 0, "the data sources are not those of the run"
    train = settings.train
    seen: dict[RowAddress, tuple[int, int]] = {}
    blocks = 0
    for step, record in sorted(standing.steps.items()):
        progress(step, len(standing.steps))
        for lane, digest in enumerate(record.block_digests):
            rows = rows_of_block(
                opened.recipes,
                opened.sources,
                Step(step),
                Lane(lane),
                lanes=train.lanes,
                rows_per_block=train.microbatches * train.sequences,
            )
            fault = _leak(opened.sources, rows, (step, lane))
            fault = fault or _count_endless(seen, settings, rows, (step, lane))
            if not fault and sources.build_all(rows)[0] != digest:
                fault = f"block ({step}, {lane}) is not what was trained on"
            if fault:
                return blocks, fault
            blocks += 1
        if len(record.block_digests) != train.lanes:
            return blocks, f"step {step} names {len(record.block_digests)} blocks of {train.lanes}"
    return blocks, ""


def _leak(
    facts: tuple[SourceFact, ...], rows: tuple[RowAddress, ...], block: tuple[int, int]
) -> str:
    for row in rows:
        fact = facts[row.source]
        if is_held_out(fact, row.row):
            return f"row {row.row} of source {fact.name!r} is held out, but in block {block}"
    return ""


def _count_endless(
    seen: dict[RowAddress, tuple[int, int]],
    settings: Settings,
    rows: tuple[RowAddress, ...],
    block: tuple[int, int],
) -> str:
    # A corpus repeats by epoch; rows of an endless source never do.
    for row in rows:
        if isinstance(settings.data.sources[row.source], CorpusSource):
            continue
        if row in seen:
            return f"row {row.row} of source {row.source} is in blocks {seen[row]} and {block}"
        seen[row] = block
    return ""
