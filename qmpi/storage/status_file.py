"""RUN/status.json and RUN/end.json: small JSON files for people and scripts.

Theory of operation: both are written whole and renamed into place, so a reader that polls never
sees half a report. The status is rewritten every second and need not survive a power cut; the end
marker is the only proof of success and does.
"""

from pathlib import Path
from typing import TypeVar

import msgspec

from qmpi.errors import CorruptData
from qmpi.protocol.status import EndMarker, StatusReport
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.os_errors import explained, require_file
from qmpi.storage.run_directory import RunDirectory

LARGEST_BYTES = 64 << 20
"""A status of a hundred thousand ranks by name is a third of it."""

_MEND = "remove it; a run that goes on, or `qmpi train --resume`, writes it again"

_Report = TypeVar("_Report", StatusReport, EndMarker)


def write_status(run: Path, report: StatusReport) -> None:
    """Replace the status report.

    Args:
        run: directory of the run.
        report: the new report.

    Raises:
        StorageError: it cannot be written.
    """
    write_atomic(RunDirectory(run).status, msgspec.json.encode(report) + b"\n", durable=False)


def read_status(run: Path) -> StatusReport:
    """The newest status report.

    Args:
        run: directory of the run.

    Returns:
        The report.

    Raises:
        StorageError: there is none, or it cannot be read.
        CorruptData: the file is not a status report.
    """
    path = RunDirectory(run).status
    with explained("read the status", path):
        require_file(path)
        data = _small(path)
    return _decode(data, path, StatusReport)


def write_end(run: Path, marker: EndMarker) -> None:
    """Write the end marker.

    Args:
        run: directory of the run.
        marker: why the run ended.

    Raises:
        StorageError: it cannot be written.
    """
    write_atomic(RunDirectory(run).end, msgspec.json.encode(marker) + b"\n", durable=True)


def read_end(run: Path) -> EndMarker | None:
    """The end marker.

    Args:
        run: directory of the run.

    Returns:
        The marker; None while the run has not ended on purpose.

    Raises:
        StorageError: it cannot be read.
        CorruptData: the file is not an end marker.
    """
    path = RunDirectory(run).end
    with explained("read the end marker", path):
        require_file(path)
        try:
            data = _small(path)
        except FileNotFoundError:
            return None
    return _decode(data, path, EndMarker)


EndStamp = tuple[int, int] | None
"""Tells an end marker from one that was written later; None: there is none."""


def end_stamp(run: Path) -> EndStamp:
    """Return the stamp of the end marker, whatever it holds.

    Args:
        run: directory of the run.

    Returns:
        Its inode and time of writing; it is replaced as a whole, never changed.

    Raises:
        StorageError: it cannot be looked at.
    """
    path = RunDirectory(run).end
    with explained("read the end marker", path):
        try:
            found = path.stat()
        except FileNotFoundError:
            return None
    return found.st_ino, found.st_mtime_ns


def clear_end(run: Path) -> None:
    """Remove the end marker, before the run goes on.

    Args:
        run: directory of the run.

    Raises:
        StorageError: it exists and cannot be removed.
    """
    path = RunDirectory(run).end
    with explained("remove", path):
        path.unlink(missing_ok=True)


def _small(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(LARGEST_BYTES + 1)
    if len(data) > LARGEST_BYTES:
        raise CorruptData(f"{path} is damaged (larger than {LARGEST_BYTES} bytes); {_MEND}")
    return data


def _decode(data: bytes, path: Path, kind: type[_Report]) -> _Report:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise CorruptData(f"{path} is damaged ({error}); {_MEND}") from error
