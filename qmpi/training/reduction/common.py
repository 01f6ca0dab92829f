"""What ranks of a team hold in common, within sums over the data axis.

Theory of operation. Each rank adds its share of the gradient of what is common (see
`qmpi.model.partition`) as integers, like any lane's. So the whole sum is one more sum of integers
along each axis with something in common: of some chunks over the tensor axis, of all over that of
the context. These must be on one grid, so what they need is the largest that a rank of the axis
needs. Ranks that see other tokens also add up what they tell beside the gradient.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Protocol

import torch
from torch import Tensor

from qmpi.model.partition import CommonAlong
from qmpi.training.flat_state import Layout


class AxisLine(Protocol):
    """Ranks of an axis; a `Comm` is one."""

    @property
    def size(self) -> int:
        """How many they are."""
        ...

    def allreduce(self, tensor: Tensor) -> None:
        """Sum over the ranks, in place."""
        ...

    def maximum(self, tensor: Tensor) -> None:
        """Take the largest over the ranks, in place."""
        ...


class Within(Protocol):
    """What the ranks of a team agree on within a sum over the data axis."""

    def maximum(self, needs: Tensor) -> None:
        """Take the largest need of the ranks, where chunks are common; int32 [chunks], in place."""
        ...

    def add_up(self, total: Tensor, outliers: Tensor) -> None:
        """Add the ranks' shares of what is common; flat, of all parameters and tables, in place."""
        ...

    def gather(self, counts: Tensor) -> None:
        """Add what others have counted beside the gradient; int32, in place."""
        ...

    def any_of(self, flags: Sequence[bool]) -> tuple[bool, ...]:
        """Return of each flag whether it is up on some rank of the team."""
        ...


class Alone:
    """A team of one rank."""

    def maximum(self, needs: Tensor) -> None:
        """Do nothing: its needs are all there are.

        Args:
            needs: int32 [chunks].
        """

    def add_up(self, total: Tensor, outliers: Tensor) -> None:
        """Do nothing: it has the whole gradient.

        Args:
            total: flat.
            outliers: flat.
        """

    def gather(self, counts: Tensor) -> None:
        """Do nothing: it has counted all.

        Args:
            counts: int32.
        """

    def any_of(self, flags: Sequence[bool]) -> tuple[bool, ...]:
        """Return the flags.

        Args:
            flags: of this rank.
        """
        return tuple(flags)


ALONE = Alone()


class Common:
    """What the ranks of an axis hold in common, and where that lies."""

    def __init__(self, layout: Layout, along: CommonAlong) -> None:
        """Find it.

        Args:
            layout: of the parameters.
            along: what is common.
        """
        self.axis, self._tells = along.axis, along.tells
        elements, chunks = list[slice](), list[slice]()
        firsts = accumulate((slot.chunks for slot in layout.slots), initial=0)
        for slot, first in zip(layout.slots, firsts, strict=False):
            if slot.name in along.names:
                elements.append(slice(slot.start, slot.start + slot.size))
                chunks.append(slice(first, first + slot.chunks))
        if len(elements) == len(layout.slots):
            # Padding is zero: as one run it need not be put together.
            elements, chunks = [slice(0, layout.total)], [slice(0, layout.chunks)]
        self._elements, self._chunks = elements, chunks
        self.left = elements if along.place else []
        """Elements that the rank leaves to another one to count; the first counts all."""

    def maximum(self, line: AxisLine, needs: Tensor) -> None:
        """Agree on what the chunks need.

        Args:
            line: ranks of the axis.
            needs: int32 [chunks] of all parameters; changed where they are common.
        """
        _through(line.maximum, needs, self._chunks)

    def add_up(self, line: AxisLine, total: Tensor, outliers: Tensor) -> None:
        """Add the ranks' shares.

        Args:
            line: ranks of the axis.
            total: flat, of all parameters; changed where they are common.
            outliers: flat, of all tables; changed if tables are common.
        """
        _through(line.allreduce, total, self._elements)
        if self._tells and outliers.numel():
            line.allreduce(outliers)

    def gather(self, line: AxisLine, counts: Tensor) -> None:
        """Add what the ranks have counted, if each has counted other tokens.

        Args:
            line: ranks of the axis.
            counts: int32; changed.
        """
        if self._tells:
            line.allreduce(counts)


def _through(operation: Callable[[Tensor], None], flat: Tensor, spans: list[slice]) -> None:
    """Let an operation change some spans of a buffer, as one tensor."""
    if len(spans) == 1:
        operation(flat[spans[0]])
        return
    if not spans:
        return
    together = torch.cat([flat[span] for span in spans])
    operation(together)
    sizes = [span.stop - span.start for span in spans]
    for span, part in zip(spans, together.split(sizes), strict=True):
        flat[span].copy_(part)
