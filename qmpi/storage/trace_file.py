"""Traces of profiles: Chrome's JSON format, compressed, one file a rank; and several as one.

Theory of operation. A trace names processes by their ids, which mean nothing on another host. So a
rank's own processes are given its name when its file is written; and when files are joined, each
process gets a number of its own and each flow an id of its own. Times count from a moment that each
file names; joined, they count from that of the first. Clocks of hosts may differ by a little.

    https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

import gzip
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from qmpi.errors import CorruptData
from qmpi.storage.atomic_file import temporary_name, write_atomic
from qmpi.storage.os_errors import explained, require_file
from qmpi.units import Rank

Trace = dict[str, Any]
"""A trace as JSON: {"traceEvents": [...], "baseTimeNanoseconds": ..., ...}."""

LEVEL = 4
"""Of gzip: a trace is repetitive, and its rank has other work."""

ROOM = 1000
"""Process numbers kept for a rank in a joined trace."""


class TraceFolder:
    """Where one rank writes its traces: RUN/profiles/NAME/rank-00003.json.gz."""

    def __init__(self, root: Path, rank: Rank, host: str) -> None:
        """Name the folder; touches nothing.

        Args:
            root: RUN/profiles.
            rank: this rank.
            host: its machine.
        """
        self._root = root
        self._rank = rank
        self._label = f"rank {rank} on {host}"

    def write(self, name: str, record: Callable[[Path], None]) -> Path:
        """Write a trace.

        Args:
            name: of the profile.
            record: writes plain JSON into the file that it is given.

        Returns:
            The file.

        Raises:
            StorageError: it cannot be written.
            CorruptData: what `record` wrote is no trace.
        """
        path = self._root / name / f"rank-{self._rank:05d}.json.gz"
        with explained("make the folder of profiles", path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        plain = temporary_name(path.with_suffix(".plain"))
        try:
            with explained("write the trace", plain):
                plain.touch()  # whoever records may name no cause where it cannot write
            record(plain)
            with explained("read", plain):
                trace = _decoded(plain.read_bytes(), plain)
        finally:
            with explained("remove", plain):
                plain.unlink(missing_ok=True)
        _label(trace["traceEvents"], self._label)
        trace["rank"] = int(self._rank)
        write_trace(path, trace)
        return path


def write_trace(path: Path, trace: Trace) -> None:
    """Write a trace.

    Args:
        path: target; replaced if it exists; compressed if its name ends with ".gz".
        trace: what to write.

    Raises:
        StorageError: it cannot be written.
    """
    plain = msgspec.json.encode(trace)
    packed = gzip.compress(plain, LEVEL, mtime=0) if path.suffix == ".gz" else plain
    write_atomic(path, packed, durable=False)


def read_trace(path: Path) -> Trace:
    """Read a trace.

    Args:
        path: of a file that `TraceFolder` or `write_trace` wrote.

    Returns:
        The trace.

    Raises:
        StorageError: it cannot be read.
        CorruptData: it is no trace.
    """
    with explained("read the trace", path):
        require_file(path)
        packed = path.read_bytes()
    try:
        plain = gzip.decompress(packed)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise CorruptData(f"{path} is no whole trace: {error}") from None
    return _decoded(plain, path)


def joined(traces: Sequence[Trace]) -> Trace:
    """Make one trace of those of several ranks.

    Args:
        traces: one a rank, at least one; changed in place.

    Returns:
        All their events, times counted from the first one's base.
    """
    first = traces[0]
    base = first.get("baseTimeNanoseconds", 0)
    events: list[Trace] = []
    flows: dict[tuple[int, object], int] = {}
    for number, trace in enumerate(traces):
        shift = (trace.get("baseTimeNanoseconds", 0) - base) / 1000.0
        processes: dict[object, int] = {}
        room = ROOM * (1 + int(trace.get("rank", number)))
        for event in trace["traceEvents"]:
            if "pid" in event:
                found = processes.setdefault(event["pid"], room + len(processes))
                event["pid"] = found
            if "ts" in event:
                event["ts"] += shift
            if "id" in event:
                # Perfetto takes numbers alone for the ids of flows.
                event["id"] = flows.setdefault((number, event["id"]), len(flows) + 1)
            events.append(event)
    return {**first, "traceEvents": events}


def _label(events: list[Trace], label: str) -> None:
    for event in events:
        numbered = isinstance(event.get("pid"), int)
        if event.get("ph") == "M" and event.get("name") == "process_name" and numbered:
            event["args"] = {"name": label}


def _decoded(plain: bytes, path: Path) -> Trace:
    try:
        trace = msgspec.json.decode(plain)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptData(f"{path} is no trace: {error}") from None
    if not isinstance(trace, dict) or not isinstance(trace.get("traceEvents"), list):
        raise CorruptData(f"{path} is no trace: it has no list of events")
    return trace
