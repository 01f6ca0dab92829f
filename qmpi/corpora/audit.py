"""`qmpi audit`: re-derive the stream and prove that each block was trained on exactly once.

Theory of operation. The journal's hash chain is checked first. Then its records are replayed: a
generation that starts at step s voids the committed steps from s on, so each step stands exactly
once in the end, and a step done again must name the same blocks. No block may hold a row that is
held out. Where the user went back, what came after is given up and the steps count by their last
execution; where it went back by itself, it is derived anew that its last step was a spike, and
where the stream goes on. Each block of each standing step is built anew from its address and
compared with the digest of what was trained on, each learning rate is derived anew from the
hyperparameter log, the recipe log from the weights asked for, the loss scale of float16 from the
steps before, each step is judged again by the guard that held, and the updates are counted. Last,
the weight digests that the status and the end marker name must be the journal's.
"""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.data import CorpusSource
from qmpi.config.identity import with_hyperparameters
from qmpi.config.load import load_job, settings_digest
from qmpi.config.settings import Settings
from qmpi.corpora.scales import check_scales
from qmpi.corpora.sources import Sources
from qmpi.corpora.standing import StandingSteps, check_training, replay
from qmpi.errors import CorruptData, InputError, QmpiError
from qmpi.policy.added_sources import facts_of, sources_of, with_added
from qmpi.policy.curriculum.proof import curriculum_fault
from qmpi.policy.held_out import is_held_out
from qmpi.policy.hyperparameters import (
    Log,
    block_of,
    changes,
    first_hyperparameters,
    lanes_of,
)
from qmpi.policy.recipe_proof import recipes_fault
from qmpi.policy.recipes import contents, course_of
from qmpi.policy.recipes import standing as held_by_step
from qmpi.policy.stream import numbered_rows
from qmpi.protocol.added import AddedSource
from qmpi.protocol.journal import (
    RunReshaped,
)
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.progress import is_skipped, undefined_lanes
from qmpi.protocol.recipe import RecipeReport, RowAddress
from qmpi.protocol.roll_back import RollBack
from qmpi.storage.journal import read_journal
from qmpi.storage.replay_file import read_replay
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.status_file import read_end
from qmpi.units import Digest


class AuditReport(Struct, frozen=True):
    """Result of an audit.

    Attributes:
        audit: "ok", or the first fault in words; that most updates were skipped is one.
        steps: steps that stand in the journal.
        blocks: blocks whose digest was derived again and found equal.
        digest: newest weight digest.
        updates: steps that changed the weights.
        skipped: steps that did not, since their gradient was not finite.
        undefined_lanes: losses of lanes that are not finite; they are in no mean.
        redone_passes: passes repeated because a scale overflowed.
        wait_share: share of the time spent waiting for blocks; None without a step.
        gradient_norm: of the last update, before clipping; None if there is none.
        learning_rate: of the last step; None if there is none.
        changes: what changed at which step, in words.
        went_back: steps that the user went back to, in order.
        spikes: steps whose update was left out, since loss or norm stood out.
        roll_backs: each time that the run went back by itself, in order.
        reshaped: each time that its state was cut for another layout, in order. Blocks are derived
            anew before and after it; that the state was carried over is what its digest says.
        recipes: weights of the sources, by the step from which they hold.
    """

    audit: str
    steps: int
    blocks: int
    digest: str
    updates: int = 0
    skipped: int = 0
    undefined_lanes: int = 0
    redone_passes: int = 0
    wait_share: float | None = None
    gradient_norm: float | None = None
    learning_rate: float | None = None
    changes: tuple[str, ...] = ()
    went_back: tuple[int, ...] = ()
    spikes: int = 0
    roll_backs: tuple[RollBack, ...] = ()
    reshaped: tuple[RunReshaped, ...] = ()
    recipes: tuple[RecipeReport, ...] = ()


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
        InputError: there is no journal in `run`, or no job.
    """
    directory = RunDirectory(run)
    if not directory.journal.exists():
        raise InputError(f"{run} has no journal; is it the directory of a run?")
    try:
        standing = replay(read_journal(directory.journal))
    except CorruptData as error:
        return AuditReport(str(error), 0, 0, "")
    settings = load_job(directory.require_job())
    begun = load_job(directory.begun) if directory.begun.exists() else settings
    log = standing.log or (first_hyperparameters(begun),)
    as_begun = with_hyperparameters(
        settings, begun.train.steps, begun.optimizer, begun.guard, begun.batch
    )
    fault = standing.fault or _check_facts(standing, settings_digest(as_begun), run, log)
    fault = fault or check_training(standing.steps, log, is_logged=bool(standing.log))
    fault = fault or check_scales(standing.steps, settings.train.precision)
    fault = fault or check_recipes(standing, settings)
    fault = fault or curriculum_fault(standing.steps, standing.recipes, log, settings)
    if fault:
        return _report(fault, standing, 0, log)
    try:
        blocks, fault = _check_blocks(standing, log, settings, cache, progress or _silent)
    except QmpiError as error:
        blocks, fault = 0, f"the data cannot be read again: {error}"
    names = [source.name for source in with_added(settings, standing.added).data.sources]
    told = tuple(contents(recipe, names) for recipe in held_by_step(standing.recipes))
    return replace(_report(fault or "ok", standing, blocks, log), recipes=told)


def check_recipes(standing: StandingSteps, settings: Settings) -> str:
    """Derive the recipe log anew, each time that it was told.

    Args:
        standing: the journal, replayed.
        settings: the job, as its file has it.

    Returns:
        The first fault in words; "" if there is none.
    """
    known: tuple[AddedSource, ...] = ()
    for before, after, log, steps, added in standing.drawn:
        if added[: len(known)] != known:
            return "sources that were added to the run are others later"
        known = added
        course = course_of(settings, log)
        fault = recipes_fault(before, after, with_added(settings, added), course, steps)
        if fault:
            return fault
    return ""


def _report(verdict: str, standing: StandingSteps, blocks: int, log: Log) -> AuditReport:
    steps = [record for _, record in sorted(standing.steps.items())]
    finite = [step for step in steps if not is_skipped(step.gradient_norm)]
    norms = [step.gradient_norm for step in finite if not step.spike]
    skipped = len(steps) - len(finite)
    waited, worked = sum(s.wait_seconds for s in steps), sum(s.seconds for s in steps)
    if verdict == "ok" and 2 * skipped > len(steps):
        verdict = (
            f"most updates were skipped: {skipped} of {len(steps)} steps had a gradient that is "
            "not finite, so the run has hardly been trained (its blocks are in order)"
        )
    return AuditReport(
        verdict,
        len(steps),
        blocks,
        _newest_digest(standing),
        updates=len(norms),
        skipped=skipped,
        undefined_lanes=sum(undefined_lanes(step.lane_losses) for step in steps),
        redone_passes=sum(step.redone for step in steps),
        wait_share=waited / (waited + worked) if waited + worked else None,
        gradient_norm=norms[-1] if norms else None,
        learning_rate=steps[-1].learning_rate if steps else None,
        changes=changes(log),
        went_back=standing.went_back,
        spikes=len(finite) - len(norms),
        roll_backs=standing.roll_backs,
        reshaped=standing.reshaped,
    )


def _silent(done: int, of: int) -> None:
    """Tell nobody."""
    del done, of


def _newest_digest(standing: StandingSteps) -> str:
    for step in sorted(standing.steps, reverse=True):
        if standing.steps[step].weight_digest:
            return str(standing.steps[step].weight_digest)
    return ""


def _check_facts(standing: StandingSteps, job: Digest, run: Path, log: Log) -> str:
    if standing.opened is None:
        return "the journal does not say how the run was opened"
    if standing.opened.settings_digest != job:
        return "job.toml is not the job that the journal was opened with"
    end, digest = read_end(run), _newest_digest(standing)
    if end is not None and end.state == "finished":
        replayed = read_replay(RunDirectory(run).replay)
        due = log[-1].steps if replayed is None else replayed.steps
        if len(standing.steps) != due:
            return f"{len(standing.steps)} steps stand, but the run has {due}"
        if end.digest not in {"", digest}:
            return f"the end marker says {end.digest[:16]}, the journal {digest[:16]}"
    return ""


def _check_blocks(
    standing: StandingSteps,
    log: Log,
    settings: Settings,
    cache: Path,
    progress: Callable[[int, int], None],
) -> tuple[int, str]:
    opened = standing.opened
    if opened is None:
        return 0, ""
    sources, facts = Sources(settings, cache), facts_of(replace(opened, added=standing.added))
    if sources.add(sources_of(standing.added)) != facts:
        return 0, "the data sources are not those of the run"
    settings = with_added(settings, standing.added)
    fault = sources.packing_fault()
    if fault:
        return 0, fault
    train = settings.train
    seen: dict[RowAddress, tuple[int, int]] = {}
    blocks = 0
    for step, record in sorted(standing.steps.items()):
        progress(step, len(standing.steps))
        for lane, digest in enumerate(record.block_digests):
            rows = numbered_rows(
                standing.recipes,
                facts,
                block_of(log, step, lane, train.lanes),
                train.microbatches * train.sequences,
            )
            fault = _leak(facts, rows, (step, lane))
            fault = fault or _count_endless(seen, settings, rows, (step, lane))
            if not fault and sources.build_all(rows)[0] != digest:
                fault = f"block ({step}, {lane}) is not what was trained on"
            if fault:
                return blocks, fault
            blocks += 1
        many = lanes_of(log, step, train.lanes)
        if len(record.block_digests) != many:
            return blocks, f"step {step} names {len(record.block_digests)} blocks of {many}"
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
