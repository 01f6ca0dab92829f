"""Messages on their way in: received piece by piece, delivered whole and in order.

Theory of operation. A matched probe takes a header out of MPI for good, so no other probe sees it.
The header says the sizes of its frames; their receives are posted straight into memory of their
own, and the message is delivered once all of them are complete. Nothing waits: each turn tests what
is posted. MPI keeps the order of messages between two ranks and a tag, so frames need no names, and
the queue of a source delivers from its front only.

When a source fails, its unfinished messages are never delivered, nor is anything behind them: a
receiver sees a prefix of what was sent.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING

from qmpi.ports.transport import Delivery
from qmpi.units import Rank

if TYPE_CHECKING:
    from mpi4py import MPI

HEAD = 1
BULK = 2
HELD_LIMIT = 1024
"""Messages matched and not yet delivered; beyond it headers stay with MPI."""

_COUNT = struct.Struct("<I")
_SIZE = struct.Struct("<Q")


def pack_head(data: bytes, sizes: list[int]) -> bytes:
    """Return a header as it travels: number of frames, their sizes, encoded message.

    Args:
        data: encoded message.
        sizes: bytes of each frame.

    Returns:
        Bytes for `unpack_head`.
    """
    return _COUNT.pack(len(sizes)) + b"".join(map(_SIZE.pack, sizes)) + data


def unpack_head(head: bytes | bytearray) -> tuple[bytes, list[int]]:
    """Read what `pack_head` made.

    Args:
        head: header as it travelled.

    Returns:
        Encoded message, and bytes of each frame.
    """
    (count,) = _COUNT.unpack_from(head, 0)
    begin = _COUNT.size + count * _SIZE.size
    sizes = [size for (size,) in _SIZE.iter_unpack(head[_COUNT.size : begin])]
    return bytes(head[begin:]), sizes


class _Arriving:
    """A message whose header was matched; `frames` is None until the header itself is here."""

    def __init__(self, head: bytearray, request: MPI.Request) -> None:
        self.head = head
        self.data = b""
        self.frames: tuple[bytearray, ...] | None = None
        self.requests = deque([request])


class Arrivals:
    """All messages that are arriving.

    Invariants: messages of a source are delivered in the order they were sent, without a gap;
    memory named by a posted receive lives at least as long as the receive.
    """

    def __init__(self, comm: MPI.Comm, chunk_bytes: int) -> None:
        """Receive over a communicator that returns errors.

        Args:
            comm: all ranks of the job.
            chunk_bytes: largest part of a frame; the same on all ranks.
        """
        from mpi4py import MPI

        self._mpi = MPI
        self._comm = comm
        self._chunk = chunk_bytes
        self._status = MPI.Status()
        self._queues: dict[int, deque[_Arriving | Delivery]] = {}
        self._held = 0
        self._silent: set[int] = set()
        self._graveyard: list[object] = []
        self.failed: dict[int, str] = {}

    def add(self, delivery: Delivery) -> None:
        """Queue a message of this rank to itself; it takes its turn like any other.

        Args:
            delivery: complete.
        """
        self._queues.setdefault(int(delivery.source), deque()).append(delivery)
        self._held += 1

    def match(self, limit: int) -> bool:
        """Take headers out of MPI.

        Args:
            limit: most headers to take.

        Returns:
            True if MPI had no more.
        """
        mpi = self._mpi
        for _ in range(limit):
            if self._held >= HELD_LIMIT:
                return False
            message = self._comm.Improbe(mpi.ANY_SOURCE, HEAD, self._status)
            if message is None:
                return True
            source = self._status.Get_source()
            head = bytearray(self._status.Get_count(mpi.BYTE))
            try:
                arriving = _Arriving(head, message.Irecv([head, mpi.BYTE]))
            except mpi.Exception as error:
                self.failed[source] = f"a message from it failed ({error})"
                continue
            if source in self._silent:
                self._graveyard.append(arriving)
                continue
            self._queues.setdefault(source, deque()).append(arriving)
            self._held += 1
        return False

    def take(self, limit: int) -> list[Delivery]:
        """Return complete messages; sources served last time come last.

        Args:
            limit: most messages to return.

        Returns:
            Messages, those of one source in order.
        """
        found: list[Delivery] = []
        for source in list(self._queues):
            if len(found) >= limit:
                break
            queue = self._queues.pop(source)
            while queue and len(found) < limit:
                delivery = self._complete(source, queue[0])
                if delivery is None:
                    break
                queue.popleft()
                self._held -= 1
                found.append(delivery)
            if queue:
                self._queues[source] = queue
        return found

    def advance(self) -> None:
        """Let messages arrive without delivering any, so that their senders can finish."""
        for source, queue in self._queues.items():
            for arriving in queue:
                if self._complete(source, arriving) is None:
                    break

    def silence(self, source: int) -> None:
        """Deliver nothing more of a lost rank; what is unfinished keeps its memory until exit.

        Args:
            source: the lost rank.
        """
        self._silent.add(source)
        queue = self._queues.pop(source, None)
        if queue is not None:
            self._held -= len(queue)
            self._graveyard.append(queue)

    def _complete(self, source: int, arriving: _Arriving | Delivery) -> Delivery | None:
        if isinstance(arriving, Delivery):
            return arriving
        if source in self.failed:
            return None
        try:
            while arriving.requests or arriving.frames is None:
                if arriving.requests and not arriving.requests[0].Test():
                    return None
                if arriving.requests:
                    arriving.requests.popleft()
                if arriving.frames is None:
                    self._post(source, arriving)
        except self._mpi.Exception as error:
            self.failed[source] = f"a message from it broke off ({error})"
            return None
        return Delivery(Rank(source), arriving.data, arriving.frames)

    def _post(self, source: int, arriving: _Arriving) -> None:
        arriving.data, sizes = unpack_head(arriving.head)
        arriving.frames = tuple(bytearray(size) for size in sizes)
        for frame in arriving.frames:
            view = memoryview(frame)
            for at in range(0, len(frame), self._chunk):
                part = [view[at : at + self._chunk], self._mpi.BYTE]
                arriving.requests.append(self._comm.Irecv(part, source=source, tag=BULK))
