"""Which elements of the parameters share a grid, and what the largest of them needs."""

from collections.abc import Iterator

import torch
from torch import Tensor

from qmpi.training.flat_state import CHUNK, Layout, Slot
from qmpi.training.reduction.exponents import FLOOR, powers
from qmpi.training.reduction.integers import spread
from qmpi.training.reduction.within_teams import Within


class Grids:
    """The chunks of some parameters, each with a grid of its own.

    Attributes:
        slots: the parameters.
        count: of chunks.
        elements: of the parameters.
    """

    def __init__(
        self,
        layout: Layout,
        device: torch.device,
        *,
        by_row: bool,
        slots: tuple[Slot, ...] | None = None,
    ) -> None:
        """Cut parameters into chunks.

        Args:
            layout: of all parameters.
            device: where gradients live.
            by_row: rows of tables have grids of their own; else neighbours share one.
            slots: those that are meant; None: all.
        """
        self.slots = layout.slots if slots is None else slots
        self._chunks = {slot.name: _chunk(slot, by_row=by_row) for slot in self.slots}
        self._places = dict[str, slice]()
        self.count = 0
        for slot in self.slots:
            many = -(-slot.size // self._chunks[slot.name])
            self._places[slot.name] = slice(self.count, self.count + many)
            self.count += many
        self.elements = sum(slot.size for slot in self.slots)
        self._layout = layout
        self._own = self._own_of(layout).to(device)

    def chunk(self, slot: Slot) -> int:
        """Return the elements of a parameter that share a grid; the last may be fewer.

        Args:
            slot: of the parameter.
        """
        return self._chunks[slot.name]

    def place(self, slot: Slot) -> slice:
        """Return where the grids of a parameter are among all.

        Args:
            slot: of the parameter.
        """
        return self._places[slot.name]

    def cells(self, flat: Tensor) -> Iterator[tuple[Tensor, slice]]:
        """Cut a buffer of all parameters into matrices with a grid for each row.

        Args:
            flat: of any type.

        Yields:
            A view, [grids, elements of each], and where the grids are among all.
        """
        for slot in self.slots:
            chunk, at = self._chunks[slot.name], self._places[slot.name].start
            whole = slot.size // chunk
            middle, end = slot.start + whole * chunk, slot.start + slot.size
            if whole:
                yield flat[slot.start : middle].view(whole, chunk), slice(at, at + whole)
            if middle < end:
                yield flat[middle:end].view(1, -1), slice(at + whole, at + whole + 1)

    def largest(self, flats: list[Tensor]) -> Tensor:
        """Return the magnitude of the largest element of each chunk in any of some buffers.

        Args:
            flats: float32.

        Returns:
            float32 [count]; NaN where an element is; zero if there is no buffer.
        """
        largest = torch.zeros(self.count, device=self._own.device)
        for flat in flats:
            for cell, grids in self.cells(flat):
                found = torch.maximum(cell.amax(1), -cell.amin(1))
                torch.maximum(largest[grids], found, out=largest[grids])
        return largest

    def agree(self, team: Within, needs: Tensor) -> None:
        """Take the largest need of the ranks of a team, where parameters are common.

        Args:
            team: the ranks.
            needs: int32 [count], changed in place.
        """
        by_chunk = torch.full((self._layout.chunks,), FLOOR, dtype=torch.int32, device=needs.device)
        meant = self._own >= 0
        by_chunk[meant] = needs[self._own[meant]]
        team.maximum(by_chunk)
        needs.scatter_reduce_(0, self._own[meant], by_chunk[meant], "amax")

    def _own_of(self, layout: Layout) -> Tensor:
        """Return which grid each chunk of the layout is in, int64; -1: in none."""
        own: list[Tensor] = []
        for slot in layout.slots:
            if slot.name in self._chunks:
                starts = torch.arange(slot.chunks) * slot.chunk
                own.append(starts // self._chunks[slot.name] + self._places[slot.name].start)
            else:
                own.append(torch.full((slot.chunks,), -1))
        return torch.cat(own)


def _chunk(slot: Slot, *, by_row: bool) -> int:
    if by_row or not slot.is_table:
        return slot.chunk
    # Whole rows: a chunk of the layout lies in one of these.
    return slot.chunk * max(1, CHUNK // slot.chunk)


def add_rounded(grids: Grids, flat: Tensor, needs: Tensor, bits: int, total: Tensor) -> None:
    """Add a lane's elements to a sum as integers, and take from the lane what they stand for.

    Args:
        grids: of the parameters.
        flat: what the lane has, float32; what rounding leaves stays.
        needs: of the grids, int32 [grids].
        bits: of the lane's integers; they are below 2 ** bits.
        total: int32, flat.
    """
    scales, units, most = powers(bits - needs), powers(needs - bits), (1 << bits) - 1
    for (has, here), (sums, _) in zip(grids.cells(flat), grids.cells(total), strict=True):
        whole = (has * scales[here].unsqueeze(1)).round_().clamp_(-most, most)
        sums.add_(whole.to(torch.int32))
        # Exact: a float32 holds what rounding leaves of a float32.
        has.addcmul_(whole, units[here].unsqueeze(1), value=-1.0)


def write_mean(grids: Grids, total: Tensor, units: Tensor, lanes: int, gradient: Tensor) -> None:
    """Multiply a sum of integers by what 1 stands for, and divide it by the lanes.

    Args:
        grids: of the parameters.
        total: int32, flat.
        units: powers of two that 1 stands for, int32 [grids].
        lanes: of the step.
        gradient: float32, overwritten; may be the memory of `total`.
    """
    values = (powers(units).to(torch.float64) / lanes).to(torch.float32)
    for slot in grids.slots:
        span = slice(slot.start, slot.start + slot.size)
        spread(total[span], values[grids.place(slot)], grids.chunk(slot), gradient[span])
