"""The logs of a run as one: what its ranks and its launcher wrote, by time.

Theory of operation. Every rank appends to a file of its own over all incarnations of the run, each
line with its time; a line without one (a traceback) belongs to the line before. What mpirun and
starting ranks print goes to one file a start and has no times: all of it counts as written when the
file last changed. Lines are merged by time as they are read, so that logs may be larger than memory
and thousands; no file stays open between two pieces. Clocks of hosts may differ by a little, and
then so does the order of their lines.

A line counts once its line break is there. Whoever follows asks again and again; a relaunch brings
new files, which are found by listing the folder anew.
"""

import heapq
import re
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from qmpi.storage.os_errors import explained, require_file

PIECE_BYTES = 1 << 14
_NAME = re.compile(r"(rank|job)-(\d{1,9})\.log")
_TIME = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")
_TIME_LENGTH = 23


class Line(NamedTuple):
    """A line of a log.

    Attributes:
        time: when it was written, as the logs spell it: local time of the rank's host, to the
            millisecond; sorts as it stands.
        source: "rank 3" or "job 2", the second start's launcher.
        text: as it was written.
    """

    time: str
    source: str
    text: str


class LogFile:
    """One file; knows how far it has been read."""

    def __init__(self, path: Path, kind: str, number: int) -> None:
        """Begin at its start.

        Args:
            path: of the file.
            kind: "rank" or "job".
            number: of the rank, or of the start.
        """
        self.path = path
        self.kind = kind
        self.number = number
        self._offset = 0
        self._time = ""

    @property
    def source(self) -> str:
        """Who wrote it."""
        return f"{self.kind} {self.number}"

    def lines(self) -> Iterator[Line]:
        """Yield the lines that were not given out yet.

        Yields:
            Whole lines, in order.

        Raises:
            StorageError: it cannot be read.
        """
        stamp = "" if self.kind == "rank" else spelled(self._changed())
        rest = b""
        while piece := self._read():
            whole, line_break, rest = (rest + piece).rpartition(b"\n")
            for raw in (whole + line_break).splitlines():
                yield self._line(raw, stamp)
        self._offset -= len(rest)

    def skip_to_last(self, count: int) -> None:
        """Pass over all but the last lines.

        Args:
            count: lines to keep, >= 0.

        Raises:
            StorageError: it cannot be read.
        """
        with explained("read the log", self.path):
            require_file(self.path)
            end = self.path.stat().st_size
            with self.path.open("rb") as file:
                while end > 0 and count >= 0:
                    start = max(0, end - PIECE_BYTES)
                    file.seek(start)
                    piece = file.read(end - start)
                    breaks = piece.count(b"\n")
                    if breaks > count:
                        for _ in range(breaks - count):
                            cut = piece.index(b"\n") + 1
                            start, piece = start + cut, piece[cut:]
                        self._offset = start
                        return
                    count, end = count - breaks, start

    def _line(self, raw: bytes, stamp: str) -> Line:
        text = raw.decode("utf-8", "replace")
        if not stamp:
            self._time = text[:_TIME_LENGTH] if _TIME.match(raw) else self._time
        return Line(stamp or self._time, self.source, text)

    def _read(self) -> bytes:
        with explained("read the log", self.path):
            require_file(self.path)
            with self.path.open("rb") as file:
                file.seek(self._offset)
                piece = file.read(PIECE_BYTES)
        self._offset += len(piece)
        return piece

    def _changed(self) -> float:
        with explained("read the log", self.path):
            return self.path.stat().st_mtime


class RunLogs:
    """The logs of a run, or those of some ranks."""

    def __init__(self, folder: Path, ranks: frozenset[int] | None = None) -> None:
        """Read nothing yet.

        Args:
            folder: RUN/logs.
            ranks: whose; None: all, and the launcher's.
        """
        self._folder = folder
        self._ranks = ranks
        self._files: dict[str, LogFile] = {}

    def refresh(self) -> list[LogFile]:
        """Look for files that are new.

        Returns:
            All files, those of the launcher first, by number.

        Raises:
            StorageError: the folder cannot be read.
        """
        with explained("list", self._folder):
            names = [path.name for path in self._folder.iterdir()] if self._folder.is_dir() else []
        for name in names:
            match = _NAME.fullmatch(name)
            if match is not None and name not in self._files:
                kind, number = match[1], int(match[2])
                if self._ranks is None or (kind == "rank" and number in self._ranks):
                    self._files[name] = LogFile(self._folder / name, kind, number)
        return sorted(self._files.values(), key=lambda file: (file.kind, file.number))

    def lines(self, since: str = "") -> Iterator[Line]:
        """Yield the lines that were not given out yet, by time.

        Args:
            since: leave out what is older; as `spelled` writes it.

        Yields:
            Lines of all files.

        Raises:
            StorageError: a log cannot be read.
        """
        merged = heapq.merge(*(file.lines() for file in self.refresh()), key=attrgetter("time"))
        yield from (line for line in merged if line.time >= since)

    def last(self, count: int, since: str = "") -> Iterator[Line]:
        """Yield the last lines, by time.

        Args:
            count: how many, >= 0.
            since: as of `lines`.

        Yields:
            Lines of all files.

        Raises:
            StorageError: a log cannot be read.
        """
        for file in self.refresh():
            # One more: a line without a time takes it from the line before.
            file.skip_to_last(count + 1)
        yield from deque(self.lines(since), maxlen=count)


def follow(
    logs: RunLogs, is_over: Callable[[], bool], rest: Callable[[], None], since: str = ""
) -> Iterator[Line]:
    """Yield lines as they are written, until the run is over.

    Args:
        logs: of the run; what was given out before is not given again.
        is_over: whether nothing more is to come; what came until then is given out all the same.
        rest: waits a moment.
        since: as of `RunLogs.lines`.

    Yields:
        Lines of all files.
    """
    over = False
    while not over:
        over = is_over()
        yield from logs.lines(since)
        if not over:
            rest()


def spelled(moment: float) -> str:
    """Return a time as the logs spell it.

    Args:
        moment: seconds since the epoch.

    Returns:
        Local time of this host, to the millisecond.
    """
    local = datetime.fromtimestamp(moment)  # noqa: DTZ006 - as `logging` does
    return f"{local:%Y-%m-%d %H:%M:%S},{local.microsecond // 1000:03d}"
