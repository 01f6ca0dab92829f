"""The MPI form of the transport: point-to-point messages on COMM_WORLD, nothing else.

Theory of operation. A message is one MPI message with tag `HEAD` (sizes of its frames, then the
encoded bytes) followed by its frames with tag `BULK`, cut into chunks. `departures` sends and keeps
credit, `arrivals` receives and keeps order; here is the turn that moves both, and the watch for the
dead.

Failures (User-Level Failure Mitigation, Open MPI 5). A probe never raises, so each turn asks
`Get_failed`, which costs under 1 us, and acknowledges what is new. What a dead rank had sent in
full is delivered first; then its loss is told; after that nothing of it is delivered. Without that
order a role would hear from a rank that it has already replaced. Collectives are not used at all:
each of them would need every rank to live.

Under `--with-ft ulfm` MPI is never finalized: after a failure that may hang, and mpirun takes a
plain exit for what it is. Any other launcher ends all ranks when one leaves without that, as Slurm
does within a second. There a job that ends as a whole finalizes (`qmpi.runtime.healing`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import mpi4py

from qmpi.errors import MachineError
from qmpi.ports.base import Frame
from qmpi.ports.transport import Delivery
from qmpi.transport.arrivals import BULK, HEAD, Arrivals, pack_head
from qmpi.transport.departures import Departures, Part
from qmpi.units import Bytes, Rank, Seconds

if TYPE_CHECKING:
    from mpi4py import MPI

CHUNK_BYTES = 64 << 20
"""Largest MPI message: far below MPI's limit of 2 GiB a call, and the loop stays responsive."""

WINDOW_BYTES = 256 << 20
"""Unfinished bytes on their way to one rank."""

PATIENCE_TURNS = 64
"""Turns after which a death is told although the living still keep this rank busy."""

FLUSH_SLEEP_SECONDS = 0.001
FLUSH_MATCH_LIMIT = 64
FT_VARIABLE = "OMPI_MCA_mpi_ft_enable"
"""What `mpirun --with-ft` sets. `Get_failed` answers without it too, and then finds nobody."""


class MpiTransport:
    """One rank's end of COMM_WORLD.

    Invariants: messages of a source are delivered in order and without a gap; nothing of a rank is
    delivered after its loss was told.

    Attributes:
        fault_tolerant: True if MPI tells of dead ranks; else heartbeats alone find them.
    """

    def __init__(
        self,
        comm: MPI.Comm,
        now: Callable[[], Seconds],
        sleep: Callable[[float], None],
        *,
        fault_tolerant: bool = True,
        chunk_bytes: int = CHUNK_BYTES,
        window_bytes: int = WINDOW_BYTES,
    ) -> None:
        """Use a communicator; it must return errors, not abort.

        Args:
            comm: all ranks of the job.
            now: the caller's clock.
            sleep: sleeps for some seconds.
            fault_tolerant: whether MPI tells of dead ranks.
            chunk_bytes: largest MPI message of a frame; the same on all ranks.
            window_bytes: unfinished bytes on their way to one rank.
        """
        from mpi4py import MPI

        self._mpi = MPI
        self._comm = comm
        self._now = now
        self._sleep = sleep
        self._chunk = chunk_bytes
        self._rank = Rank(comm.Get_rank())
        self._size = comm.Get_size()
        self._group = comm.Get_group()
        self._departures = Departures(comm, window_bytes)
        self._arrivals = Arrivals(comm, chunk_bytes)
        self._known_failed = 0
        self._dead: dict[int, str] = {}
        self._untold: dict[int, int] = {}
        self._news: list[tuple[Rank, str]] = []
        self._back: list[Delivery] = []
        self.fault_tolerant = fault_tolerant

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
        return Bytes(self._departures.pending_bytes)

    def send(self, to: Rank, data: bytes, frames: Sequence[Frame]) -> None:
        """Accept a message for sending.

        Args:
            to: receiving rank; a message to this rank is delivered with the very buffers given.
            data: encoded header and message.
            frames: bulk bytes; kept alive here until they have left.
        """
        if to == self._rank:
            self._arrivals.add(Delivery(to, data, tuple(frames)))
            return
        if to in self._dead:
            return
        views = [memoryview(frame).cast("B") for frame in frames]
        parts: list[Part] = [(HEAD, pack_head(data, [len(view) for view in views]))]
        parts += [
            (BULK, view[at : at + self._chunk])
            for view in views
            for at in range(0, len(view), self._chunk)
        ]
        self._departures.send(to, parts)

    def poll(self, limit: int) -> list[Delivery]:
        """Let messages move, and take what has arrived.

        Args:
            limit: most messages to take.

        Returns:
            Messages; those of one source in order.
        """
        back, self._back = self._back[:limit], self._back[limit:]
        exhausted = self._arrivals.match(limit)
        found = back + self._arrivals.take(limit - len(back))
        # Before looking for new deaths: only a probe after a death shows what is left of it.
        self._tell(drained=exhausted and len(found) < limit)
        self._departures.progress()
        self._look_for_dead()
        return found

    def put_back(self, deliveries: Sequence[Delivery]) -> None:
        """Let the next polls give these again, before anything else.

        Args:
            deliveries: as polls gave them, in that order.
        """
        self._back = [*deliveries, *self._back]

    def lost(self) -> list[tuple[Rank, str]]:
        """Return ranks newly known to be gone; each is told once."""
        news, self._news = self._news, []
        return news

    def flush(self, deadline: Seconds) -> bool:
        """Let messages move until all have left.

        Arriving ones move too: two ranks may flush large frames to each other.

        Args:
            deadline: moment to give up at, on the clock given at the start.

        Returns:
            True if nothing is pending.
        """
        self._departures.progress()
        while self.pending_bytes and self._now() < deadline:
            self._sleep(FLUSH_SLEEP_SECONDS)
            self._arrivals.match(FLUSH_MATCH_LIMIT)
            self._arrivals.advance()
            self._departures.progress()
            self._look_for_dead()
        return not self.pending_bytes

    def close(self) -> None:
        """Give up what is pending; the process then leaves by `os._exit`."""
        self._departures.drop_all()

    def _look_for_dead(self) -> None:
        for failed in (self._departures.failed, self._arrivals.failed):
            for rank in set(failed) - set(self._dead):
                self._bury(rank, failed[rank])
        if not self.fault_tolerant:
            return
        group = self._comm.Get_failed()
        number = group.Get_size()
        if number > self._known_failed:
            self._known_failed = number
            self._comm.Ack_failed()
            ranks = self._mpi.Group.Translate_ranks(group, list(range(number)), self._group)
            for rank in sorted(set(ranks) - set(self._dead)):
                self._bury(rank, "MPI reports its process dead")
        group.Free()

    def _bury(self, rank: int, reason: str) -> None:
        self._dead[rank] = reason
        self._untold[rank] = PATIENCE_TURNS
        self._departures.drop(rank)

    def _tell(self, *, drained: bool) -> None:
        for rank in list(self._untold):
            self._untold[rank] -= 1
            if drained or self._untold[rank] <= 0:
                del self._untold[rank]
                self._arrivals.silence(rank)
                self._news.append((Rank(rank), self._dead[rank]))


def start_mpi(
    now: Callable[[], Seconds], sleep: Callable[[float], None], environ: Mapping[str, str]
) -> MpiTransport:
    """Start MPI in this process and connect to all ranks.

    Args:
        now: the caller's clock.
        sleep: sleeps for some seconds.
        environ: environment of the process; says whether mpirun was told to bear failures.

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
            f"MPI cannot be loaded ({error}); install qmpi with the `mpi` extra, or load a module "
            "that has MPI"
        ) from error
    MPI.COMM_SELF.Set_errhandler(MPI.ERRORS_RETURN)
    MPI.COMM_WORLD.Set_errhandler(MPI.ERRORS_RETURN)
    fault_tolerant = is_fault_tolerant(environ)
    return MpiTransport(MPI.COMM_WORLD, now, sleep, fault_tolerant=fault_tolerant)


def finalize() -> None:
    """Part from the other ranks in order; returns when all do, so never if one of them is gone."""
    from mpi4py import MPI

    MPI.Finalize()


def is_fault_tolerant(environ: Mapping[str, str]) -> bool:
    """Return whether mpirun was told to bear the death of a rank, and MPI to tell of it.

    Args:
        environ: environment of a rank.
    """
    return environ.get(FT_VARIABLE, "") not in {"", "0", "false"}
