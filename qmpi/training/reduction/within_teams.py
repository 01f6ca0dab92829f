"""What the ranks of a team's tensor axis hold in common, within sums over the data axis.

Theory of operation. Each rank adds its share of the gradient of what is common (see
`qmpi.model.partition`) as integers, like any lane's. So the whole sum is one more sum of integers,
over the tensor axis, of some chunks; and these must be on one grid, so what they need is the
largest that a rank of the axis needs.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Protocol

import torch
from torch import Tensor

from qmpi.training.flat_state import Layout


class TensorLine(Protocol):
    """Ranks of the tensor axis; a `Comm` is one."""

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

    def add_up(self, total: Tensor) -> None:
        """Add the ranks' shares of what is common; flat, of all parameters, in place."""
        ...

    def gather(self, counts: Tensor) -> None:
        """Add what other stages have counted beside the gradient; int32, in place."""
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

    def add_up(self, total: Tensor) -> None:
        """Do nothing: it has the whole gradient.

        Args:
            total: flat.
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
    """Where what is common lies."""

    def __init__(self, layout: Layout, names: frozenset[str]) -> None:
        """Find it.

        Args:
            layout: of the parameters.
            names: of those that are common.
        """
        firsts = accumulate((slot.chunks for slot in layout.slots), initial=0)
        self._elements, self._chunks = list[slice](), list[slice]()
        for slot, first in zip(layout.slots, firsts, strict=False):
            if slot.name in names:
                self._elements.append(slice(slot.start, slot.start + slot.size))
                self._chunks.append(slice(first, first + slot.chunks))

    def maximum(self, line: TensorLine, needs: Tensor) -> None:
        """Agree on what the chunks need.

        Args:
            line: ranks of the tensor axis.
            needs: int32 [chunks] of all parameters; changed where they are common.
        """
        if line.size > 1 and self._chunks:
            _through(line.maximum, needs, self._chunks)

    def add_up(self, line: TensorLine, total: Tensor) -> None:
        """Add the ranks' shares.

        Args:
            line: ranks of the tensor axis.
            total: flat, of all parameters; changed where they are common.
        """
        if line.size > 1 and self._elements:
            _through(line.allreduce, total, self._elements)

    def count_once(self, share: int) -> list[slice]:
        """Return the elements that a rank leaves to another one to count.

        Args:
            share: its place along the tensor axis; the first counts all.
        """
        return self._elements if share else []


def _through(operation: Callable[[Tensor], None], flat: Tensor, spans: list[slice]) -> None:
    """Let an operation change some spans of a buffer, as one tensor."""
    together = torch.cat([flat[span] for span in spans])
    operation(together)
    sizes = [span.stop - span.start for span in spans]
    for span, part in zip(spans, together.split(sizes), strict=True):
        flat[span].copy_(part)
