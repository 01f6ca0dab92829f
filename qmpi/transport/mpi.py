"""The MPI form of the transport: point-to-point messages on COMM_WORLD, nothing else.

Theory of operation. A message is one MPI message with tag `HEAD` (sizes of its frames, then the encoded
bytes) followed by its frames with tag `BULK`, cut into chunks. MPI keeps the order of messages between two
ranks and a tag, so frames need no names. Everything is non-blocking: sends are kept with their buffers until
done; a header found by a matched probe is received into memory of its own, then the receives of its frames
are posted, and the message is delivered when all of them are complete.

Credits. MPI sends large messages only when the receiver has posted a receive, so a receiver holds what it has
matched. A sender keeps at most `WINDOW_BYTES` of unfinished bulk bytes for one destination; what goes beyond
waits in the sender's queue, in order. So a receiver holds at most one window a peer.

Failures (User-Level Failure Mitigation, MPI Forum chapter of Open MPI 5): a probe that progresses, then
`Ack_failed` and `Get_failed`, in each turn; a probe alone never raises. Requests to the dead are dropped,
never cancelled. Collectives are not used at all: each of them would need every rank to live.
"""

from __future__ import annotations

import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import mpi4py

from qmpi.errors import MachineError
from qmpi.transport.interface import Delivery, Frame
from qmpi.units import Bytes, Rank, Seconds

if TYPE_CHECKING:
    from mpi4py import MPI

HEAD = 1
BULK = 2
CHUNK_BYTES = 64 << 20
"""Largest MPI message: below the 2 GiB limit of MPI counts by far, and it keeps the loop responsive."""

WINDOW_BYTES = 256 << 20
_COUNT = struct.Struct("<I")
_SIZE = struct.Struct("<Q")


class _Outgoing:
    """Messages to one rank: those on their way, and those that wait for room."""

    def __init__(self) -> None:
        self.requests: deque[tuple[MPI.Request, object, int]] = deque()
        self.waiting: deque[tuple[bytes, tuple[memoryview, ...]]] = deque()
        self.bytes_in_flight = 0


class _Incoming:
    """One message that is arriving."""

    def __init__(self, request: MPI.Request, head: bytearray) -> None:
        self.head = head
        self.request = request
        self.frames: list[bytearray] | None = None
        self.chunks: deque[MPI.Request] = deque()


class MpiTransport:
    """One rank's end of COMM_WORLD.

    Invariants: messages of a source are delivered in the order of their headers; `pending_bytes` counts what
    was accepted and has not left.
    """

    def __init__(
        self, comm: MPI.Comm, *, chunk_bytes: int = CHUNK_BYTES, window_bytes: int = WINDOW_BYTES
    ) -> None:
        """Use a communicator; it must return errors, not abort.

        Args:
            comm: all ranks of the job.
            chunk_bytes: largest MPI message.
            window_bytes: unfinished bulk bytes for one destination.
        """
        from mpi4py import MPI

        self._mpi = MPI
        self._comm = comm
        self._chunk = chunk_bytes
        self._window = window_bytes
        self._rank = Rank(comm.Get_rank())
        self._size = comm.Get_size()
        self._group = comm.Get_group()
        self._outgoing: dict[Rank, _Outgoing] = {}
        self._incoming: dict[int, deque[_Incoming]] = {}
        self._local: deque[Delivery] = deque()
        self._dead: set[int] = set()
        self._news: list[tuple[Rank, str]] = []
        self._pending = 0
        self._status = MPI.Status()

    @property
    def rank(self) -> Rank:
        """This rank."""
        return self._rank

    @property
    def size(self) -> int:
        """Ranks in all."""
        return self._size

    @property
    def pending_bytes(self) -> Bytes:
        """Bytes accepted for sending that have not left yet."""
        return Bytes(self._pending)

    def send(self, to: Rank, data: bytes, frames: Sequence[Frame]) -> None:
        """Accept a message for sending.

        Args:
            to: receiving rank.
            data: encoded header and message.
            frames: bulk bytes; kept alive here until they have left.
        """
        if to == self._rank:
            self._local.append(Delivery(to, data, tuple(frames)))
            return
        if to in self._dead:
            return
        views = tuple(memoryview(frame).cast("B") for frame in frames)
        sizes = b"".join(_SIZE.pack(len(view)) for view in views)
        head = _COUNT.pack(len(views)) + sizes + data
        self._pending += len(head) + sum(map(len, views))
        outgoing = self._outgoing.setdefault(to, _Outgoing())
        outgoing.waiting.append((head, views))
        self._push(to, outgoing)

    def poll(self, limit: int) -> list[Delivery]:
        """Let messages move, and take what has arrived.

        Args:
            limit: most messages to take.

        Returns:
            Messages in order of arrival.
        """
        self._probe(limit)
        found: list[Delivery] = []
        while self._local and len(found) < limit:
            found.append(self._local.popleft())
        for source in list(self._incoming):
            self._collect(source, found, limit)
        self._look_for_dead()
        for to, outgoing in list(self._outgoing.items()):
            self._finish(to, outgoing)
            self._push(to, outgoing)
        return found

    def lost(self) -> list[tuple[Rank, str]]:
        """Return ranks newly known to be gone."""
        news, self._news = self._news, []
        return news

    def flush(self, deadline: Seconds) -> bool:
        """Let messages move until all have left.

        Args:
            deadline: moment to give up at, on the clock of `clock_now`.

        Returns:
            True if nothing is pending.
        """
        import time

        offset = time.time() - time.monotonic()
        while self._pending and offset + time.monotonic() < deadline:
            for to, outgoing in list(self._outgoing.items()):
                self._finish(to, outgoing)
                self._push(to, outgoing)
            self._look_for_dead()
            time.sleep(0.001)
        return not self._pending

    def close(self) -> None:
        """Give up what is pending; MPI is not finalized, which may hang after a failure."""
        self._outgoing.clear()
        self._pending = 0

    def _push(self, to: Rank, outgoing: _Outgoing) -> None:
        while outgoing.waiting:
            head, views = outgoing.waiting[0]
            bulk = sum(map(len, views))
            if outgoing.bytes_in_flight and outgoing.bytes_in_flight + bulk > self._window:
                return
            outgoing.waiting.popleft()
            outgoing.bytes_in_flight += bulk
            self._start(to, outgoing, head, HEAD, 0)
            for view in views:
                for at in range(0, len(view), self._chunk):
                    part = view[at : at + self._chunk]
                    self._start(to, outgoing, part, BULK, len(part))

    def _start(
        self, to: Rank, outgoing: _Outgoing, part: bytes | memoryview, tag: int, bulk: int
    ) -> None:
        try:
            request = self._comm.Isend([part, self._mpi.BYTE], dest=to, tag=tag)
        except self._mpi.Exception:
            # The peer is dead; `_look_for_dead` will say so and drop the rest.
            self._pending -= len(part)
            outgoing.bytes_in_flight -= bulk
            return
        outgoing.requests.append((request, part, bulk))

    def _finish(self, to: Rank, outgoing: _Outgoing) -> None:
        del to
        requests = outgoing.requests
        while requests:
            request, part, bulk = requests[0]
            try:
                done = request.Test()
            except self._mpi.Exception:
                done = True
            if not done:
                return
            requests.popleft()
            self._pending -= len(part)  # pyright: ignore[reportArgumentType]
            outgoing.bytes_in_flight -= bulk

    def _probe(self, limit: int) -> None:
        mpi = self._mpi
        for _ in range(limit):
            try:
                message = self._comm.Improbe(mpi.ANY_SOURCE, HEAD, self._status)
                if message is None:
                    return
                source = self._status.Get_source()
                head = bytearray(self._status.Get_count(mpi.BYTE))
                request = message.Irecv([head, mpi.BYTE])
            except mpi.Exception:
                return
            queue = self._incoming.setdefault(source, deque())
            queue.append(_Incoming(request, head))

    def _collect(self, source: int, found: list[Delivery], limit: int) -> None:
        queue = self._incoming[source]
        while queue and len(found) < limit:
            first = queue[0]
            try:
                complete = self._advance(source, first)
            except self._mpi.Exception:
                # What a dead rank did not finish sending never arrives.
                queue.clear()
                return
            if not complete:
                return
            queue.popleft()
            offset = _COUNT.size + _SIZE.size * len(first.frames or ())
            data = bytes(memoryview(first.head)[offset:])
            found.append(Delivery(Rank(source), data, tuple(first.frames or ())))

    def _advance(self, source: int, incoming: _Incoming) -> bool:
        if incoming.frames is None:
            if not incoming.request.Test():
                return False
            incoming.frames = self._post_frames(source, incoming)
        while incoming.chunks:
            if not incoming.chunks[0].Test():
                return False
            incoming.chunks.popleft()
        return True

    def _post_frames(self, source: int, incoming: _Incoming) -> list[bytearray]:
        (count,) = _COUNT.unpack_from(incoming.head, 0)
        frames: list[bytearray] = []
        for number in range(count):
            (size,) = _SIZE.unpack_from(incoming.head, _COUNT.size + number * _SIZE.size)
            frame = bytearray(size)
            view = memoryview(frame)
            for at in range(0, size, self._chunk):
                part = [view[at : at + self._chunk], self._mpi.BYTE]
                incoming.chunks.append(self._comm.Irecv(part, source=source, tag=BULK))
            frames.append(frame)
        return frames

    def _look_for_dead(self) -> None:
        try:
            self._comm.Ack_failed()
            failed = self._comm.Get_failed()
        except (self._mpi.Exception, NotImplementedError):
            return
        if failed.Get_size() > len(self._dead):
            numbers = list(range(failed.Get_size()))
            ranks = self._mpi.Group.Translate_ranks(failed, numbers, self._group)
            for rank in sorted(set(ranks) - self._dead):
                self._bury(rank)
        failed.Free()

    def _bury(self, rank: int) -> None:
        self._dead.add(rank)
        self._news.append((Rank(rank), "MPI reports its process dead"))
        outgoing = self._outgoing.pop(Rank(rank), None)
        if outgoing is None:
            return
        left = sum(len(part) for _, part, _ in outgoing.requests)  # pyright: ignore
        left += sum(len(head) + sum(map(len, views)) for head, views in outgoing.waiting)
        self._pending -= left
        # Requests to the dead are neither cancelled nor freed: their buffers live until exit.
        self._graveyard = [*getattr(self, "_graveyard", []), outgoing]


def start_mpi() -> MpiTransport:
    """Start MPI in this process and connect to all ranks.

    Returns:
        The transport over COMM_WORLD.

    Raises:
        MachineError: there is no usable MPI library.
    """
    mpi4py.rc.finalize = False
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise MachineError(
            f"MPI cannot be loaded ({error}); install qmpi with the `mpi` extra, or load a module with MPI"
        ) from error
    MPI.COMM_SELF.Set_errhandler(MPI.ERRORS_RETURN)
    MPI.COMM_WORLD.Set_errhandler(MPI.ERRORS_RETURN)
    return MpiTransport(MPI.COMM_WORLD)


def exchange_hosts(
    transport: MpiTransport,
    now: Callable[[], float],
    sleep: Callable[[float], None],
    deadline: float,
) -> list[str]:
    """Learn the host of every rank, through rank 0.

    Args:
        transport: connected; no other message may be under way.
        now: clock.
        sleep: sleeps.
        deadline: when to give up.

    Returns:
        Host by rank, equal on every rank.

    Raises:
        MachineError: a rank did not answer in time, or died.
    """
    own = f"{host_name()}"
    if transport.size == 1:
        return [own]
    hosts = {int(transport.rank): own}
    if transport.rank != 0:
        transport.send(Rank(0), own.encode(), ())
    while now() < deadline:
        for delivery in transport.poll(64 if transport.rank == 0 else 1):
            if transport.rank != 0:
                return bytes(delivery.data).decode().split("\n")
            hosts[int(delivery.source)] = bytes(delivery.data).decode()
        if len(hosts) == transport.size:
            listed = [hosts[rank] for rank in range(transport.size)]
            for rank in range(1, transport.size):
                transport.send(Rank(rank), "\n".join(listed).encode(), ())
            return listed
        if transport.lost():
            raise MachineError("a rank died while the job was starting")
        sleep(0.002)
    missing = sorted(set(range(transport.size)) - set(hosts))
    raise MachineError(f"ranks {missing} did not report their host in time")


def host_name() -> str:
    """Return the name of this machine."""
    return socket.gethostname() or os.uname().nodename
