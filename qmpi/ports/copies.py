"""Copies: files that hold snapshots, in the RAM of a host or on disk.

Promises, held by one conformance suite. Work is done in the order asked, one event each. A copy is
reported only after it was written whole and verified; a fast copy that fails never keeps a durable
one from being written, nor the other way round; a copy that fails never costs the newest. What is
damaged, gone or replaced is named and never handed out as a whole; a part is read as it is, for
whoever joins the parts verifies the whole. Of each position a folder keeps the copy just written
and the newest others, older ones go. Each rank writes a RAM folder of its own; those of a host read
each other's, other hosts do not; the disk is read by all.
"""

from typing import Protocol

from qmpi.ports.base import Effect, Event, Frame, Reply
from qmpi.protocol.envelope import Address
from qmpi.protocol.membership import SnapshotFact
from qmpi.units import Bytes, Digest, Step


class CopyWork(Effect, frozen=True):
    """Work on copies; it ends in an event."""


class StoreSnapshot(CopyWork, frozen=True):
    """Verify the parts and write them; ends in `SnapshotStored` or `SnapshotBroken`.

    A place that refuses does not keep the other from being written.

    Attributes:
        position: whose part of the state it is.
        parts: the payload in order, or () to take it from `path`.
        path: RAM file of this host to copy from when `parts` is empty.
        to_ram, to_disk: where to write.
        branch, skipped: as in `SnapshotFact`.
    """

    step: Step
    digest: Digest
    parts: tuple[Frame, ...]
    path: str
    to_ram: bool
    to_disk: bool
    position: int = 0
    branch: int = 0
    skipped: int = 0


class ReadSnapshotPart(CopyWork, frozen=True):
    """Read one part of a held snapshot; ends in `SnapshotRead` or `SnapshotBroken`."""

    requester: Address
    step: Step
    part: int
    part_size: Bytes
    path: str
    position: int = 0


class ForgetCopies(CopyWork, frozen=True):
    """Remove the RAM copies of this run on this host: it has ended well. Ends in no event."""


class SnapshotTaken(Event, frozen=True):
    """Result of `TakeSnapshot`: a verified file.

    Attributes:
        fact: the copy; in RAM, or on disk if RAM refused it and a checkpoint was due.
        fault: why there is no copy in RAM; "" if there is.
    """

    fact: SnapshotFact
    size: Bytes
    fault: str = ""


class SnapshotStored(Event, frozen=True):
    """Result of `StoreSnapshot`: verified and written.

    Attributes:
        facts: copies that were written, at least one.
        fault: why another that was asked for was not; "" if all were.
    """

    facts: tuple[SnapshotFact, ...]
    fault: str = ""


class SnapshotRead(Event, frozen=True):
    """Result of `ReadSnapshotPart`."""

    requester: Address
    step: Step
    part: int
    frame: Frame
    position: int = 0


class SnapshotBroken(Event, frozen=True):
    """Taking, storing or reading a snapshot failed; the run goes on without this copy.

    Attributes:
        place: "ram" if a RAM file system refused and nothing else was asked for; else "".
    """

    step: Step
    reason: str
    position: int = 0
    place: str = ""


class Copies(Protocol):
    """The copies within reach of one process."""

    def submit(self, work: CopyWork, reply: Reply) -> None:
        """Queue a piece of work.

        Args:
            work: what to do.
            reply: takes its event, if it has one.
        """
        ...
