"""`qmpi evaluate`: what a checkpoint makes of held-out text and of problems.

Theory of operation. What is measured follows from the job, the number of tokens and the number of
problems; so the result is kept beside the run, and asked for again it is read. It is measured anew
when the checkpoint holds another state, or the held-out text is another.
"""

import hashlib
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.load import load_job, settings_digest
from qmpi.config.settings import Settings
from qmpi.content.address import GENERATOR_VERSION
from qmpi.corpora.exam import Exam
from qmpi.corpora.held_out import HeldOutRows, read_held_out
from qmpi.corpora.leaks import leaked, overlap_with
from qmpi.corpora.sources import Sources
from qmpi.errors import CorruptData, InputError
from qmpi.exchange.checkpoint import read_checkpoint
from qmpi.policy.scoring import Label, bits_per_byte, counts, means
from qmpi.protocol.evaluation import Evaluation
from qmpi.protocol.journal import RunOpened
from qmpi.storage.evaluation_file import (
    KeptEvaluation,
    evaluation_path,
    read_evaluation,
    write_evaluation,
)
from qmpi.storage.journal import read_journal
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.snapshot_file import read_header
from qmpi.storage.snapshot_store import snapshot_path, step_of
from qmpi.units import Digest, Step

if TYPE_CHECKING:
    from qmpi.training.evaluation import Evaluator

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and of how much."""

MEASURE_VERSION = 1
"""Of what is measured and how; raised when equal questions would give other numbers."""


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
        tell: told, in words, if a newer checkpoint is damaged.
        progress: told how far it is.

    Returns:
        What was measured, or was measured before.

    Raises:
        InputError: no such run or checkpoint, or nothing to measure.
        CorruptData: every checkpoint that could be taken is damaged.
    """
    directory = RunDirectory(run)
    if not directory.job.exists():
        raise InputError(f"{run} is not the directory of a run: it has no job.toml")
    settings = load_job(directory.job)
    if asked.tokens < 1 and asked.problems < 1:
        raise InputError("there is nothing to measure: ask for tokens or problems")
    kept = None if asked.again else _kept(directory, asked, settings)
    if kept is not None:
        return kept
    checkpoint = read_checkpoint(run, asked.step, tell)
    result = _Measurement(directory, settings, asked, cache, progress).of(
        checkpoint.header.step, checkpoint.payload
    )
    text = _text_identity(settings)
    kept = KeptEvaluation(checkpoint.header.digest, asked.tokens, asked.problems, text, result)
    write_evaluation(directory.evaluations, kept)
    return result


def _checkpoint(directory: RunDirectory, step: int) -> Path:
    path = snapshot_path(directory.checkpoints, Step(step))
    if not path.exists():
        there = ", ".join(str(step_of(Path(name).name)) for name in directory.checkpoint_names())
        raise InputError(
            f"{directory.root} has no checkpoint of step {step}; there are: {there or 'none'}"
        )
    return path


# The result that is kept of just these questions; None if there is none.
def _kept(directory: RunDirectory, asked: Asked, settings: Settings) -> Evaluation | None:
    names = directory.checkpoint_names()
    if not names:
        return None
    newest = Path(names[-1])
    path = newest if asked.step is None else _checkpoint(directory, asked.step)
    found = evaluation_path(directory.evaluations, Step(step_of(path.name)))
    try:
        kept = read_evaluation(found) if found.exists() else None
        state = read_header(path).digest
    except CorruptData:
        # A damaged checkpoint is told when it is read; a damaged result is measured again.
        return None
    wanted = (state, asked.tokens, asked.problems, _text_identity(settings))
    if kept is None or (kept.state, kept.tokens, kept.problems, kept.text) != wanted:
        return None
    if asked.leaks and asked.tokens and kept.result.leaked_rows is None:
        return None
    return kept.result


def _text_identity(settings: Settings) -> Digest:
    spelled = f"{MEASURE_VERSION} {GENERATOR_VERSION} {settings_digest(settings)}"
    return Digest(hashlib.sha256(spelled.encode()).hexdigest())


class _Row(NamedTuple):
    label: Label
    nats: float
    bytes: float
    tokens: float


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

    def of(self, step: int, payload: memoryview) -> Evaluation:
        # Loaded here: torch takes seconds, and a wrong argument should be told at once.
        from qmpi.training.evaluation import Evaluator
        from qmpi.training.sample import load_model

        model = load_model(self._settings, payload)
        evaluator = Evaluator(model, self._settings.train.sequence_tokens)
        self._progress("opening the sources", 0, 0)
        self._sources.open()
        held = self._held_out()
        rows = self._losses(evaluator, held)
        answers = self._answers(evaluator)
        weights = {source.name: source.weight for source in self._settings.data.sources}
        nats = means(((r.label, r.nats, r.tokens) for r in rows), weights)
        size = means(((r.label, r.bytes, r.tokens) for r in rows), weights)
        result = Evaluation(
            step=step,
            loss=nats,
            bits_per_byte=bits_per_byte(nats, size),
            accuracy=means(answers, {}),
            tokens=counts((r.label, r.nats, r.tokens) for r in rows),
            problems=counts(answers),
            left_out=held.left_out if held is not None else (),
        )
        return self._searched(result, held) if held is not None and self._asked.leaks else result

    def _held_out(self) -> HeldOutRows | None:
        if self._asked.tokens < 1:
            return None
        self._progress("reading held-out text", 0, 0)
        return read_held_out(self._settings, self._sources, self._asked.tokens)

    def _losses(self, evaluator: "Evaluator", held: HeldOutRows | None) -> list[_Row]:
        if held is None:
            return []
        told = _counter("held-out text", len(held.labels), self._progress)
        losses = evaluator.row_losses(held.block, len(held.labels), told)
        length = self._settings.train.sequence_tokens
        return [
            _Row(label, nats, size, length)
            for label, nats, size in zip(held.labels, losses, held.sizes, strict=True)
        ]

    def _answers(self, evaluator: "Evaluator") -> list[tuple[Label, float, float]]:
        wanted = self._asked.problems
        if wanted < 1:
            return []
        told = _counter("posing problems", wanted, self._progress)
        exam = Exam(self._settings, self._sources.tokenizer, wanted, told)
        questions = exam.questions
        added = evaluator.continuations(
            [question.prompt for question in questions],
            [question.budget for question in questions],
            exam.ended,
            _counter("answering problems", len(questions), self._progress),
        )
        right = exam.judge(added)
        return [(q.label, float(r), 1.0) for q, r in zip(questions, right, strict=True)]

    def _searched(self, result: Evaluation, held: HeldOutRows) -> Evaluation:
        openings = [r for r in read_journal(self._directory.journal) if isinstance(r, RunOpened)]
        told = _counter("looking for leaks", result.step, self._progress)
        found = overlap_with(
            self._sources, self._settings, openings[-1], result.step, held.block, told
        )
        shares = zip(held.labels, found.shares, strict=True)
        overlap = means(((label, share, 1.0) for label, share in shares), {})
        return replace(result, overlap=overlap, leaked_rows=len(leaked(found)))


def _counter(what: str, of: int, progress: Progress) -> Callable[[int], None]:
    done = count()

    def told(more: int) -> None:
        for _ in range(more):
            progress(what, next(done) + 1, of)

    return told
