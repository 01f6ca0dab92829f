"""Data: sources of rows, read or generated, and blocks made of them.

Promises, held by one conformance suite. Work is done in the order asked, one event each. Rows are a
pure function of source and numbers; a block is one of its addresses and of the rows made for it, on
every rank alike, and its digest is that of its ids, however they are compressed. What is damaged or
missing, or rows that do not fit the block, is named in `BlockBroken` or `RowsBroken`, never trained
on, and spoils no other block; once it is mended, the block can be built. What is damaged is told
from what is out of reach for now; of the latter sources may be opened anew. A source behind those
of the job file that cannot be opened is told, and spoils none that can.
"""

from typing import Protocol

from msgspec import Struct

from qmpi.config.data import Source
from qmpi.ports.base import Effect, Event, Frame, Reply
from qmpi.protocol.added import Proposal
from qmpi.protocol.envelope import Address
from qmpi.protocol.level_use import LevelUse
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.recipe import ComingReads, RowAddress
from qmpi.units import Digest, Lane, Step


class Block(Struct, frozen=True):
    """The ids of a lane in a step, as they are kept and sent.

    Attributes:
        digest: of the ids' bytes.
        frame: them, perhaps compressed.
        codec: how; "": as they are.
        sent: digest of the frame, if it is compressed.
        sources: number of the source of each row, in order; empty: not told.
    """

    digest: Digest
    frame: Frame
    codec: str = ""
    sent: Digest = Digest("")
    sources: tuple[int, ...] = ()


class DataWork(Effect, frozen=True):
    """Work on data; it ends in an event."""


class OpenSources(DataWork, frozen=True):
    """Open the data sources that this role serves; ends in `SourcesOpened` or `SourcesAway`.

    Attributes:
        added: sources behind those of the job file, which the run draws from.
        proposal: sources behind them, tried anew whenever it is asked; None: none are.
    """

    added: tuple[Source, ...] = ()
    proposal: Proposal | None = None


class BuildBlock(DataWork, frozen=True):
    """Read and join the rows of a block; ends in `BlockBuilt` or `BlockBroken`.

    Attributes:
        rows: address of each row of the block, in order.
        made: frames of generated rows by source number, each holding that source's rows in block
            order.
        coming: what will be read after it, as far as it was not told yet; changes no block.
    """

    step: Step
    lane: Lane
    rows: tuple[RowAddress, ...]
    made: tuple[tuple[int, Frame], ...]
    coming: ComingReads | None = None


class MakeRows(DataWork, frozen=True):
    """Generate rows of a source; ends in `RowsMade` or `RowsBroken`."""

    requester: Address
    step: Step
    lane: Lane
    source: str
    rows: tuple[int, ...]


class SourcesOpened(Event, frozen=True):
    """Result of `OpenSources`.

    Attributes:
        sources: facts of those that are open: of the job file, then of as many of the others as
            could be opened, in order.
        request: name of the proposal that was tried; "": none was.
        fault: why the next of the others cannot be opened, in words; "" if all are open.
    """

    sources: tuple[SourceFact, ...]
    request: str = ""
    fault: str = ""


class SourcesAway(Event, frozen=True):
    """`OpenSources` failed, for files are out of reach: asked again later, it may not."""

    reason: str


class BlockBuilt(Event, frozen=True):
    """Result of `BuildBlock`.

    Attributes:
        alert: what the process had to warn of meanwhile, once, in words; "" is nothing.
        levels: what the levels of its cache were asked for until now; empty: nothing.
    """

    step: Step
    lane: Lane
    block: Block
    alert: str = ""
    levels: tuple[LevelUse, ...] = ()


class BlockBroken(Event, frozen=True):
    """`BuildBlock` failed: an artefact, named in `reason`, is damaged, missing or out of reach.

    Attributes:
        is_away: it is out of reach: asked again later, the block may be built.
    """

    step: Step
    lane: Lane
    reason: str
    is_away: bool = False


class RowsMade(Event, frozen=True):
    """Result of `MakeRows`."""

    requester: Address
    step: Step
    lane: Lane
    source: str
    frame: Frame


class RowsBroken(Event, frozen=True):
    """`MakeRows` failed."""

    requester: Address
    step: Step
    lane: Lane
    source: str
    reason: str


class Data(Protocol):
    """The data sources of one process."""

    def submit(self, work: DataWork, reply: Reply) -> None:
        """Queue a piece of work.

        Args:
            work: what to do.
            reply: takes its event.
        """
        ...
