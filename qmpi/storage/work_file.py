"""Files of a work farm's directory: the description of the work, and what came of it.

Theory of operation. The work directory holds what a run directory holds (status, end marker, lock,
logs) and `work.json`, from which every rank opens the plan by itself; `result.json` is written when
all is done.
"""

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from qmpi.config.settings import FailureSettings
from qmpi.errors import CorruptData
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained, require_file

WORK_NAME = "work.json"
RESULT_NAME = "result.json"


class WorkFile(Struct, frozen=True, kw_only=True):
    """work.json.

    Attributes:
        kind: of plan: "generate" or "ingest".
        name: for the status and people.
        plan: description of the plan, plain JSON values; equal descriptions give equal results.
        failure: beats, limits of silence, relaunches; may differ between two starts.
    """

    kind: str
    name: str
    plan: dict[str, Any]
    failure: FailureSettings = FailureSettings()


def read_work(path: Path) -> WorkFile:
    """Read a description.

    Args:
        path: work.json.

    Returns:
        The work.

    Raises:
        CorruptData: it is damaged.
        StorageError: it cannot be read.
    """
    with explained("read the work", path):
        require_file(path)
        data = path.read_bytes()
    try:
        return msgspec.json.decode(data, type=WorkFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptData(f"{path} is damaged ({error}); remove it to begin again") from error


def write_result(directory: Path, result: dict[str, Any]) -> None:
    """Write what `WorkPlan.finish` returned.

    Args:
        directory: the work directory.
        result: plain JSON values.
    """
    write_atomic(directory / RESULT_NAME, msgspec.json.encode(result))


def read_result(directory: Path) -> dict[str, Any]:
    """Read what `WorkPlan.finish` returned.

    Args:
        directory: the work directory of finished work.

    Returns:
        The result.

    Raises:
        CorruptData: it is damaged.
        StorageError: it cannot be read.
    """
    path = directory / RESULT_NAME
    with explained("read the result", path):
        require_file(path)
        data = path.read_bytes()
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptData(f"{path} is damaged ({error})") from error
