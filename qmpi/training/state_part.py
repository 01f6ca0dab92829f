"""The state that one position of a team holds, taken apart parameter by parameter, and made anew.

Theory of operation. All that a state knows of a parameter is spread over its elements: weights and
moments, and what stands for neighbours in the flat buffers, the exponent of a chunk and the scale
of a block of moments in eight bits, is given to each of them. So a cut of the parameter cuts all
alike. Back in buffers a chunk takes the largest exponent of its elements; a row of a table is a
chunk in every layout, and keeps its own. Elements of a block must share their scale.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from qmpi.config.settings import Settings
from qmpi.errors import CorruptData, InputError
from qmpi.model.partition import Cut, Partition
from qmpi.model.shape import MOMENT_BLOCK
from qmpi.training.flat_state import ALIGN, FlatState, Layout, Slot, lay_out
from qmpi.units import Bytes

WEIGHTS, EXPONENTS = "weights", "exponents"
FIRST, SECOND, FIRST_SCALE, SECOND_SCALE = "first", "second", "first scale", "second scale"

EVERY_FIELD = (WEIGHTS, FIRST, SECOND, FIRST_SCALE, SECOND_SCALE, EXPONENTS)
"""What a state may know of a parameter, in order of the digest of an unsharded state."""

Fields = dict[str, Tensor]
"""What a state knows of a parameter: a tensor of its shape by name of the field."""


def part_layout(settings: Settings, part: Partition) -> Layout:
    """Return where what a position holds lies in its buffers.

    Args:
        settings: the job.
        part: what it holds.
    """
    return _laid_out(settings, part, part.cuts)


def computed_layout(settings: Settings, part: Partition) -> Layout:
    """Return how what a position computes with would lie if it held it all.

    Args:
        settings: the job.
        part: what it holds.
    """
    return _laid_out(settings, part, part.computed)


def _laid_out(settings: Settings, part: Partition, cuts: Mapping[str, Cut]) -> Layout:
    shapes = {name: cut.own for name, cut in cuts.items()}
    layout = lay_out(shapes, settings.optimizer.kind, settings.train.masters)
    return replace(layout, shares=part.contributions)


class StatePart:
    """A position's payload; its bytes are read when they are asked for. What lanes keep is not.

    Attributes:
        names: of the parameters that it holds, and of biases of experts.
    """

    def __init__(self, layout: Layout, payload: memoryview, lanes: int = 0) -> None:
        """Find what it holds.

        Args:
            layout: of the position's state.
            payload: of its snapshot.
            lanes: that may keep something, behind the state.

        Raises:
            CorruptData: the snapshot is of another model.
        """
        # On this device there are places, and no memory.
        self._places = FlatState(layout, torch.device("meta"))
        total = self._places.total_bytes
        behind = payload.nbytes - total
        # Each lane keeps one number of an element at least.
        if behind < 0 or (behind and (not lanes or behind < 4 * lanes * layout.total)):
            raise CorruptData(
                f"a snapshot of {payload.nbytes} bytes does not fit this model, whose state takes "
                f"{total} bytes; it belongs to a run with another [model] section"
            )
        self._payload = payload[:total]
        self._slots = {slot.name: (slot, first) for slot, first in _numbered(layout)}
        self.names = frozenset(self._slots)

    @property
    def counters(self) -> bytes:
        """What of a state is of no parameter: counters, levels and loss scale."""
        return bytes(self._payload[:ALIGN])

    @property
    def weights(self) -> memoryview:
        """Bytes of the flat buffer of weights, padding included."""
        return self._bytes_of(self._places.params)

    def read(
        self, name: str, wanted: Collection[str] = EVERY_FIELD, index: tuple[slice, ...] = ()
    ) -> Fields:
        """Return copies of what is known of a parameter; no more than that is copied.

        Args:
            name: of the parameter.
            wanted: names of fields.
            index: of the elements within the part; empty: all.

        Returns:
            Those of the fields that there are, each of the shape of what is picked.
        """
        slot, first = self._slots[name]
        return {
            field: self._picked(place, field, slot, index)
            for field, place in _places_of(self._places, slot, first)
            if field in wanted
        }

    def _picked(self, place: Tensor, field: str, slot: Slot, index: tuple[slice, ...]) -> Tensor:
        if _run_of(field, slot) > 1:
            kept = torch.frombuffer(bytearray(self._bytes_of(place)), dtype=place.dtype)
            return _spread(kept, field, slot)[index]
        # As bytes, since numpy has no bfloat16.
        raw = np.frombuffer(self._bytes_of(place), np.uint8)
        picked = raw.reshape(*slot.shape, place.element_size())[index].copy()
        return torch.from_numpy(picked).view(place.dtype).squeeze(-1)

    def _bytes_of(self, place: Tensor) -> memoryview:
        size = place.element_size()
        start = place.storage_offset() * size
        return self._payload[start : start + place.numel() * size]


class NewPart:
    """A position's state, made of the fields of its parameters."""

    def __init__(self, layout: Layout, counters: bytes) -> None:
        """Make room.

        Args:
            layout: of the position's state.
            counters: as `StatePart.counters`.
        """
        self._state = FlatState(layout, torch.device("cpu"))
        self._state.buffers[0][:ALIGN] = torch.frombuffer(bytearray(counters), dtype=torch.uint8)
        self._slots = {slot.name: (slot, first) for slot, first in _numbered(layout)}

    def write(self, name: str, fields: Fields) -> None:
        """Set what is known of a parameter.

        Args:
            name: of the parameter.
            fields: each of the shape of the part; all that the layout has room for.

        Raises:
            InputError: a block of moments in eight bits would have several scales.
        """
        slot, first = self._slots[name]
        for field, place in _places_of(self._state, slot, first):
            place.copy_(_gathered(fields[field], field, slot))

    def payload(self) -> list[memoryview]:
        """Return the parts of its snapshot's payload, without a copy."""
        return self._state.to_parts()

    @property
    def size(self) -> Bytes:
        """Bytes of the payload."""
        return self._state.total_bytes


def _numbered(layout: Layout) -> Iterator[tuple[Slot, int]]:
    """Yield each slot with the number of its first chunk."""
    firsts = accumulate((slot.chunks for slot in layout.slots), initial=0)
    yield from zip(layout.slots, firsts, strict=False)


def _places_of(state: FlatState, slot: Slot, chunk: int) -> Iterator[tuple[str, Tensor]]:
    """Yield what a state keeps of a slot, flat, by name of the field."""
    layout, span = state.layout, slice(slot.start, slot.start + slot.size)
    yield WEIGHTS, state.params[span]
    yield EXPONENTS, state.exponents[chunk : chunk + slot.chunks]
    if slot.start < layout.eight:
        first = slot.start // MOMENT_BLOCK
        blocks = slice(first, first - (-slot.size // MOMENT_BLOCK))
        kept = zip((FIRST, SECOND, FIRST_SCALE, SECOND_SCALE), state.eights, strict=True)
        for field, place in kept:
            yield field, place[blocks if field in {FIRST_SCALE, SECOND_SCALE} else span]
        return
    moments = ((FIRST, state.exp_avg, layout.eight), (SECOND, state.exp_avg_sq, layout.second))
    for field, place, begin in moments:
        if slot.start >= begin:
            yield field, place[slot.start - begin : slot.start - begin + slot.size]


def _run_of(field: str, slot: Slot) -> int:
    """Return how many neighbours share one number of a field."""
    if field == EXPONENTS:
        return slot.chunk
    return MOMENT_BLOCK if field in {FIRST_SCALE, SECOND_SCALE} else 1


def _spread(kept: Tensor, field: str, slot: Slot) -> Tensor:
    """Give each element what is kept for it.

    Returns:
        As many values as elements, of the parameter's shape.
    """
    run = _run_of(field, slot)
    flat = kept if run == 1 else kept.repeat_interleave(run)[: slot.size]
    return flat.view(slot.shape)


def _gathered(values: Tensor, field: str, slot: Slot) -> Tensor:
    """Return what is kept of the elements' values.

    Raises:
        InputError: a block of moments in eight bits would have several scales.
    """
    flat, run = values.reshape(-1), _run_of(field, slot)
    if run == 1:
        return flat
    # The last run may be shorter: its end is filled with what it ends with.
    short = -flat.numel() % run
    runs = torch.cat([flat, flat[-1:].expand(short)]).view(-1, run)
    largest = runs.amax(dim=1)
    if field != EXPONENTS and bool((runs != largest[:, None]).any()):
        raise InputError(
            f"the moments of {slot.name} are in eight bits, in blocks of {MOMENT_BLOCK} elements, "
            'and the new layout would cut through blocks: optimizer.kind = "adamw8" goes to '
            "layouts alone whose parts are whole blocks"
        )
    return largest


def equal_bytes(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors of a shape and type hold the same bits.

    Args:
        one: on the CPU, contiguous.
        other: likewise.
    """
    raw: Sequence[Tensor] = [t.contiguous().view(-1).view(torch.uint8) for t in (one, other)]
    return torch.equal(*raw)
