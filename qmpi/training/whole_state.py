"""A state put together from what the positions of a team hold, and cut for another layout.

Theory of operation. A parameter of the whole model is its cuts laid into one tensor, whoever holds
them. What several positions hold alike, norms and routers along the tensor axis, must be the same
bits in all of them; exponents alone may differ there, and the largest fits all gradients. One
parameter is put together at a time, so a model takes the room of its largest parameter. What is cut
for a new position is read for it alone: it takes the room of that position's state, and all new
positions together read each byte once, but for what several of them hold.
"""

import hashlib
from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from qmpi.config.compression_checks import sends_less
from qmpi.config.settings import Settings
from qmpi.errors import CorruptData
from qmpi.model.partition import Cut, partitions
from qmpi.protocol.teams import whole_digest
from qmpi.training.flat_state import host_view, state_shapes, weight_digest
from qmpi.training.state_part import (
    EVERY_FIELD,
    EXPONENTS,
    Fields,
    NewPart,
    StatePart,
    equal_bytes,
    part_layout,
)
from qmpi.units import Digest


class WholeState:
    """State of a whole model, in parts; bytes are read when they are asked for.

    Attributes:
        names: of the parameters and biases of experts, in model order.
    """

    def __init__(self, settings: Settings, payloads: Sequence[memoryview]) -> None:
        """Find what each position holds.

        Args:
            settings: the job that made the snapshots.
            payloads: of each position's snapshot, in order of position.

        Raises:
            CorruptData: they are of another model, or do not belong together.
        """
        held = partitions(settings.model, settings.parallel)
        if len(held) != len(payloads):
            raise CorruptData(
                f"a checkpoint of {len(payloads)} parts is not of this job, whose [parallel] makes "
                f"{len(held)}"
            )
        self._cuts = [part.cuts for part in held]
        lanes = settings.train.lanes if sends_less(settings.train) else 0
        self._parts = [
            StatePart(part_layout(settings, part), payload, lanes)
            for part, payload in zip(held, payloads, strict=True)
        ]
        self.names = tuple(state_shapes(settings.model))
        for position, part in enumerate(self._parts):
            if part.counters != self.counters:
                raise CorruptData(_unlike(0, position, "counters"))

    @property
    def counters(self) -> bytes:
        """What of the state is of no parameter."""
        return self._parts[0].counters

    def weight_digest(self, step: int) -> Digest:
        """Return the digest of the weights, as the journal has it.

        Args:
            step: of the snapshots.
        """
        return whole_digest([weight_digest(part.weights, step) for part in self._parts])

    def digest(self) -> Digest:
        """Return the digest of the unsharded state: the same for each layout.

        Returns:
            SHA-256 over counters, levels and loss scale, and in model order the name, the weights
            and the moments of each parameter; exponents are not in it, since chunks follow the
            layout.
        """
        sha = hashlib.sha256(self.counters)
        for name in self.names:
            sha.update(f"{name}\0".encode())
            fields = self.read(name)
            for field in EVERY_FIELD:
                if field in fields and field != EXPONENTS:
                    sha.update(_bytes(fields[field]))
        return Digest(sha.hexdigest())

    def read(self, name: str, wanted: Collection[str] = EVERY_FIELD) -> Fields:
        """Put together what is known of a parameter.

        Args:
            name: of the parameter.
            wanted: names of fields.

        Returns:
            Those of them that there are, each of the shape of the whole parameter.

        Raises:
            CorruptData: copies differ that must be alike.
        """
        held = [
            (position, cuts[name], self._parts[position].read(name, wanted))
            for position, cuts in enumerate(self._cuts)
            if name in cuts
        ]
        return joined(name, held)

    def read_cut(self, name: str, cut: Cut) -> Fields:
        """Put together what is known of a cut; of each part only what lies in it is read.

        What several positions hold is read of the first alone, exponents apart: that they hold the
        same is for `digest` to find.

        Args:
            name: of the parameter.
            cut: any of the parameter.

        Returns:
            Its fields, each of the shape of the cut.
        """
        made: Fields = {}
        seen: set[tuple[int, int]] = set()
        for part, cuts in zip(self._parts, self._cuts, strict=True):
            if name not in cuts or not (common := _overlap(cut, cuts[name])):
                continue
            held = cuts[name]
            is_first = (held.start, held.stop) not in seen
            seen.add((held.start, held.stop))
            wanted = EVERY_FIELD if is_first else (EXPONENTS,)
            here = _within(common, cut)
            for field, values in part.read(name, wanted, _within(common, held)).items():
                whole = made.setdefault(field, values.new_empty(cut.own))
                whole[here] = values if is_first else torch.maximum(whole[here], values)
        return made


def _box(cut: Cut) -> list[tuple[int, int]]:
    """Return from where to where a cut goes along each dimension."""
    box = [(0, size) for size in cut.shape]
    if not cut.is_whole:
        box[cut.dim] = (cut.start, cut.stop)
    return box


def _overlap(one: Cut, other: Cut) -> list[tuple[int, int]]:
    """Return what two cuts have in common, along each dimension; empty: nothing."""
    both = zip(_box(one), _box(other), strict=True)
    common = [(max(a, c), min(b, d)) for (a, b), (c, d) in both]
    return common if all(start < stop for start, stop in common) else []


def _within(box: Sequence[tuple[int, int]], cut: Cut) -> tuple[slice, ...]:
    """Return what picks a box out of a cut that it lies in."""
    firsts = [first for first, _ in _box(cut)]
    return tuple(slice(a - first, b - first) for (a, b), first in zip(box, firsts, strict=True))


def joined(name: str, held: Sequence[tuple[int, Cut, Fields]]) -> Fields:
    """Put a parameter together.

    Args:
        name: of the parameter, for messages.
        held: position, cut and fields of each holder; the cuts cover the parameter.

    Returns:
        Its fields.

    Raises:
        CorruptData: copies differ that must be alike.
    """
    first, cut, fields = held[0]
    if len(held) == 1 and cut.is_whole:
        return fields
    whole = {field: part.new_empty(cut.shape) for field, part in fields.items()}
    seen: dict[tuple[int, int], tuple[int, Fields]] = {}
    for position, cut, fields in held:
        first, copy = seen.setdefault((cut.start, cut.stop), (position, fields))
        for field, part in fields.items():
            if position == first:
                whole[field][cut.index] = part
            elif field == EXPONENTS:
                whole[field][cut.index] = torch.maximum(whole[field][cut.index], part)
            elif not equal_bytes(copy[field], part):
                raise CorruptData(_unlike(first, position, f"{field} of {name}"))
    return whole


def cut_state(whole: WholeState, settings: Settings, position: int) -> list[memoryview]:
    """Cut a state for a position of another layout.

    Args:
        whole: the state; its digest was taken, which finds copies that differ.
        settings: the job with the new layout.
        position: place in a team of it.

    Returns:
        Parts of the payload of its snapshot.

    Raises:
        InputError: moments in eight bits cannot be cut so.
    """
    part = partitions(settings.model, settings.parallel)[position]
    made = NewPart(part_layout(settings, part), whole.counters)
    for name, cut in part.cuts.items():
        made.write(name, whole.read_cut(name, cut))
    return made.payload()


def _bytes(values: Tensor) -> memoryview:
    return host_view(values.contiguous().view(-1).view(torch.uint8))


def _unlike(first: int, other: int, what: str) -> str:
    return (
        f"positions {first} and {other} hold different {what}, which must be equal: these parts "
        "of a checkpoint do not belong together, or a rank has computed wrong bits; take another "
        "checkpoint with --step"
    )
