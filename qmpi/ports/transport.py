"""Transport: carry bytes and frames between ranks, never block, tell who is lost.

Promises, held by one conformance suite. Messages of a pair of ranks arrive complete, once and in
order. A send returns at once however many went before. A rank's loss is told once, after all that
is delivered of that rank, and breaks nothing else. A message to a lost rank vanishes in silence,
since its loss is told anyway.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from qmpi.ports.base import Effect, Event, Frame
from qmpi.protocol.envelope import Address, Header
from qmpi.protocol.messages import Message
from qmpi.units import Bytes, Rank, Seconds


class Send(Effect, frozen=True):
    """Send a message; the driver fills the header."""

    to: Address
    message: Message
    frames: tuple[Frame, ...] = ()


class Received(Event, frozen=True):
    """A message arrived for this role."""

    header: Header
    message: Message
    frames: tuple[Frame, ...] = ()


class RankLost(Event, frozen=True):
    """The transport knows that a rank's process is gone."""

    rank: Rank
    reason: str


class Delivery(Struct, frozen=True):
    """A message that arrived."""

    source: Rank
    data: bytes
    frames: tuple[Frame, ...]


class Transport(Protocol):
    """One rank's end of the network."""

    @property
    def rank(self) -> Rank:
        """This rank."""
        ...

    @property
    def size(self) -> int:
        """Ranks in all."""
        ...

    @property
    def pending_bytes(self) -> Bytes:
        """Bytes accepted for sending that have not left yet."""
        ...

    def send(self, to: Rank, data: bytes, frames: Sequence[Frame]) -> None:
        """Accept a message for sending; the buffers must stay as they are until they have left.

        Args:
            to: receiving rank; this rank itself is allowed.
            data: encoded header and message.
            frames: bulk bytes, of any number and size.
        """
        ...

    def poll(self, limit: int) -> list[Delivery]:
        """Let messages move, and take what has arrived.

        Args:
            limit: most messages to take.

        Returns:
            Messages; those of one source in the order they were sent.
        """
        ...

    def lost(self) -> list[tuple[Rank, str]]:
        """Return ranks newly known to be gone, with how it is known; each is told once."""
        ...

    def flush(self, deadline: Seconds) -> bool:
        """Let messages move until all have left.

        Args:
            deadline: moment, on the caller's clock, to give up at.

        Returns:
            True if nothing is pending.
        """
        ...

    def close(self) -> None:
        """Give up what is pending; the process may leave."""
        ...
