"""The moments that one rank holds: of all elements, or of a run or two of them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from qmpi.errors import InvariantError
from qmpi.protocol.portions import WHOLE, Portions, Spans
from qmpi.training.moments import Kinds, Moments, row_bytes
from qmpi.training.offload.places import needs_pinning, pin


class HeldMoments:
    """Moments in runs of elements.

    Attributes:
        is_split: they live in the host's memory, whatever the device.
        portions: which they are.
        runs: the runs, ascending.
    """

    def __init__(self, kinds: Kinds, total: int, device: torch.device, *, is_split: bool) -> None:
        """Hold none yet.

        Args:
            kinds: which elements have which moments.
            total: elements of the state.
            device: where the state lives.
            is_split: moments live in the host's memory.
        """
        self._kinds, self._total, self._device = kinds, total, device
        self.is_split, self.portions = is_split, WHOLE
        self.runs: tuple[Moments, ...] = ()

    def apart(self, size: int) -> Tensor:
        """Return zeros of the host for moments of a state that is split."""
        memory = torch.zeros(size, dtype=torch.uint8)
        if size and needs_pinning(self._device):
            pin(memory, memory)
        return memory

    def room_for(self, spans: Spans) -> tuple[Moments, ...]:
        """Return moments of some runs, all zero, where those of this state live.

        Args:
            spans: the runs.

        Raises:
            MachineError: the host's memory cannot be pinned.
        """
        made = list[Moments]()
        for first, end in spans:
            size = sum(row_bytes(self._kinds, first, end))
            memory = (
                self.apart(size)
                if self.is_split
                else torch.zeros(size, dtype=torch.uint8, device=self._device)
            )
            made.append(Moments(self._kinds, first, end, memory))
        return tuple(made)

    def hold(self, portions: Portions, runs: tuple[Moments, ...]) -> None:
        """Hold these moments from now on, and no others.

        Args:
            portions: which they are.
            runs: from `room_for`, in order.
        """
        self.portions, self.runs = portions, runs

    def whole_bytes(self) -> list[Tensor]:
        """Return the bytes of all moments, as a snapshot has them; all are held here."""
        return [self.moments(slice(0, self._total)).raw]

    @property
    def spans(self) -> Spans:
        """Runs of the elements whose moments are held."""
        return tuple((run.first, run.end) for run in self.runs)

    def moments(self, run: slice) -> Moments:
        """Return what holds the moments of neighbouring elements.

        Args:
            run: the elements.

        Raises:
            InvariantError: some of them are not held here.
        """
        return holder_of(self.runs, run)

    @property
    def exp_avg(self) -> Tensor:
        """First moments in float32, of a state that holds all."""
        return self.moments(slice(0, self._total)).exp_avg

    @property
    def exp_avg_sq(self) -> Tensor:
        """Second moments in float32, of a state that holds all."""
        return self.moments(slice(0, self._total)).exp_avg_sq

    @property
    def eights(self) -> tuple[Tensor, ...]:
        """Moments in eight bits, of a state that holds all; as `Moments` has them."""
        return self.moments(slice(0, self._total)).eights


def holder_of(runs: Sequence[Moments], run: slice) -> Moments:
    """Return which of some moments hold those of neighbouring elements.

    Args:
        runs: moments of some runs.
        run: the elements.

    Raises:
        InvariantError: some of the elements are not among them.
    """
    for moments in runs:
        if moments.holds(run.start, run.stop):
            return moments
    spans = [(moments.first, moments.end) for moments in runs]
    raise InvariantError(f"moments of {run} are asked for where {spans} are held")
