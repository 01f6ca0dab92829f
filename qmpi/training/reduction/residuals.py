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

from typing import NamedTuple

import torch
from torch import Tensor

from qmpi.errors import CorruptData, InvariantError
from qmpi.training.flat_state import host_view


class Kept(NamedTuple):
    """What a lane keeps between two steps.

    Attributes:
        updates: that had been applied when it was kept.
        values: float32, flat.
    """

    updates: int
    values: Tensor


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

    def give(self, lane: int, updates: int) -> memoryview:
        """Return what a lane keeps; without a copy on a CPU, valid until the next step is applied.

        Args:
            lane: one of those that are held.
            updates: that have been applied to the state.

        Raises:
            InvariantError: it is not held.
        """
        if lane not in self.held(updates):
            raise InvariantError(_missing(lane, updates))
        return host_view(self._kept[lane].values.view(torch.uint8))

    def take(self, lane: int, updates: int, payload: bytes | bytearray | memoryview) -> None:
        """Keep what another member gave of a lane.

        Args:
            lane: which.
            updates: that have been applied to the state that it belongs to.
            payload: as `give` returned it.

        Raises:
            CorruptData: it is not of the size of a lane of this model.
        """
        raw = memoryview(payload).cast("B")
        if raw.nbytes != self.lane_bytes:
            raise CorruptData(
                f"what lane {lane} keeps takes {self.lane_bytes} bytes, not {raw.nbytes}; it is of "
                "another model, or of another kind of compression"
            )
        # Copied: memory of torch lies where kernels take the same path on every rank.
        values = torch.empty(self._elements, device=self._device)
        values.copy_(torch.frombuffer(bytearray(raw), dtype=torch.float32))
        self._kept[lane] = Kept(updates, values)

    def clear(self) -> None:
        """Keep nothing any more."""
        self._kept.clear()

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
            if lane in before:
                # What is not needed any more is room for what comes next.
                self._in_hand[lane] = before[lane].values
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
            self._in_hand[lane].copy_(kept.values)
        self._begun.add(lane)


def _missing(lane: int, updates: int) -> str:
    return (
        f"what lane {lane} keeps after {updates} updates is not here: it stays with the member "
        "that computed the lane, unless that gives it away"
    )
