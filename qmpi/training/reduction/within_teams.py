"""What ranks of a team hold in common along an axis, within sums over the data axis.

Theory of operation. Each rank adds its share of the gradient of what is common (see
`qmpi.model.partition`) as integers, like any lane's. So the whole sum is one more sum of integers,
over the axis, of some chunks; and these must be on one grid, so what they need is the largest that
a rank of the axis needs. Rows of tables that do not fit lie beside the sum; which they are follows
from the needs, so where tables are common these add up too. What is common along several axes is
added up along one after the other.
"""

from collections.abc import Callable, Collection, Sequence
from itertools import accumulate
from typing import Protocol

import torch
from torch import Tensor

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

    def add_up(self, total: Tensor, beside: Tensor) -> None:
        """Add the ranks' shares of what is common, in place.

        `total` is flat, of all parameters; `beside` has the rows of tables that do not fit.
        """
        ...

    def gather(self, counts: Tensor) -> None:
        """Add what other ranks of the team have counted beside the gradient; int32, in place."""
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

    def add_up(self, total: Tensor, beside: Tensor) -> None:
        """Do nothing: it has the whole gradient.

        Args:
            total: flat.
            beside: likewise.
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
    """Where what is common along one axis lies."""

    def __init__(self, layout: Layout, names: frozenset[str]) -> None:
        """Find it.

        Args:
            layout: of the parameters.
            names: of those that are common.
        """
        firsts = accumulate((slot.chunks for slot in layout.slots), initial=0)
        self._elements, self._chunks = elements_of(layout, names), list[slice]()
        self._has_tables = any(slot.is_table and slot.name in names for slot in layout.slots)
        for slot, first in zip(layout.slots, firsts, strict=False):
            if slot.name in names:
                self._chunks.append(slice(first, first + slot.chunks))

    def maximum(self, line: AxisLine, needs: Tensor) -> None:
        """Agree on what the chunks need.

        Args:
            line: ranks of the axis.
            needs: int32 [chunks] of all parameters; changed where they are common.
        """
        if line.size > 1 and self._chunks:
            _through(line.maximum, [needs[span] for span in self._chunks])

    def add_up(self, line: AxisLine, total: Tensor, beside: Tensor) -> None:
        """Add the ranks' shares.

        Args:
            line: ranks of the axis.
            total: flat, of all parameters; changed where they are common.
            beside: rows of tables that do not fit; changed if tables are common.
        """
        if line.size > 1 and self._elements:
            parts = [total[span] for span in self._elements]
            _through(line.allreduce, [*parts, beside] if self._has_tables else parts)


def elements_of(layout: Layout, names: Collection[str]) -> list[slice]:
    """Return where some parameters lie, in order.

    Args:
        layout: of all.
        names: which.
    """
    return [
        slice(slot.start, slot.start + slot.size) for slot in layout.slots if slot.name in names
    ]


def _through(operation: Callable[[Tensor], None], parts: list[Tensor]) -> None:
    """Let an operation change some spans of buffers, as one tensor."""
    together = torch.cat(parts)
    operation(together)
    for own, part in zip(parts, together.split([own.numel() for own in parts]), strict=True):
        own.copy_(part)
