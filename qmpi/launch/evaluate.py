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

from qmpi.config.load import load_job, settings_digest
from qmpi.config.settings import Settings
from qmpi.content.address import GENERATOR_VERSION
from qmpi.corpora.exam import Exam
from qmpi.corpora.held_out import read_held_out
from qmpi.corpora.tokenizer import open_tokenizer
from qmpi.errors import CorruptData, InputError
from qmpi.launch.sample import read_newest
from qmpi.policy.scoring import Label, bits_per_byte, counts, means
from qmpi.protocol.evaluation import Evaluation
from qmpi.storage.evaluation_file import (
    KeptEvaluation,
    evaluation_path,
    read_evaluation,
    write_evaluation,
)
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.snapshot_file import read_header, read_payload
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
    """

    step: int | None = None
    tokens: int = 65_536
    problems: int = 200
    again: bool = False


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
    if asked.step is None:
        payload = read_newest(directory, tell)
    else:
        payload = read_payload(_checkpoint(directory, asked.step))
    result = _measure(settings, payload, asked, cache, progress)
    state = read_header(snapshot_path(directory.checkpoints, Step(result.step))).digest
    text = _text_identity(settings)
    kept = KeptEvaluation(state, asked.tokens, asked.problems, text, result)
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
    return kept.result


def _text_identity(settings: Settings) -> Digest:
    spelled = f"{MEASURE_VERSION} {GENERATOR_VERSION} {settings_digest(settings)}"
    return Digest(hashlib.sha256(spelled.encode()).hexdigest())


def _measure(
    settings: Settings, payload: memoryview, asked: Asked, cache: Path, progress: Progress
) -> Evaluation:
    # Loaded here: torch takes seconds, and a wrong argument should be told at once.
    from qmpi.training.evaluation import Evaluator

    evaluator = Evaluator(settings, payload)
    rows, left_out = _losses(evaluator, settings, asked.tokens, cache, progress)
    answers = _answers(evaluator, settings, asked.problems, cache, progress)
    weights = {source.name: source.weight for source in settings.data.sources}
    nats = means(((r.label, r.nats, r.tokens) for r in rows), weights)
    size = means(((r.label, r.bytes, r.tokens) for r in rows), weights)
    return Evaluation(
        step=evaluator.step,
        loss=nats,
        bits_per_byte=bits_per_byte(nats, size),
        accuracy=means(answers, {}),
        tokens=counts((r.label, r.nats, r.tokens) for r in rows),
        problems=counts(answers),
        left_out=left_out,
    )


class _Row(NamedTuple):
    label: Label
    nats: float
    bytes: float
    tokens: float


def _losses(
    evaluator: "Evaluator", settings: Settings, tokens: int, cache: Path, progress: Progress
) -> tuple[list[_Row], tuple[str, ...]]:
    if tokens < 1:
        return [], ()
    progress("reading held-out text", 0, 0)
    held = read_held_out(settings, cache, tokens)
    told = _counter("held-out text", len(held.labels), progress)
    losses = evaluator.row_losses(held.block, len(held.labels), told)
    length = settings.train.sequence_tokens
    rows = [
        _Row(label, nats, size, length)
        for label, nats, size in zip(held.labels, losses, held.sizes, strict=True)
    ]
    return rows, held.left_out


def _answers(
    evaluator: "Evaluator", settings: Settings, problems: int, cache: Path, progress: Progress
) -> list[tuple[Label, float, float]]:
    if problems < 1:
        return []
    tokenizer = open_tokenizer(settings, cache)
    exam = Exam(settings, tokenizer, problems, _counter("posing problems", problems, progress))
    questions = exam.questions
    added = evaluator.continuations(
        [question.prompt for question in questions],
        [question.budget for question in questions],
        exam.ended,
        _counter("answering problems", len(questions), progress),
    )
    right = exam.judge(added)
    return [(q.label, float(r), 1.0) for q, r in zip(questions, right, strict=True)]


def _counter(what: str, of: int, progress: Progress) -> Callable[[int], None]:
    done = count()

    def told(more: int) -> None:
        for _ in range(more):
            progress(what, next(done) + 1, of)

    return told
