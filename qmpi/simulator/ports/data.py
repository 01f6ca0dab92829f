"""The data, modelled: sources without text, blocks that are digests of their addresses."""

from qmpi.errors import InvariantError
from qmpi.ports.base import Event, Reply
from qmpi.ports.data import (
    BlockBroken,
    BlockBuilt,
    BuildBlock,
    DataWork,
    MakeRows,
    OpenSources,
    RowsBroken,
    RowsMade,
    SourcesOpened,
)
from qmpi.simulator.life import Life
from qmpi.simulator.stream_model import block_frame, frame_digest, rows_frame
from qmpi.simulator.surroundings import Surroundings
from qmpi.simulator.worker import Worker
from qmpi.units import Rank


class SimulatedData:
    """The sources of one process; one thread reads and makes."""

    def __init__(self, around: Surroundings, life: Life, rank: Rank) -> None:
        """Open nothing yet.

        Args:
            around: machine and troubles.
            life: of the process.
            rank: whose troubles it has.
        """
        self._around = around
        self._rank = rank
        self._worker = Worker(life, around.chance)

    def submit(self, work: DataWork, reply: Reply) -> None:
        """Queue a piece of work.

        Args:
            work: what to do.
            reply: takes its event.

        Raises:
            InvariantError: it is no work on data.
        """
        compute = self._around.hardware.compute
        match work:
            case OpenSources():
                seconds = compute.open_seconds
            case BuildBlock():
                seconds = compute.block_seconds
            case MakeRows():
                seconds = compute.rows_seconds
            case _:
                raise InvariantError(f"{work!r} is no work on data")
        self._worker.submit(seconds, lambda: self._do(work), reply)

    def _do(self, work: OpenSources | BuildBlock | MakeRows) -> Event:
        match work:
            case OpenSources():
                return SourcesOpened(self._around.sources)
            case BuildBlock(step, lane, addresses, made):
                if self._around.troubles.meet("block", self._rank):
                    return BlockBroken(step, lane, f"rank {self._rank} reads a damaged shard")
                frame = block_frame(addresses, made)
                return BlockBuilt(step, lane, frame_digest(frame), frame)
            case MakeRows(requester, step, lane, source, numbers):
                if self._around.troubles.meet("rows", self._rank):
                    reason = f"rank {self._rank} cannot make rows of {source}"
                    return RowsBroken(requester, step, lane, source, reason)
                return RowsMade(requester, step, lane, source, rows_frame(source, numbers))
