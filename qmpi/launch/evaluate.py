"""`qmpi evaluate`: what a checkpoint makes of held-out text and of problems.

Theory of operation. What is measured follows from the job, the number of tokens and the number of
problems; so the result is kept beside the run, and asked for again it is read. It is measured anew
when the checkpoint holds another state, or the held-out text is another. That it cannot be kept
does not take it from who asked.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.ladder import generated_sources
from qmpi.config.load import settings_digest
from qmpi.config.settings import Settings
from qmpi.content.address import GENERATOR_VERSION
from qmpi.corpora.held_out import HeldOutRows
from qmpi.corpora.leaks import leaked, overlap_with
from qmpi.corpora.paper import Paper, Progress, counter, make_paper
from qmpi.corpora.sources import Sources
from qmpi.corpora.tokenizer import find_kinds
from qmpi.errors import InputError, StorageError
from qmpi.exchange.checkpoint import (
    checkpoint_steps,
    files_of,
    read_checkpoint,
    require_step,
    run_settings,
)
from qmpi.policy.scoring import evaluation_of, means
from qmpi.protocol.evaluation import Evaluation, Marks
from qmpi.protocol.journal import (
    HyperparametersChanged,
    JournalRecord,
    RecipesChanged,
    RunOpened,
    RunReshaped,
)
from qmpi.protocol.teams import whole_digest
from qmpi.storage.evaluation_file import (
    KeptEvaluation,
    evaluation_path,
    read_evaluation,
    write_evaluation,
)
from qmpi.storage.journal import read_journal
from qmpi.storage.os_errors import explained
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.snapshot_file import read_header
from qmpi.units import Digest

if TYPE_CHECKING:
    from qmpi.training.evaluation import Evaluator

MEASURE_VERSION = 3
"""Of what is measured and how; raised when equal questions would give other numbers."""


NO_SETTER = "no problem can be asked: the run has no generated source, and only these set problems"
NONE_FITS = "no problem was asked: the sources set none that fits a sequence"


class Asked(Struct, frozen=True):
    """What to measure.

    Attributes:
        step: of the checkpoint; None: the newest.
        tokens: held-out tokens of all sources together, >= 0.
        problems: of all generated sources together, >= 0.
        again: measure although a result is kept.
        leaks: look for the held-out text in what was trained on.
    """

    step: int | None = None
    tokens: int = 65_536
    problems: int = 200
    again: bool = False
    leaks: bool = False


def evaluate_run(
    run: Path, asked: Asked, cache: Path, tell: Callable[[str], None], progress: Progress
) -> Evaluation:
    """Evaluate a checkpoint of a run.

    Args:
        run: directory of the run, finished or running.
        asked: what to measure.
        cache: directory of built-in corpora.
        tell: told, in words, if a newer checkpoint is damaged, or the result cannot be kept.
        progress: told how far it is.

    Returns:
        What was measured, or was measured before.

    Raises:
        InputError: no such run or checkpoint, or nothing that can be measured.
        CorruptData: every checkpoint that could be taken is damaged.
    """
    directory = RunDirectory(run)
    settings = run_settings(run)
    _check_asked(asked, settings)
    kept = None if asked.again else _kept(directory, asked, settings)
    if kept is not None:
        return kept
    checkpoint = read_checkpoint(run, settings.parallel.team_size, asked.step, tell)
    result = _Measurement(directory, settings, asked, cache, progress).of(
        checkpoint.step, checkpoint.payloads
    )
    text = _text_identity(settings)
    kept = KeptEvaluation(checkpoint.digest, asked.tokens, asked.problems, text, result)
    try:
        write_evaluation(directory.evaluations, kept)
    except StorageError as error:
        tell(f"the result is not kept: {error}")
    return result


def why_no_problem(run: Path, asked: Asked, result: Evaluation) -> str:
    """Say why an evaluation has no answers.

    Args:
        run: directory of the run.
        asked: what was measured.
        result: of it.

    Returns:
        Text for people; "" if there are answers, or none were asked for.
    """
    if asked.problems < 1 or result.problems.overall:
        return ""
    return NONE_FITS if _sets_problems(run_settings(run)) else NO_SETTER


def _check_asked(asked: Asked, settings: Settings) -> None:
    if asked.tokens < 1 and asked.problems < 1:
        raise InputError("there is nothing to measure: ask for tokens or problems")
    if asked.leaks and asked.tokens < 1:
        raise InputError("--leaks looks for held-out text: ask for some, --tokens N")
    if asked.tokens < 1 and not _sets_problems(settings):
        raise InputError(f"{NO_SETTER}; ask for held-out text: --tokens N")


def _sets_problems(settings: Settings) -> bool:
    return bool(generated_sources(settings.data))


# The result that is kept of just these questions; None if there is none.
def _kept(directory: RunDirectory, asked: Asked, settings: Settings) -> Evaluation | None:
    steps = checkpoint_steps(directory)
    if not steps:
        return None
    step = require_step(directory, steps[-1] if asked.step is None else asked.step)
    found = evaluation_path(directory.evaluations, step)
    try:
        with explained("look at", found):
            is_there = found.exists()
        kept = read_evaluation(found) if is_there else None
        files = files_of(directory, step, settings.parallel.team_size)
        state = whole_digest([read_header(file).digest for file in files])
    except StorageError:
        # Told when the checkpoint is read; a result that cannot be read is measured again.
        return None
    wanted = (state, asked.tokens, asked.problems, _text_identity(settings))
    if kept is None or (kept.state, kept.tokens, kept.problems, kept.text) != wanted:
        return None
    if asked.leaks and asked.tokens and kept.result.leaked_rows is None:
        return None
    if kept.result.problems.overall and not kept.result.levels:
        return None  # kept by a version that did not count by level
    return kept.result


def _text_identity(settings: Settings) -> Digest:
    spelled = f"{MEASURE_VERSION} {GENERATOR_VERSION} {settings_digest(settings)}"
    return Digest(hashlib.sha256(spelled.encode()).hexdigest())


class _Measurement:
    def __init__(
        self,
        directory: RunDirectory,
        settings: Settings,
        asked: Asked,
        cache: Path,
        progress: Progress,
    ) -> None:
        self._directory, self._settings, self._asked = directory, settings, asked
        self._sources, self._progress = Sources(settings, cache), progress
        self._cache = cache

    def of(self, step: int, payloads: Sequence[memoryview]) -> Evaluation:
        # Loaded here: torch takes seconds, and a wrong argument should be told at once.
        from qmpi.training.evaluation import Evaluator
        from qmpi.training.sample import load_model

        settings, asked = self._settings, self._asked
        kinds = find_kinds(settings, self._cache)
        model = load_model(settings, payloads, kinds.divider)
        evaluator = Evaluator(model, settings.train.sequence_tokens, answers=kinds.answers)
        paper = make_paper(settings, self._sources, asked.tokens, asked.problems, self._progress)
        if not (paper.rows or paper.prompts):
            raise InputError(f"{NONE_FITS} of {settings.train.sequence_tokens} tokens")
        weights = {source.name: source.weight for source in settings.data.sources}
        marks = [*self._losses(evaluator, paper), *self._answers(evaluator, paper)]
        result = evaluation_of(step, marks, weights, paper.left_out)
        return self._searched(result, paper.held) if paper.held and asked.leaks else result

    def _losses(self, evaluator: "Evaluator", paper: Paper) -> Iterable[Marks]:
        told = counter("held-out text", paper.rows, self._progress)
        losses = evaluator.measured(paper.block(0, paper.rows), paper.rows, told)
        return paper.marks_of_rows(0, losses)

    def _answers(self, evaluator: "Evaluator", paper: Paper) -> Iterable[Marks]:
        many = len(paper.prompts)
        told = counter("answering problems", many, self._progress)
        added = evaluator.continuations(paper.prompts, paper.budgets, paper.ended, told)
        return paper.marks_of_answers(range(many), added)

    def _searched(self, result: Evaluation, held: HeldOutRows) -> Evaluation:
        opened = newest_opening(read_journal(self._directory.journal))
        told = counter("looking for leaks", result.step, self._progress)
        found = overlap_with(self._sources, self._settings, opened, result.step, held.block, told)
        shares = zip(held.labels, found.shares, strict=True)
        overlap = means(((label, share, 1.0) for label, share in shares), {})
        return replace(result, overlap=overlap, leaked_rows=len(leaked(found)))


def newest_opening(history: Iterable[JournalRecord]) -> RunOpened:
    """Return the newest opening of a run, with its logs and its sources as they stand.

    Args:
        history: the journal of a run that has begun.

    Raises:
        InputError: it has not.
    """
    opened: RunOpened | None = None
    for record in history:
        if isinstance(record, RunOpened):
            opened = record
        elif isinstance(record, HyperparametersChanged | RunReshaped) and opened is not None:
            opened = replace(opened, hyperparameters=record.hyperparameters)
        elif isinstance(record, RecipesChanged) and opened is not None:
            log = record.log_after(opened.recipes)
            opened = replace(opened, recipes=log, added=record.added)
    if opened is None:
        raise InputError("the journal does not say how the run was opened")
    return opened
