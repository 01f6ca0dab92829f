"""The data, modelled: sources without text, blocks that are digests of their addresses."""

from qmpi.config.data import Source
from qmpi.errors import InvariantError
from qmpi.ports.base import Event, Reply
from qmpi.ports.data import (
    Block,
    BlockBroken,
    BlockBuilt,
    BuildBlock,
    DataWork,
    MakeRows,
    OpenSources,
    RowsBroken,
    RowsMade,
    SourcesAway,
    SourcesOpened,
)
from qmpi.protocol.blocks import frame_digest
from qmpi.simulator.life import Life
from qmpi.simulator.stream_model import (
    ROWS_BYTES,
    block_frame,
    fact_of,
    rows_frame,
)
from qmpi.simulator.surroundings import Surroundings
from qmpi.simulator.worker import Worker
from qmpi.units import Rank

AWAY = "cannot read the shard: Stale file handle"
"""What a rank says whose files are out of reach."""


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
        self._made = {source.name for source in around.sources if source.rows == 0}
        self._added: tuple[Source, ...] = ()
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
        begins = self._around.troubles.hangs_until(self._rank)
        match work:
            case OpenSources():
                seconds = compute.open_seconds
            case BuildBlock():
                seconds = compute.block_seconds
            case MakeRows():
                seconds, begins = compute.rows_seconds, 0.0  # nothing is read for them
            case _:
                raise InvariantError(f"{work!r} is no work on data")
        self._worker.submit(seconds, lambda: self._do(work), reply, begins)

    def _do(self, work: OpenSources | BuildBlock | MakeRows) -> Event:
        match work:
            case OpenSources():
                return SourcesAway(AWAY) if self._is_away else self._open(work)
            case BuildBlock():
                return self._build(work)
            case MakeRows():
                return self._make(work)

    @property
    def _is_away(self) -> bool:
        return self._around.troubles.is_away(self._rank, self._around.agenda.now)

    def _open(self, work: OpenSources) -> SourcesOpened:
        around, proposal, fault = self._around, work.proposal, ""
        proposed = proposal.sources if proposal is not None else ()
        settings, rows = around.settings, around.hardware.corpus_rows
        opened: list[Source] = []
        for number, source in enumerate((*work.added, *proposed)):
            is_open = number < len(work.added) and source in self._added
            if not is_open and around.troubles.meet("source", self._rank):
                fault = f"rank {self._rank} has no source {source.name!r}"
                break
            opened.append(source)
        self._added = tuple(opened)
        added = (fact_of(settings, source, rows) for source in opened)
        facts = (*around.sources, *added)
        self._made = {fact.name for fact in facts if fact.rows == 0}
        return SourcesOpened(facts, proposal.request if proposal is not None else "", fault)

    def _build(self, work: BuildBlock) -> Event:
        step, lane = work.step, work.lane
        if self._is_away:
            return BlockBroken(step, lane, AWAY, is_away=True)
        if self._around.troubles.meet("block", self._rank):
            return BlockBroken(step, lane, f"rank {self._rank} reads a damaged shard")
        if any(memoryview(frame).nbytes != ROWS_BYTES for _, frame in work.made):
            return BlockBroken(step, lane, "generated rows do not fit the block")
        frame = block_frame(work.rows, work.made)
        return BlockBuilt(step, lane, Block(frame_digest(frame), frame))

    def _make(self, work: MakeRows) -> Event:
        asked = (work.requester, work.step, work.lane, work.source)
        if work.source not in self._made:
            return RowsBroken(*asked, f"no generated source is called {work.source!r}")
        if self._around.troubles.meet("rows", self._rank):
            reason = f"rank {self._rank} cannot make rows of {work.source}"
            return RowsBroken(*asked, reason)
        return RowsMade(*asked, rows_frame(work.source, work.rows))
