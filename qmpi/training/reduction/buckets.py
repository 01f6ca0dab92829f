"""Sums over the members that begin while the last lane is computed.

Theory of operation. Backward passes come to the last layer first. The matrices of the blocks stand
first in the flat gradient, in model order; they are cut into buckets, from the last to the first.
As soon as a member has the gradients of all its lanes of a bucket, that sum begins, and goes on
behind what is still computed. Integers need no agreement before: whether the pass is of use is
agreed on at the end, and if it is not, what was sent was sent for nothing.

Members must begin the same sums in the same order, whatever lanes they compute. So buckets and
their order follow from the layout alone; a bucket waits for the one before it; and what has not
begun when the lanes are done begins then, before anything else is said. A member without a lane
begins all at once. Tables, vectors and what lies beside the gradient are summed at the end, since
what a table gives depends on what was agreed.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch import Tensor

from qmpi.training.comm.line import Comm
from qmpi.training.comm.sums import Sums
from qmpi.training.flat_state import Layout
from qmpi.training.stopwatch import Stopwatch

BUCKET_BYTES = 2**20
"""A bucket is closed when it has so many. All members must have the same."""

INT_BYTES = 4


class Bucket(NamedTuple):
    """Parameters that are summed together.

    Attributes:
        numbers: of them in the layout.
        span: elements of the flat gradient, padding included.
    """

    numbers: tuple[int, ...]
    span: slice


def buckets_of(layout: Layout, least_bytes: int) -> tuple[Bucket, ...]:
    """Cut the matrices of the blocks into buckets, the last of the model first.

    Args:
        layout: of the parameters.
        least_bytes: of each bucket but the last one, as int32.

    Returns:
        Buckets that make up the first `layout.hidden` elements; a function of the arguments alone.
    """
    starts = {slot.start: number for number, slot in enumerate(layout.slots)}
    buckets, numbers, end = list[Bucket](), list[int](), layout.hidden
    for start in sorted((start for start in starts if start < layout.hidden), reverse=True):
        numbers.append(starts[start])
        if not start or (end - start) * INT_BYTES >= least_bytes:
            buckets.append(Bucket(tuple(numbers), slice(start, end)))
            numbers, end = [], start
    return tuple(buckets)


class EarlySums:
    """The sums of one pass that begin early; none, until a pass says so.

    Attributes:
        is_on: the pass begins some.
    """

    def __init__(self, layout: Layout, least_bytes: int = BUCKET_BYTES) -> None:
        """Find the buckets.

        Args:
            layout: of the parameters.
            least_bytes: as `buckets_of` takes them; the same on all members.
        """
        self._buckets = buckets_of(layout, least_bytes)
        self._hidden = layout.hidden
        self.forget()

    def forget(self) -> None:
        """Begin nothing early, and wait for nothing any more."""
        self._sums: Sums | None = None
        self._watch: Stopwatch | None = None
        self._lanes = self._begun = 0

    def expect(self, line: Comm, lanes: int, watch: Stopwatch) -> None:
        """Begin sums early in this pass.

        Args:
            line: the members.
            lanes: that this one computes.
            watch: told what goes on behind the computing.
        """
        if line.size > 1:
            self._sums, self._lanes, self._watch = Sums(line), lanes, watch

    @property
    def end(self) -> int:
        """Elements of the flat gradient, from the first, that are summed in buckets."""
        return self._hidden if self._sums is not None else 0

    @property
    def is_under_way(self) -> bool:
        """Whether sums have begun that nobody has waited for."""
        return self._sums is not None and self._sums.is_under_way

    def ready(self, added: Sequence[int], *, over: bool = False) -> Iterator[Bucket]:
        """Yield buckets whose sums are to begin now, in order.

        Args:
            added: how many lanes of each parameter have been added.
            over: the lanes are done: no more will be.
        """
        while self._sums is not None and self._begun < len(self._buckets):
            bucket = self._buckets[self._begun]
            if not over and any(added[number] < self._lanes for number in bucket.numbers):
                break
            self._begun += 1
            yield bucket

    def begin(self, total: Tensor) -> None:
        """Begin the sum of a bucket.

        Args:
            total: int32, its elements; they belong to the sum until `wait` has returned.

        Raises:
            PeerLost: a member is gone, or this one is told to leave.
        """
        if self._sums is not None:
            self._sums.begin(total)

    def look(self, *, computing: bool) -> None:
        """Let sums go on, and tell the watch whether one is under way.

        Args:
            computing: something is computed from now on, so that it is hidden.

        Raises:
            PeerLost: a member is gone, or this one is told to leave.
        """
        if self._sums is not None and self._watch is not None:
            self._sums.look()
            self._watch.behind(under_way=computing and self._sums.goes_on)

    def finish(self, line: Comm, rest: Tensor) -> None:
        """Sum what is left, and wait for all that has begun.

        Args:
            line: the members.
            rest: int32: what follows the buckets.

        Raises:
            PeerLost: a member is gone, or this one is told to leave.
        """
        if self._sums is None:
            line.allreduce(rest)
        else:
            self._sums.begin(rest)
            self._sums.wait()

    def wait(self) -> None:
        """Wait for all sums that have begun.

        Raises:
            PeerLost: a member is gone, or this one is told to leave.
        """
        if self._sums is not None:
            self._sums.wait()
