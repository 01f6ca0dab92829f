"""What lanes have not sent yet: their residuals, which they add to what they send next.

Theory of operation. A sum that sends less than lanes have does not lose the rest: it stays with the
lane, and is added to the lane's next gradient (error feedback: Karimireddy et al., arXiv
1901.09847). So a residual is state, of the lane and of nobody else. What a lane keeps is one run of
float32 numbers, in two copies: the one before the step, which stays as it is until the step is
applied, so that a step that is done again begins as it did before; and the one in hand, to which
gradients are added and from which is taken what is sent. When the step is applied the second
becomes the first.

What is kept names the updates after which it counts. A member that has not computed a lane for an
update holds nothing of it that is of use, and says so instead of computing with it. Before the
first update every lane keeps zeros.
"""

from collections.abc import Collection
from typing import NamedTuple

import torch
from torch import Tensor

from qmpi.errors import CorruptData, InvariantError
from qmpi.training.flat_state import host_view

ALL = slice(None)


class Kept(NamedTuple):
    """What a lane keeps between two steps.

    Attributes:
        updates: that had been applied when it was kept.
        values: float32, flat; or the bytes of a copy that is read, until they are needed.
    """

    updates: int
    values: Tensor | memoryview


class LaneResiduals:
    """What the lanes keep that this member computes."""

    def __init__(self, elements: int, device: torch.device) -> None:
        """Keep nothing.

        Args:
            elements: that a lane keeps.
            device: where gradients live.
        """
        self._elements, self._device = elements, device
        self._kept = dict[int, Kept]()
        self._in_hand = dict[int, Tensor]()
        self._begun = set[int]()
        self._updates = 0

    @property
    def lane_bytes(self) -> int:
        """Bytes that a lane keeps."""
        return 4 * self._elements

    def held(self, updates: int) -> tuple[int, ...]:
        """Return the lanes that can go on from a state; in order. Before an update all can.

        Args:
            updates: that have been applied to the state.
        """
        return tuple(sorted(lane for lane, kept in self._kept.items() if kept.updates == updates))

    @property
    def begun(self) -> tuple[int, ...]:
        """Lanes of this pass; those that are kept once its step is applied. In order."""
        return tuple(sorted(self._begun))

    def raw(self, lane: int, updates: int, run: slice = ALL) -> Tensor:
        """Return bytes of what a lane keeps, where gradients live; valid as `give` says.

        Args:
            lane: one of those that are held.
            updates: that have been applied to the state.
            run: of the bytes.

        Raises:
            InvariantError: it is not held.
        """
        kept = self._kept.get(lane)
        if kept is None or kept.updates != updates:
            raise InvariantError(_missing(lane, updates))
        if isinstance(kept.values, Tensor):
            return kept.values.view(torch.uint8)[run]
        return torch.frombuffer(bytearray(kept.values[run]), dtype=torch.uint8).to(self._device)

    def lend(self, lane: int, updates: int, payload: memoryview) -> None:
        """Keep what a copy has of a lane, without reading it yet.

        Args:
            lane: which.
            updates: that have been applied to the state that it belongs to.
            payload: as `give` returned it; stays as it is while it is kept.

        Raises:
            CorruptData: it is not of the size of a lane of this model.
        """
        self._kept[lane] = Kept(updates, self._sized(lane, payload))

    def own(self, lane: int, updates: int, raw: Tensor) -> None:
        """Keep what another member gave of a lane, without a copy.

        Args:
            lane: which.
            updates: that have been applied to the state that it belongs to.
            raw: as `raw` returned it.
        """
        self._kept[lane] = Kept(updates, raw.view(torch.float32))

    def expect(self, lanes: Collection[int]) -> None:
        """Read what was lent of some lanes, and give up memory of others that is of no use.

        Args:
            lanes: that are computed here next; those of the pass before may still be kept.
        """
        for lane in lanes:
            if (kept := self._kept.get(lane)) is not None:
                self._kept[lane] = kept._replace(values=self._values(kept))
        for lane in self._in_hand.keys() - set(lanes) - self._begun:
            del self._in_hand[lane]

    def give(self, lane: int, updates: int) -> memoryview:
        """Return what a lane keeps; without a copy on a CPU, valid until the next step is applied.

        Args:
            lane: one of those that are held.
            updates: that have been applied to the state.

        Raises:
            InvariantError: it is not held.
        """
        return host_view(self.raw(lane, updates))

    def take(self, lane: int, updates: int, payload: bytes | bytearray | memoryview) -> None:
        """Keep what another member gave of a lane.

        Args:
            lane: which.
            updates: that have been applied to the state that it belongs to.
            payload: as `give` returned it.

        Raises:
            CorruptData: it is not of the size of a lane of this model.
        """
        lent = Kept(updates, self._sized(lane, memoryview(payload)))
        self._kept[lane] = Kept(updates, self._values(lent))

    def _sized(self, lane: int, payload: memoryview) -> memoryview:
        raw = payload.cast("B")
        if raw.nbytes != self.lane_bytes:
            raise CorruptData(
                f"what lane {lane} keeps takes {self.lane_bytes} bytes, not {raw.nbytes}; it is of "
                "another model, or of another kind of compression"
            )
        return raw

    def _values(self, kept: Kept) -> Tensor:
        if isinstance(kept.values, Tensor):
            return kept.values
        # Copied: memory of torch lies where kernels take the same path on every rank.
        values = torch.empty(self._elements, device=self._device)
        return values.copy_(torch.frombuffer(bytearray(kept.values), dtype=torch.float32))

    def clear(self) -> None:
        """Keep nothing any more."""
        self._kept.clear()
        self._begun.clear()

    def begin_step(self, updates: int) -> None:
        """Begin a step.

        Args:
            updates: that have been applied to the state.
        """
        self._updates = updates
        if not updates:
            self.clear()
        self.begin_pass()

    def begin_pass(self) -> None:
        """Drop what is in hand: lanes begin again with what they keep."""
        self._begun.clear()

    def of_lane(self, lane: int) -> Tensor:
        """Return what a lane has in hand; before it is changed in a pass, that is what it keeps.

        Args:
            lane: that is computed here.

        Returns:
            float32, flat; whoever computes the lane adds to it and takes from it.

        Raises:
            InvariantError: what it keeps is not here.
        """
        if lane not in self._begun:
            self._begin(lane)
        return self._in_hand[lane]

    def in_hand(self) -> list[Tensor]:
        """Return what the lanes of this pass have in hand, in the order of lanes."""
        return [self._in_hand[lane] for lane in sorted(self._begun)]

    def commit(self) -> None:
        """Keep what is in hand: the step is applied. Nothing is kept of other lanes."""
        before, self._kept = self._kept, {}
        for lane in self._begun:
            self._kept[lane] = Kept(self._updates + 1, self._in_hand.pop(lane))
            if lane in before and isinstance(room := before[lane].values, Tensor):
                # What is not needed any more is room for what comes next.
                self._in_hand[lane] = room
        for lane in self._in_hand.keys() - self._begun:
            del self._in_hand[lane]
        self._begun.clear()

    def _begin(self, lane: int) -> None:
        kept = self._kept.get(lane)
        if self._updates and (kept is None or kept.updates != self._updates):
            raise InvariantError(_missing(lane, self._updates))
        if lane not in self._in_hand:
            self._in_hand[lane] = torch.zeros(self._elements, device=self._device)
        elif kept is None:
            self._in_hand[lane].zero_()
        if kept is not None:
            self._in_hand[lane].copy_(self._values(kept))
        self._begun.add(lane)


def _missing(lane: int, updates: int) -> str:
    return (
        f"what lane {lane} keeps after {updates} updates is not here: it stays with the member "
        "that computed the lane, unless that gives it away"
    )
