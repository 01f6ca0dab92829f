"""Forward and backward of lanes on a rank that has all layers, microbatch by microbatch."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.errors import InvariantError, PeerLost
from qmpi.model.layer import Layers
from qmpi.training.backprop import Backprop
from qmpi.training.comm.waits import Aborted
from qmpi.training.gradients import Gradients
from qmpi.training.lane_squares import LaneSquares
from qmpi.training.out_of_memory import with_memory_told
from qmpi.training.parallel.sequences import Sequences
from qmpi.training.reduction.kinds import Sum
from qmpi.training.source_losses import NOT_KNOWN
from qmpi.training.stopwatch import Stopwatch
from qmpi.training.weights import Weights

Block = bytes | bytearray | memoryview
"""uint16 or uint32, little-endian, [microbatches * sequences, sequence_tokens + 1]."""


class LaneWork(NamedTuple):
    """A lane to be computed.

    Attributes:
        lane: its number.
        block: its ids.
        digest: of them.
        sources: number of the source of each row; empty: not told.
    """

    lane: int
    block: Block
    digest: str
    sources: Sequence[int] = ()


Work = Sequence[LaneWork]


def read_block(block: Block, rows: int, columns: int) -> Tensor:
    """Turn a block into token ids.

    Args:
        block: the frame.
        rows: microbatches x sequences.
        columns: sequence_tokens + 1.

    Returns:
        int64 [rows, columns].

    Raises:
        InvariantError: the size fits neither uint16 nor uint32.
    """
    size = memoryview(block).nbytes
    kinds = {2 * rows * columns: "<u2", 4 * rows * columns: "<u4"}
    if size not in kinds:
        raise InvariantError(f"a block of {rows} x {columns} tokens has {size} bytes")
    ids = np.frombuffer(block, dtype=kinds[size]).astype(np.int64)
    return torch.from_numpy(ids).view(rows, columns)


class Runner(Protocol):
    """What computes the lanes of a rank."""

    def resize(self, train: TrainSettings) -> None:
        """Cut lanes into other microbatches from now on; their rows stay as many."""
        ...

    def begin_pass(self, factor: float) -> None:
        """Drop gradients that an aborted lane left; as `Gradients.begin_pass`."""
        ...

    def run_all(self, layers: Layers, work: Work, total: Sum, aborted: Aborted) -> None:
        """Compute lanes, and add their gradients and what they tell; may raise `PeerLost`."""
        ...

    def rehearse(self, layers: Layers) -> None:
        """Run a microbatch of the true shape whose gradients go nowhere."""
        ...


class LaneRunner:
    """Computes lanes with one set of weights."""

    def __init__(
        self,
        settings: Settings,
        weights: Weights,
        backprop: Backprop,
        watch: Stopwatch,
        sequences: Sequences,
        squares: LaneSquares | None = None,
    ) -> None:
        """Take the parts.

        Args:
            settings: the job.
            weights: of the model.
            backprop: computes microbatches with these.
            watch: measures forward, backward, and the sweep inside backward.
            sequences: of a microbatch, and who has the others.
            squares: takes each gradient too, if the noise is measured.
        """
        self._train, self._weights, self._watch = settings.train, weights, watch
        self._backprop, self._squares, self._sequences = backprop, squares, sequences
        self._sources = backprop.tokens.sources
        self._gradients = Gradients(weights, watch, squares)
        self._device = weights.device
        self._factor = 1.0

    def resize(self, train: TrainSettings) -> None:
        """Cut lanes into other microbatches from now on.

        Args:
            train: how many, of how many sequences; the rows of a lane stay as many.
        """
        self._train = train
        self._gradients.resize()
        self._backprop.resize(train)

    def begin_pass(self, factor: float) -> None:
        """Drop gradients that an aborted lane left.

        Args:
            factor: as `Gradients.begin_pass` takes it.
        """
        self._factor = factor
        self._gradients.begin_pass(factor)
        self._sources.clear()
        if self._squares is not None:
            self._squares.clear()

    def run_all(self, layers: Layers, work: Work, total: Sum, aborted: Aborted) -> None:
        """Compute lanes, and add their gradients and what they tell.

        Args:
            layers: function of each layer.
            work: the lanes.
            total: the reduction.
            aborted: looked at before each microbatch.

        Raises:
            PeerLost: `aborted` says so.
        """
        for each in work:
            total.begin_lane(each.lane)
            if self._squares is not None:
                self._squares.take_up(each.lane)
            own = self.run(layers, each, total, aborted)
            (loss,) = self._backprop.tokens.means_of([own])
            total.end_lane(each.lane, loss, each.digest, self.numbers(each.lane))
            self._watch.lap("sweep")
        self._sources.add_to(total.counts)

    def run(self, layers: Layers, work: LaneWork, total: Sum, aborted: Aborted) -> float:
        """Compute a lane and add its gradients to `total`.

        Args:
            layers: function of each layer.
            work: the lane.
            total: the reduction.
            aborted: looked at before each microbatch.

        Returns:
            Mean cross-entropy per token that is computed here, in nats.

        Raises:
            PeerLost: `aborted` says so.
        """
        count, train = self._train.microbatches, self._train
        rows = self._sequences.rows_of(train)
        ids = self._sequences.own(read_block(work.block, rows, train.sequence_tokens + 1), train)
        known = self._sources.lane(work.sources, partial(self._sequences.own, train=train), ids)
        losses, share = 0.0, self._factor / (count * self._sequences.parts)
        self._backprop.begin_lane()
        self._weights.tallies.clear()
        for number, rows in enumerate(ids.split(train.sequences)):
            leave_if(aborted)
            self._gradients.expect(number, count, total)
            of = known.of(number, train.sequences)
            losses += self._backprop.run(layers, rows.to(self._device), share, of)
            self._watch.lap("backward")
        self._add_ends(total)
        if self._weights.tallies.size:
            self._weights.tallies.add_to(total.counts)
        mean = self._sequences.mean_of(torch.tensor([losses / count], dtype=torch.float64))
        return float(mean)

    def numbers(self, lane: int) -> tuple[float, ...]:
        """Return what the last lane tells besides (see `TailForm`).

        Args:
            lane: which it was.

        Returns:
            The squared norm of its gradient where that is measured, then the losses of ahead
            modules.
        """
        square = self._squares.totals([lane]) if self._squares is not None else []
        return tuple(square) + self._backprop.ahead.told(self._train.microbatches)

    def rehearse(self, layers: Layers) -> None:
        """Run a microbatch of the true shape whose gradients go nowhere.

        Args:
            layers: function of each layer.

        Raises:
            OutOfMemory: memory was refused; whoever compiles shall not take it for another fault.
        """
        with_memory_told(self._train, "a microbatch", lambda: self._rehearse(layers))

    def _rehearse(self, layers: Layers) -> None:
        self._gradients.expect(0, self._train.microbatches, None)
        shape = (self._train.sequences, self._train.sequence_tokens + 1)
        ids = torch.zeros(shape, dtype=torch.int64, device=self._device)
        self._backprop.run(layers, ids, 1.0, NOT_KNOWN)
        self.begin_pass(1.0)

    def _add_ends(self, total: Sum) -> None:
        for part, gradient in self._backprop.ends.gradients():
            self._gradients.add(total, part, gradient)
        self._gradients.flush(total)


def leave_if(aborted: Aborted) -> None:
    """Leave what is in hand if it shall end.

    Args:
        aborted: says why, or None.

    Raises:
        PeerLost: it says so.
    """
    reason = aborted()
    if reason is not None:
        raise PeerLost(f"told to leave: {reason}")
