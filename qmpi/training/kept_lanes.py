"""What lanes keep between steps: dealt to those who compute them, and part of copies of the state.

Theory of operation. What a lane keeps is a run of bytes, of a length that all lanes of a position
have. So what the lanes keep together is a run of bytes, too, lane after lane, and members of a line
exchange pieces of it as they exchange moments (see `dealing`): each tells which lanes it has and
which it computes next, and all make the same plan of it. What comes is received beside what is
there. Nothing is dropped before the next step is applied: when an exchange is cut off, each lane's
part is still with who had it.

In a copy the bytes of all lanes follow the state. Before the first update lanes keep nothing, and
copies have none of it.
"""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from qmpi.errors import CorruptData
from qmpi.protocol.portions import Spans, merged, runs_of
from qmpi.training.dealing import Line
from qmpi.training.division import transfers
from qmpi.training.exchange import brought, exchange
from qmpi.training.flat_state import FlatState
from qmpi.training.reduction.by_lane import LaneSum
from qmpi.training.reduction.kinds import Sum
from qmpi.training.reduction.residuals import LaneResiduals
from qmpi.units import Bytes

ROUND = 1 << 24
"""Bytes that a member sends in a round at most."""

COPIED = 1 << 23
"""Bytes of a piece of a copy."""


class LaneRuns:
    """What lanes keep as one run of bytes, pieces of which members exchange."""

    def __init__(self, residuals: LaneResiduals, updates: int, device: torch.device) -> None:
        """Read what is kept here, and write beside it.

        Args:
            residuals: what lanes keep.
            updates: that have been applied to the state.
            device: where gradients live.
        """
        self.device, self.fresh = device, dict[int, Tensor]()
        self._residuals, self._updates, self._size = residuals, updates, residuals.lane_bytes

    def size(self, first: int, end: int) -> int:
        """Return the bytes from one to another."""
        return end - first

    def read(self, spans: Sequence[tuple[int, int]]) -> list[Tensor]:
        """Return each run."""
        return [self.piece(first, end) for first, end in spans]

    def piece(self, first: int, end: int) -> Tensor:
        """Return one run."""
        parts = [
            self._residuals.raw(lane, self._updates, run) for lane, run in self._cut(first, end)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def write(self, first: int, end: int, data: Tensor) -> None:
        """Take one run."""
        at = 0
        for lane, run in self._cut(first, end):
            if lane not in self.fresh:
                empty = torch.empty(self._size, dtype=torch.uint8, device=self.device)
                self.fresh[lane] = empty
            size = run.stop - run.start
            self.fresh[lane][run] = data[at : at + size]
            at += size

    def _cut(self, first: int, end: int) -> Iterator[tuple[int, slice]]:
        """Yield each lane of a run with the bytes of it that lie there."""
        for lane in range(first // self._size, -(-end // self._size)):
            start = lane * self._size
            yield lane, slice(max(first - start, 0), min(end - start, self._size))


class KeptLanes:
    """What the lanes of one station keep; of a sum that sends all, nothing."""

    def __init__(self, state: FlatState, total: Sum, lanes: int) -> None:
        """Take the parts.

        Args:
            state: what they keep belongs to.
            total: the reduction.
            lanes: of the global batch.
        """
        self._state, self._lanes = state, lanes
        self._residuals = total.residuals if isinstance(total, LaneSum) else None
        self._device = state.params.device
        self._dealt: Spans = ()

    @property
    def told(self) -> Spans:
        """Lanes whose part counts for the state as it is; before the first update all."""
        if self._residuals is None:
            return ()
        if self._state.step >= 0 and not self._state.updates:
            return ((0, self._lanes),)
        return runs_of(self._residuals.held(self._state.updates))

    @property
    def told_in_hand(self) -> Spans:
        """Lanes whose part will count when the step is applied that is held."""
        return () if self._residuals is None else runs_of(self._residuals.begun)

    @property
    def copied_bytes(self) -> Bytes:
        """Bytes of a copy that are behind the state."""
        return Bytes(self._total if self._is_kept else 0)

    @property
    def needs_others(self) -> bool:
        """Whether a copy is put together by the members of the line."""
        return self._is_kept and len(self._dealt) > 1

    def clear(self) -> None:
        """Keep nothing: the state is another one."""
        if self._residuals is not None:
            self._residuals.clear()

    def deal(self, line: Line, lanes: Sequence[int]) -> None:
        """Bring what lanes keep to who computes them; every member of the line calls this.

        All have the state of one step already.

        Args:
            line: the members.
            lanes: that this one computes, neighbours.

        Raises:
            PeerLost: a member is gone; this one holds what it held.
            InvariantError: the members do not hold all lanes between them.
        """
        residuals = self._residuals
        if residuals is None:
            return
        updates = self._state.updates
        haves, needs = self._exchanged(line, lanes)
        if updates:
            size = residuals.lane_bytes
            planned = transfers(_times(haves, size), _times(needs, size))
            runs = LaneRuns(residuals, updates, self._device)
            exchange(line, [t for t in planned if t.source != t.target], runs, ROUND)
            for lane, raw in runs.fresh.items():
                residuals.own(lane, updates, raw)
        residuals.expect(lanes)
        self._dealt = tuple(span for spans in needs for span in spans)

    def parts(self) -> list[memoryview]:
        """Return the bytes of all lanes, which are held here; valid until the state changes."""
        if self._residuals is None or not self._is_kept:
            return []
        updates = self._state.updates
        return [self._residuals.give(lane, updates) for lane in range(self._lanes)]

    def copied(self, line: Line, keeper: int) -> Iterator[Tensor]:
        """Bring the bytes of all lanes to one member, piece by piece; all walk through this.

        Args:
            line: the members.
            keeper: index of the one that gets them.

        Yields:
            Pieces in order of lanes, uint8; for others nothing of use.

        Raises:
            PeerLost: a member is gone.
        """
        if self._residuals is None or not self._is_kept:
            return
        runs = LaneRuns(self._residuals, self._state.updates, self._device)
        size = self._residuals.lane_bytes
        for source, (first, end) in enumerate(self._dealt):
            for at in range(first * size, end * size, COPIED):
                piece = slice(at, min(at + COPIED, end * size))
                yield _piece(line, runs, piece, source, keeper)

    def load(self, payload: memoryview) -> None:
        """Take over what lanes keep from a copy whose state has been taken over.

        It is read when it is asked for.

        Args:
            payload: what of the copy is behind the state.

        Raises:
            CorruptData: it is not of these lanes.
        """
        self.clear()
        if payload.nbytes != self.copied_bytes:
            raise CorruptData(_unfit(payload.nbytes, self.copied_bytes))
        if self._residuals is None or not self._is_kept:
            return
        size = self._residuals.lane_bytes
        for lane in range(self._lanes):
            part = payload[lane * size : (lane + 1) * size]
            self._residuals.lend(lane, self._state.updates, part)

    @property
    def _is_kept(self) -> bool:
        return self._residuals is not None and self._state.updates > 0

    @property
    def _total(self) -> int:
        return 0 if self._residuals is None else self._lanes * self._residuals.lane_bytes

    def _exchanged(self, line: Line, lanes: Sequence[int]) -> tuple[list[Spans], list[Spans]]:
        """Tell what is held and computed here.

        Returns:
            What each member holds, and what each computes, by index.
        """
        held, own = self.told, runs_of(lanes)
        most = int(_gathered(line, [len(held)]).max())
        padded = [*held, *[(0, 0)] * (most - len(held)), *own]
        told = _gathered(line, [end for span in padded for end in span]).long()
        spans = [merged((a, b) for a, b in row.view(-1, 2).tolist()) for row in told[:, : 2 * most]]
        return spans, [((a, b),) for a, b in told[:, 2 * most :].tolist()]


def _gathered(line: Line, numbers: Sequence[int]) -> Tensor:
    return line.gather_numbers(torch.tensor(numbers, dtype=torch.float64))


def _times(members: Iterable[Spans], size: int) -> list[Spans]:
    return [tuple((first * size, end * size) for first, end in spans) for spans in members]


def _piece(line: Line, runs: LaneRuns, piece: slice, source: int, keeper: int) -> Tensor:
    """Bring a piece to the keeper.

    Returns:
        The piece; elsewhere empty.
    """
    mine = torch.empty(0, dtype=torch.uint8, device=runs.device)
    if line.index == source:
        mine = runs.piece(piece.start, piece.stop)
    return brought(line, mine, piece.stop - piece.start, source, keeper)


def _unfit(found: int, wanted: int) -> str:
    if not found:
        return (
            f"the snapshot has nothing of what lanes keep, which takes {wanted} bytes in this job: "
            "it was written without train.reduction_bits or train.compression, which never change "
            "within a run; go on with the job that wrote it, or begin a run with its weights "
            "(`qmpi export`, initial.weights)"
        )
    return (
        f"the snapshot has {found} bytes behind the state, where what lanes keep takes {wanted}: "
        "it was written with other train.reduction_bits, train.compression or train.lanes, which "
        "never change within a run; go on with the job that wrote it"
    )
