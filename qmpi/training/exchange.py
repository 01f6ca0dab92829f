"""Runs of a state that members give one another, as bytes, in rounds.

Theory of operation. All members have the same list of transfers, so all know who sends what in
which round, and nothing carries a tag. In a round each member sends at most `ROUND` elements; what
comes is written before the next round begins, so little is under way and little is left behind
after an abort.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from qmpi.training.division import Transfer, rounds

ROUND = 1 << 22
"""Elements that a member sends in a round at most."""


class Peers(Protocol):
    """Those that exchange; a `Comm` is one."""

    index: int
    size: int

    def alltoall(self, tensor: Tensor, sent: Sequence[int], received: Sequence[int]) -> Tensor:
        """Send each member some rows, and receive some of each."""
        ...


class Runs(Protocol):
    """What runs of elements are read from and written to."""

    device: torch.device

    def size(self, first: int, end: int) -> int:
        """Return the bytes of some elements."""
        ...

    def read(self, spans: Sequence[tuple[int, int]]) -> list[Tensor]:
        """Return the bytes of each run, uint8, flat."""
        ...

    def write(self, first: int, end: int, data: Tensor) -> None:
        """Take the bytes of some elements."""
        ...


def exchange(
    peers: Peers, planned: Sequence[Transfer], runs: Runs, size: int | None = ROUND
) -> None:
    """Carry out transfers; every member calls this with the same ones.

    Args:
        peers: the members.
        planned: transfers; those within a member are copies.
        runs: of this member.
        size: elements that a member sends in a round at most, a multiple of a block; None: all of
            them, none cut.

    Raises:
        PeerLost: a member is gone.
    """
    kept = [t for t in planned if t.source == t.target == peers.index]
    for t in kept:
        runs.write(t.first, t.end, runs.read([(t.first, t.end)])[0])
    for batch in rounds([t for t in planned if t.source != t.target], peers.size, size):
        _round(peers, batch, runs)


def brought(peers: Peers, mine: Tensor, size: int, source: int, keeper: int) -> Tensor:
    """Bring bytes from one member to another; every member calls this.

    Args:
        peers: the members.
        mine: uint8; the bytes at the source, elsewhere empty.
        size: bytes that come.
        source: member that has them.
        keeper: member that gets them; itself, if it is the source.

    Returns:
        The bytes at the keeper; elsewhere empty.

    Raises:
        PeerLost: a member is gone.
    """
    if source == keeper:
        return mine
    sent, received = [0] * peers.size, [0] * peers.size
    if peers.index == source:
        sent[keeper] = mine.numel()
    if peers.index == keeper:
        received[source] = size
    return peers.alltoall(mine, sent, received)


def _round(peers: Peers, batch: Sequence[Transfer], runs: Runs) -> None:
    me = peers.index
    given = sorted((t for t in batch if t.source == me), key=lambda t: t.target)
    taken = sorted((t for t in batch if t.target == me), key=lambda t: t.source)
    sent, received = [0] * peers.size, [0] * peers.size
    for t in given:
        sent[t.target] += runs.size(t.first, t.end)
    for t in taken:
        received[t.source] += runs.size(t.first, t.end)
    parts = runs.read([(t.first, t.end) for t in given])
    empty = torch.empty(0, dtype=torch.uint8, device=runs.device)
    came = peers.alltoall(torch.cat([empty, *parts]), sent, received)
    sizes = [runs.size(t.first, t.end) for t in taken]
    for t, data in zip(taken, came.split(sizes), strict=True):
        runs.write(t.first, t.end, data)
