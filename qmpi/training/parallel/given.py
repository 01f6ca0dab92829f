"""Gradients on their way to the ranks that hold the parameters.

Theory of operation. Ranks along an axis see other tokens with the same weights, so each has a share
of a lane's gradient. A share goes to the holder as it is, and the holder adds the shares of all
ranks to its sum as integers, as if they were so many lanes: these are the integers, and so the
bits, that come of it where every rank sums all and the ranks add their sums (`within_teams`). A
rank has room for the sums of what it holds alone.

Autograd finishes gradients in one order on all ranks, for they run one program. They wait until
there is enough to send, and for the end of the lane at most. A rank of R sends on average
(R - 1) / R of its gradients, in the type that they come in, once a lane.
"""

from typing import NamedTuple

from torch import Tensor

from qmpi.training.flat_state import Layout, Slot
from qmpi.training.parallel.owners import Form, Owners
from qmpi.training.reduction.kinds import Sum

ENOUGH_BYTES = 1 << 23
"""Gradients are sent when they make so many; all ranks must have the same."""


class Waiting(NamedTuple):
    """A gradient that has not been sent.

    Attributes:
        name: of the parameter.
        gradient: of its shape, or flat.
    """

    name: str
    gradient: Tensor


class Given:
    """Gradients of one rank, and those that others give it."""

    def __init__(self, owners: Owners, layout: Layout, enough_bytes: int = ENOUGH_BYTES) -> None:
        """Begin without any.

        Args:
            owners: who holds what.
            layout: of what this rank holds.
            enough_bytes: that are sent together; the same on all ranks.
        """
        self._owners, self._enough = owners, enough_bytes
        self._own = {slot.name: (number, slot) for number, slot in enumerate(layout.slots)}
        self._waiting, self._bytes = list[Waiting](), 0

    def begin_pass(self) -> None:
        """Drop what an aborted pass left."""
        self._waiting, self._bytes = [], 0

    def add(self, total: Sum, slot: Slot, gradient: Tensor) -> None:
        """Take this rank's share of a lane's gradient of a parameter.

        Args:
            total: of what this rank holds.
            slot: of the parameter, among all that is computed with.
            gradient: stays as it is until the lane ends, or `flush` is called.

        Raises:
            PeerLost: a rank is gone.
        """
        if not self._owners.shares_out(slot.name):
            total.add(*self._own[slot.name], gradient)
            return
        self._waiting.append(Waiting(slot.name, gradient))
        self._bytes += gradient.numel() * gradient.element_size()
        if self._bytes >= self._enough:
            self.flush(total)

    def flush(self, total: Sum) -> None:
        """Send what waits, and add what comes; before the lane ends.

        Args:
            total: of what this rank holds.

        Raises:
            PeerLost: a rank is gone.
        """
        waiting, owners = self._waiting, self._owners
        self.begin_pass()
        if not waiting:
            return
        given: list[list[Tensor]] = [[] for _ in range(owners.ranks)]
        own = list[Waiting]()
        for one in waiting:
            owner = owners.of(one.name)
            if owner == owners.place:
                own.append(one)
            else:
                given[owner].append(one.gradient)
        forms = [Form(tuple(one.gradient.shape), one.gradient.dtype) for one in own]
        wanted = [[] if place == owners.place else forms for place in range(owners.ranks)]
        shares = owners.exchanged(given, wanted)
        shares[owners.place] = [one.gradient for one in own]
        for share in shares:
            for one, gradient in zip(own, share, strict=True):
                total.add(*self._own[one.name], gradient)
            # A gradient of the same parameter comes again.
            total.fold()
