"""Evaluations of a run that were asked for: one JSON file a step, kept beside the checkpoints."""

import logging
from pathlib import Path

import msgspec

from qmpi.errors import CorruptData
from qmpi.protocol.evaluation import Evaluation
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained
from qmpi.units import Digest, Step

logger = logging.getLogger(__name__)


class KeptEvaluation(msgspec.Struct, frozen=True):
    """An evaluation and what was asked.

    Attributes:
        state: digest of the checkpoint's payload.
        tokens: held-out tokens asked for.
        problems: problems asked for.
        text: identity of the held-out text.
        result: what was measured.
    """

    state: Digest
    tokens: int
    problems: int
    text: Digest
    result: Evaluation


def evaluation_path(folder: Path, step: Step) -> Path:
    """Return where the evaluation of a step lies.

    Args:
        folder: of the run's evaluations.
        step: weights are those before this step.

    Returns:
        A path; names sort by step.
    """
    return folder / f"step-{step:020d}.json"


def write_evaluation(folder: Path, kept: KeptEvaluation) -> None:
    """Keep an evaluation; an older one of the same step gives way.

    Args:
        folder: of the run's evaluations; made if need be.
        kept: the evaluation.

    Raises:
        StorageError: it cannot be written.
    """
    with explained("make the directory of evaluations", folder):
        folder.mkdir(exist_ok=True)
    path = evaluation_path(folder, Step(kept.result.step))
    write_atomic(path, msgspec.json.encode(kept) + b"\n")


def read_evaluation(path: Path) -> KeptEvaluation:
    """Read an evaluation.

    Args:
        path: of its file.

    Returns:
        What was kept.

    Raises:
        StorageError: it cannot be read.
        CorruptData: it is none.
    """
    with explained("read the evaluation", path):
        data = path.read_bytes()
    try:
        return msgspec.json.decode(data, type=KeptEvaluation)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptData(f"{path} is damaged ({error}); remove it, and evaluate again") from error


def read_evaluations(folder: Path) -> list[KeptEvaluation]:
    """Read all evaluations of a run that can be read.

    Args:
        folder: of the run's evaluations; may be missing.

    Returns:
        By step.
    """
    found: list[KeptEvaluation] = []
    for path in sorted(folder.glob("step-*.json")):
        try:
            found.append(read_evaluation(path))
        except CorruptData as error:
            logger.warning("an evaluation is passed over: %s", error)
    return found
