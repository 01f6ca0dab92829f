"""A state whose moments teams share out: dealt when a group forms, made whole after a step, copied.

Theory of operation. All members of a line call the functions here together. What each holds is told
along the line first, so all compute the same plan. New moments are received beside the old ones,
and taken over only when they are whole: a member that is cut off holds what it held. A member that
has applied a step to what it moves by itself, and was cut off before it had the weights of the
others, is between two steps; it gives what it has moved and receives the rest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from qmpi.errors import InvariantError
from qmpi.protocol.portions import Portions, Spans
from qmpi.training.division import Transfer, portion, spans_of, transfers, without
from qmpi.training.exchange import Peers, brought, exchange
from qmpi.training.flat_state import FlatState, Layout
from qmpi.training.held_moments import holder_of
from qmpi.training.moments import ROWS, Moments, row_bytes, wire_bytes
from qmpi.training.optimizer import moved

COPIED = 1 << 21
"""Elements of a piece of a copy: 8 MiB of moments in float32."""

Has = Literal["nothing", "moved", "all"]
"""Weights of the step that a member has; "moved": those that it moves by itself."""

HAS: tuple[Has, ...] = ("nothing", "moved", "all")


class Line(Peers, Protocol):
    """The ranks of one position in all teams; a `Comm` is one."""

    def gather_numbers(self, numbers: Tensor) -> Tensor:
        """Collect a few numbers of each member."""
        ...

    def broadcast(self, tensor: Tensor, root: int) -> None:
        """Give every member the root's values, in place."""
        ...


@dataclass(frozen=True)
class Part:
    """What a member holds of the state of a step.

    Attributes:
        portions: of the moments; of no meaning where it has nothing.
        weights: which of them it has. Nothing: it has no moments either.
    """

    portions: Portions
    weights: Has

    def moments(self, layout: Layout) -> Spans:
        """Return the runs whose moments it holds."""
        return () if self.weights == "nothing" else spans_of(layout, self.portions)

    def has(self, layout: Layout) -> Spans:
        """Return the runs of weights that it has."""
        if self.weights == "moved":
            return moved(layout, self.portions)
        return ((0, layout.total),) if self.weights == "all" else ()


class MomentRuns:
    """Moments as runs of elements that members exchange."""

    def __init__(self, state: FlatState, fresh: tuple[Moments, ...]) -> None:
        """Read from a state, and write beside it.

        Args:
            state: has moments.
            fresh: takes what comes.
        """
        self.device = state.params.device
        self._kinds, self._state, self._fresh = state.layout.kinds, state, fresh

    def size(self, first: int, end: int) -> int:
        """Return the bytes of some elements."""
        return sum(wire_bytes(self._kinds, first, end))

    def read(self, spans: Sequence[tuple[int, int]]) -> list[Tensor]:
        """Return the moments of each run, as bytes."""
        return [self._read(first, end) for first, end in spans]

    def _read(self, first: int, end: int) -> Tensor:
        rows = self._state.moments(slice(first, end)).bytes_of(first, end)
        return torch.cat(rows).to(self.device)

    def write(self, first: int, end: int, data: Tensor) -> None:
        """Take the moments of some elements."""
        rows = holder_of(self._fresh, slice(first, end)).bytes_of(first, end)
        parts = data.split(wire_bytes(self._kinds, first, end))
        for row, part in zip(rows, parts, strict=True):
            row.copy_(part)


class WeightRuns:
    """Weights as runs of elements that members exchange."""

    def __init__(self, weights: Tensor, into: Tensor) -> None:
        """Read from some weights, and write to others.

        Args:
            weights: flat.
            into: flat, as many; may be the same.
        """
        self.device, self._weights, self._into = weights.device, weights, into

    def size(self, first: int, end: int) -> int:
        """Return the bytes of some elements."""
        return self._weights.element_size() * (end - first)

    def read(self, spans: Sequence[tuple[int, int]]) -> list[Tensor]:
        """Return the weights of each run, as bytes."""
        return [self._weights[first:end].view(torch.uint8) for first, end in spans]

    def write(self, first: int, end: int, data: Tensor) -> None:
        """Take the weights of some elements."""
        self._into[first:end].view(torch.uint8).copy_(data)


class Dealing:
    """One member's part in what it does with the others; it works with one state."""

    def __init__(self, state: FlatState) -> None:
        """Take the state.

        Args:
            state: whose moments are shared out.
        """
        self._state = state
        self._gathers: tuple[int, tuple[Transfer, ...]] = (0, ())

    def begin(self, portions: Portions) -> None:
        """Hold these moments, all zero; a state that holds all goes on to.

        Args:
            portions: of the moments.
        """
        if self._state.is_shared:
            spans = spans_of(self._state.layout, portions)
            self._state.hold(portions, self._state.room_for(spans))

    def deal(self, line: Line, weights: Has, root: int, *, is_needed: bool) -> Iterator[None]:
        """Bring all members to the division of their number; every one calls this.

        Args:
            line: the members.
            weights: which weights of the group's step this member has.
            root: index of the member whose counters count for those that have nothing.
            is_needed: there may be some of these.

        Yields:
            Once, when the weights of one that had moved its own are whole: it then ends the step.

        Raises:
            PeerLost: a member is gone; this one holds what it held, or the new portions.
            InvariantError: the members do not hold the whole state between them.
        """
        state, layout = self._state, self._state.layout
        parts = self._told(line, weights)
        own = Portions(line.index, line.size)
        old = [part.moments(layout) for part in parts]
        new = [spans_of(layout, Portions(member, line.size)) for member in range(line.size)]
        needs = [() if had == has else has for had, has in zip(old, new, strict=True)]
        fresh = state.room_for(needs[line.index])
        exchange(line, transfers(old, needs), MomentRuns(state, fresh))
        near = torch.empty_like(state.buffers[0]) if weights == "nothing" else state.buffers[0]
        self._bring_weights(line, parts, near)
        if weights == "moved":
            yield
        runs = fresh if needs[line.index] else state.runs
        if weights != "nothing":
            state.hold(own, runs)
        if is_needed:
            head = near[: state.head_bytes].clone()
            line.broadcast(head, root)
            if weights == "nothing":
                near[: state.head_bytes] = head
                state.take([near])
                state.hold(own, runs)

    def gather(self, line: Line) -> None:
        """Bring the weights that each has moved to all; every member calls this.

        Args:
            line: the members.

        Raises:
            PeerLost: a member is gone; weights that others move may be of either step.
            InvariantError: what is held is not of these members' division.
        """
        state, size = self._state, line.size
        if state.portions != Portions(line.index, size):
            raise InvariantError(f"{state.portions} are held by member {line.index} of {size}")
        if self._gathers[0] != size:
            haves = [moved(state.layout, Portions(member, size)) for member in range(size)]
            lacks = [without(state.layout.total, has) for has in haves]
            self._gathers = size, transfers(haves, lacks)
        exchange(line, self._gathers[1], WeightRuns(state.params, state.params))

    def asked(self, line: Line, *, wants: bool) -> int:
        """Say who of the members wants a copy of the state now; every one calls this.

        Args:
            line: the members.
            wants: this one does.

        Returns:
            Index of the first that does; -1: nobody.
        """
        told = line.gather_numbers(torch.tensor([float(wants)], dtype=torch.float64))
        return next((member for member, number in enumerate(told[:, 0].tolist()) if number), -1)

    def copied(self, line: Line, keeper: int) -> Iterator[Tensor]:
        """Bring the whole state to one member, piece by piece; every one walks through this.

        Args:
            line: the members.
            keeper: index of the one that gets it.

        Yields:
            Pieces of the payload of a whole state, uint8, in order; for others nothing of use.

        Raises:
            PeerLost: a member is gone.
        """
        state, layout = self._state, self._state.layout
        yield state.buffers[0]
        rows = row_bytes(layout.kinds, 0, layout.total)
        for row in range(ROWS):
            size = 0
            for first, end, source in self._pieces(line.size, keeper):
                if not wire_bytes(layout.kinds, first, end)[row]:
                    continue
                piece = self._piece(line, (first, end, row), source, keeper)
                size += wire_bytes(layout.kinds, first, end)[row]
                yield piece
            yield torch.zeros(rows[row] - size, dtype=torch.uint8)

    def _told(self, line: Line, weights: Has) -> list[Part]:
        held = self._state.portions
        mine = torch.tensor([held.index, held.count, HAS.index(weights)], dtype=torch.float64)
        told = line.gather_numbers(mine).tolist()
        return [Part(Portions(int(i), int(n)), HAS[int(has)]) for i, n, has in told]

    def _bring_weights(self, line: Line, parts: Sequence[Part], near: Tensor) -> None:
        state, layout = self._state, self._state.layout
        haves = [part.has(layout) for part in parts]
        lacks = [without(layout.total, has) for has in haves]
        into = near[state.head_bytes :].view(state.params.dtype)
        exchange(line, transfers(haves, lacks), WeightRuns(state.params, into))

    def _pieces(self, size: int, keeper: int) -> Iterator[tuple[int, int, int]]:
        """Yield first element, end and source of each piece, in order."""
        layout = self._state.layout
        held = Portions(keeper, size).held
        for number in range(size):
            first, end = portion(layout, number, size)
            source = keeper if number in held else number
            for at in range(first, end, COPIED):
                yield at, min(at + COPIED, end), source

    def _piece(self, line: Line, place: tuple[int, int, int], source: int, keeper: int) -> Tensor:
        """Bring a row of some elements to the keeper.

        Returns:
            The row; elsewhere empty.
        """
        first, end, row = place
        device = self._state.params.device
        mine = torch.empty(0, dtype=torch.uint8, device=device)
        if line.index == source:
            mine = self._state.moments(slice(first, end)).bytes_of(first, end)[row]
        size = wire_bytes(self._state.layout.kinds, first, end)[row]
        # What stays here may lie elsewhere; only what travels must be where the others' is.
        return brought(line, mine if source == keeper else mine.to(device), size, source, keeper)
