"""Messages on their way out: sends that never block, and the credit that bounds a receiver.

Theory of operation. A message is cut into parts (header, then chunks of its frames), each part one
`Isend`, kept with its buffer until MPI is done with it. A destination has a window: unfinished
bytes on their way to it. What goes beyond waits in this rank's own queue, in order. MPI moves a
large part only into a receive that was posted, so a receiver holds at most one window for each peer
that sends to it. Small parts leave early, into the receiver's MPI library; the window does not see
those.

An MPI error on the way to a rank breaks its stream: a later message would follow a gap. So the rank
is named in `failed`, whatever the error was, and gets nothing more.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from mpi4py import MPI

Part = tuple[int, bytes | memoryview]
"""Tag and bytes of one MPI message."""


class _Line(Struct):
    """What goes to one rank.

    Attributes:
        waiting: messages that wait for room, with their bytes.
        requests: parts begun, each with its buffer.
        accepted: bytes that have not left.
        in_flight: those of them that were begun.
    """

    waiting: deque[tuple[list[Part], int]]
    requests: deque[tuple[MPI.Request, bytes | memoryview]]
    accepted: int = 0
    in_flight: int = 0


class Departures:
    """All messages that have not left.

    Invariants: `pending_bytes` is the sum of what all destinations have accepted and not sent; a
    buffer lives at least as long as the request that names it.
    """

    def __init__(self, comm: MPI.Comm, window_bytes: int) -> None:
        """Send over a communicator that returns errors.

        Args:
            comm: all ranks of the job.
            window_bytes: unfinished bytes on their way to one rank; a larger message goes alone.
        """
        from mpi4py import MPI

        self._mpi = MPI
        self._comm = comm
        self._window = window_bytes
        self._lines: dict[int, _Line] = {}
        # Requests to the dead are neither cancelled nor freed: MPI may use the buffers until exit.
        self._graveyard: list[_Line] = []
        self.failed: dict[int, str] = {}
        self.pending_bytes = 0

    def send(self, to: int, parts: list[Part]) -> None:
        """Accept a message.

        Args:
            to: receiving rank, not this one.
            parts: header and chunks, in order.
        """
        size = sum(len(part) for _, part in parts)
        line = self._lines.setdefault(to, _Line(deque(), deque()))
        line.waiting.append((parts, size))
        line.accepted += size
        self.pending_bytes += size
        self._push(to, line)

    def progress(self) -> None:
        """Take note of what has left, and start what has room."""
        for to, line in self._lines.items():
            self._settle(to, line)
            self._push(to, line)

    def drop(self, to: int) -> None:
        """Give up what goes to a lost rank.

        Args:
            to: the lost rank.
        """
        line = self._lines.pop(to, None)
        if line is not None:
            self.pending_bytes -= line.accepted
            self._graveyard.append(line)

    def drop_all(self) -> None:
        """Give up everything."""
        for to in list(self._lines):
            self.drop(to)

    def _push(self, to: int, line: _Line) -> None:
        while line.waiting and to not in self.failed:
            parts, size = line.waiting[0]
            if line.in_flight and line.in_flight + size > self._window:
                return
            line.waiting.popleft()
            line.in_flight += size
            for tag, part in parts:
                try:
                    request = self._comm.Isend([part, self._mpi.BYTE], dest=to, tag=tag)
                except self._mpi.Exception as error:
                    self.failed[to] = f"MPI cannot send to it ({error})"
                    return
                line.requests.append((request, part))

    def _settle(self, to: int, line: _Line) -> None:
        while line.requests and to not in self.failed:
            request, part = line.requests[0]
            try:
                if not request.Test():
                    return
            except self._mpi.Exception as error:
                self.failed[to] = f"a message to it failed ({error})"
                return
            line.requests.popleft()
            line.in_flight -= len(part)
            line.accepted -= len(part)
            self.pending_bytes -= len(part)
