"""Moments of a run of elements: one buffer, cut into what an optimizer reads.

Theory of operation. The moments of all elements stand in rows: first moments, second moments, those
in eight bits as codes and scales. A row lacks the elements that have no such moment. A run of
elements has the same rows, so that the moments of a whole state are those of the run that holds
all; and what one run gives another travels as the bytes of its rows, one after the other.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from qmpi.model.shape import MOMENT_BLOCK
from qmpi.units import Bytes

ALIGN = 64
"""Bytes of a cache line; each view starts on a multiple."""

ROWS = 6
"""First and second moments in float32; codes of both; scales of both."""


class Kinds(NamedTuple):
    """Which elements have which moments.

    Attributes:
        eight: elements, from the first on, whose moments are in eight bits.
        second: first element that has a second moment in float32.
    """

    eight: int
    second: int


def padded(count: int, multiple: int) -> int:
    """Return `count` rounded up to a multiple."""
    return -(-count // multiple) * multiple


def row_bytes(kinds: Kinds, first: int, end: int) -> tuple[int, ...]:
    """Return the bytes of each row of a run.

    Args:
        kinds: which elements have which moments.
        first: element; a multiple of a block where moments are in eight bits.
        end: behind the last; likewise.
    """
    eight = max(0, min(end, kinds.eight) - first)
    floats = (4 * max(0, end - max(first, begin)) for begin in (kinds.eight, kinds.second))
    scales = padded(4 * (eight // MOMENT_BLOCK), ALIGN)
    return (*floats, eight, eight, scales, scales)


class Moments:
    """The moments of one run of elements.

    Attributes:
        first: element.
        end: behind the last.
        raw: the buffer.
        exp_avg: first moments in float32.
        exp_avg_sq: second moments in float32.
        eights: codes of first and second moments, uint8; scales of both, float32 one a block.
    """

    def __init__(self, kinds: Kinds, first: int, end: int, buffer: Tensor) -> None:
        """Cut a buffer.

        Args:
            kinds: which elements have which moments.
            first: element.
            end: behind the last.
            buffer: uint8, of as many bytes as the rows have together.
        """
        self.first, self.end, self._kinds = first, end, kinds
        self.raw = buffer
        rows = buffer.split(row_bytes(kinds, first, end))
        self.exp_avg, self.exp_avg_sq = (row.view(torch.float32) for row in rows[:2])
        self.eights = (rows[2], rows[3], *(row.view(torch.float32) for row in rows[4:]))

    @property
    def size(self) -> Bytes:
        """Bytes of the buffer."""
        return Bytes(self.raw.numel())

    def fill(self, payload: Tensor) -> None:
        """Take over the bytes of another buffer of the same run."""
        self.raw.copy_(payload)

    def clear(self) -> None:
        """Let all be zero."""
        self.raw.zero_()

    def holds(self, first: int, end: int) -> bool:
        """Return whether all elements of a run are among these."""
        return self.first <= first and end <= self.end

    def firsts(self, run: slice) -> Tensor:
        """Return first moments in float32 of some elements, all of which have them."""
        return _of(self.exp_avg, run, max(self.first, self._kinds.eight))

    def seconds(self, run: slice) -> Tensor:
        """Return second moments in float32 of some elements, all of which have them."""
        return _of(self.exp_avg_sq, run, max(self.first, self._kinds.second))

    def stored(self, run: slice) -> tuple[Tensor, ...]:
        """Return moments in eight bits, as they are stored.

        Args:
            run: whole blocks.

        Returns:
            Codes of first and second moments, uint8 [n]; their scales, float32 [n / MOMENT_BLOCK].
        """
        at = self.first
        blocks = slice((run.start - at) // MOMENT_BLOCK, (run.stop - at) // MOMENT_BLOCK)
        first, second, first_scales, second_scales = self.eights
        codes = (_of(row, run, at) for row in (first, second))
        return (*codes, first_scales[blocks], second_scales[blocks])

    def bytes_of(self, first: int, end: int) -> list[Tensor]:
        """Return the bytes of some elements: a view, uint8, of each row; scales without padding.

        Args:
            first: element; a multiple of a block where moments are in eight bits.
            end: behind the last; likewise.
        """
        eight, second = self._kinds
        rows = [
            self.firsts(slice(max(first, eight), max(end, eight, first))),
            self.seconds(slice(max(first, second), max(end, second, first))),
        ]
        rows += self.stored(slice(min(first, eight), max(min(end, eight), min(first, eight))))
        return [row.view(torch.uint8) for row in rows]


def wire_bytes(kinds: Kinds, first: int, end: int) -> tuple[int, ...]:
    """Return the bytes of some elements, of each row; scales without padding.

    Args:
        kinds: which elements have which moments.
        first: element.
        end: behind the last.
    """
    *rows, _, _ = row_bytes(kinds, first, end)
    scales = rows[-1] // MOMENT_BLOCK * 4
    return (*rows, scales, scales)


def _of(row: Tensor, run: slice, at: int) -> Tensor:
    return row[max(0, run.start - at) : max(0, run.stop - at)]
