"""Sums of integers that go on by themselves, in order, over a line or by its hosts.

Theory of operation. By hosts a sum has three stages: members of a host give each other parts and
add them up, members at one place of all hosts sum their part, and members of a host put the parts
together. So what travels between hosts is one member's share a host, whatever the number of
members. Integers make it the same bits.

A stage begins when the one before has ended, as somebody looks. On each line all members must begin
in one order: so a sum never overtakes the one before it, and the first and the third stage, which
the same members do, have a line each.
"""

from collections.abc import Generator

from torch import Tensor

from qmpi.training.comm.line import Comm
from qmpi.training.comm.pending import Pending
from qmpi.training.comm.pieces import even_counts, pieces

Stages = Generator[Pending, Tensor, None]


class Sum:
    """One sum under way."""

    def __init__(self, stages: Stages) -> None:
        """Begin the first stage.

        Args:
            stages: of the sum.
        """
        self._stages, self.begun = stages, 1
        self._pending: Pending | None = next(stages)

    @property
    def has_ended(self) -> bool:
        """Whether its last stage was waited for."""
        return self._pending is None

    @property
    def waits(self) -> bool:
        """Whether the stage in hand goes on, as far as can be seen without a wait."""
        return self._pending is not None and not self._pending.calls_ended

    def advance(self) -> None:
        """Wait for the stage in hand, and begin the next one if there is any."""
        if self._pending is not None:
            result = self._pending.wait()
            try:
                self._pending = self._stages.send(result)
            except StopIteration:
                self._pending = None
            self.begun += 1


class Sums:
    """Sums over one line, in place, in the order in which they begin."""

    def __init__(self, line: Comm) -> None:
        """Begin none yet.

        Args:
            line: the members, and its lines by host if it has any.
        """
        self._line = line
        self._sums = list[Sum]()

    @property
    def is_under_way(self) -> bool:
        """Whether sums have begun that were not waited for."""
        return bool(self._sums)

    @property
    def goes_on(self) -> bool:
        """Whether one of them goes on, as far as can be seen without a wait."""
        return any(each.waits for each in self._sums)

    def begin(self, tensor: Tensor) -> None:
        """Begin a sum.

        Args:
            tensor: int32, contiguous, of as many elements everywhere; it belongs to the sum until
                `wait` has returned, and for good once `PeerLost` was raised.

        Raises:
            PeerLost: a member is gone, or this one is told to leave.
        """
        for piece in pieces(tensor):
            if piece.numel():
                self._sums.append(Sum(self._stages(piece)))

    def look(self) -> None:
        """Begin the stages whose turn has come; waits for nothing.

        Raises:
            PeerLost: a member is gone, or this one is told to leave.
        """
        before: Sum | None = None
        for each in self._sums:
            while not (each.waits or each.has_ended):
                if before is not None and each.begun >= before.begun:
                    break
                each.advance()
            before = each

    def wait(self) -> None:
        """Wait for all.

        Raises:
            PeerLost: a member is gone, or this one is told to leave.
        """
        while not all(each.has_ended for each in self._sums):
            for each in self._sums:
                each.advance()
        self._sums.clear()

    def _stages(self, piece: Tensor) -> Stages:
        by_host = self._line.by_host
        # Each member must have a part, or its stages would not be those of the others.
        if by_host is None or len(piece) < by_host.scatter.size:
            yield self._line.start.allreduce(piece)
            return
        scatter, across, gather = by_host
        counts = even_counts(len(piece), scatter.size)
        part = yield scatter.start.sum_scattered(piece, counts)
        part = yield across.start.allreduce(part)
        whole = yield gather.start.allgather(part, counts)
        piece.copy_(whole)
