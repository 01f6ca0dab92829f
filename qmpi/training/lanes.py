"""Forward and backward of one lane; gradients flow into the reduction as they become complete.

Theory of operation. A lane is the unit of arithmetic: its microbatches are accumulated in float32
in fixed order. During the last one each gradient goes to the reduction as soon as autograd has
finished it, and its memory is free again. That happens in whatever order autograd likes; integers
do not mind.
"""

import numpy as np
import torch
from torch import Tensor

from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.errors import InvariantError, PeerLost
from qmpi.model.layer import Kernels, Layers
from qmpi.training.backprop import Backprop
from qmpi.training.comm.waits import Aborted
from qmpi.training.lane_squares import LaneSquares
from qmpi.training.out_of_memory import with_memory_told
from qmpi.training.reduction.kinds import Sum
from qmpi.training.stopwatch import Stopwatch
from qmpi.training.weights import Leaf, Part, Weights, gradients_of

Block = bytes | bytearray | memoryview
"""uint16 or uint32, little-endian, [microbatches * sequences, sequence_tokens + 1]."""


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


class LaneRunner:
    """Computes lanes with one set of weights."""

    def __init__(
        self,
        settings: Settings,
        weights: Weights,
        kernels: Kernels,
        watch: Stopwatch,
        divider: int | None = None,
        squares: LaneSquares | None = None,
    ) -> None:
        """Listen for the gradient of each leaf.

        Args:
            settings: the job.
            weights: of the model.
            kernels: parts of a layer.
            watch: measures forward, backward, and the sweep inside backward.
            divider: id of the token that ends a document; None: documents see one another.
            squares: takes each gradient too, if the noise is measured.
        """
        self._train, self._weights, self._watch = settings.train, weights, watch
        self._backprop = Backprop(settings, weights, kernels, watch, divider)
        self._squares, self.kernels = squares, kernels
        self._device = weights.table_values.device
        self._sum: Sum | None = None
        self._microbatch = 0
        self._factor = 1.0
        self._parts: dict[int, Tensor] = {}
        weights.on_gradient(self._finished)

    def resize(self, train: TrainSettings) -> None:
        """Cut lanes into other microbatches from now on.

        Args:
            train: how many, of how many sequences; the rows of a lane stay as many.
        """
        self._weights.drop_gradients()
        self._train = train
        self._parts.clear()
        self._backprop.resize(train)

    def begin_pass(self, factor: float) -> None:
        """Drop gradients that an aborted lane left.

        Args:
            factor: that losses are multiplied with before they are differentiated, a power of two;
                gradients are divided by it before they are added up.
        """
        self._factor = factor
        self._weights.drop_gradients()

    def run(self, layers: Layers, block: Block, total: Sum, aborted: Aborted) -> float:
        """Compute a lane and add its gradients to `total`.

        Args:
            layers: function of each layer.
            block: tokens of the lane.
            total: the reduction.
            aborted: looked at before each microbatch.

        Returns:
            Mean cross-entropy per token, in nats.

        Raises:
            PeerLost: `aborted` says so.
        """
        count, train = self._train.microbatches, self._train
        ids = read_block(block, count * train.sequences, train.sequence_tokens + 1)
        losses, share = 0.0, self._factor / count
        self._backprop.begin_lane()
        if self._squares is not None:
            self._squares.begin_lane()
        self._weights.tallies.clear()
        for number, rows in enumerate(ids.split(train.sequences)):
            reason = aborted()
            if reason is not None:
                raise PeerLost(f"told to leave: {reason}")
            self._microbatch = number
            self._sum = total if number == count - 1 else None
            losses += self._backprop.run(layers, rows.to(self._device), share)
            self._watch.lap("backward")
        self._sum = None
        self._add_ends(total)
        if self._weights.tallies.size:
            self._weights.tallies.add_to(total.counts)
        return losses / count

    def numbers(self) -> tuple[float, ...]:
        """Return what the last lane tells besides (see `TailForm`).

        The squared norm of its gradient where that is measured, then the losses of ahead modules.
        """
        square = (self._squares.total(),) if self._squares is not None else ()
        return square + self._backprop.ahead.told(self._train.microbatches)

    def rehearse(self, layers: Layers) -> None:
        """Run a microbatch of the true shape whose gradients go nowhere.

        Args:
            layers: function of each layer.

        Raises:
            OutOfMemory: memory was refused; whoever compiles shall not take it for another fault.
        """
        with_memory_told(self._train, "a microbatch", lambda: self._rehearse(layers))

    def _rehearse(self, layers: Layers) -> None:
        self._sum, self._microbatch = None, 0
        shape = (self._train.sequences, self._train.sequence_tokens + 1)
        self._backprop.run(layers, torch.zeros(shape, dtype=torch.int64, device=self._device), 1.0)
        self.begin_pass(1.0)

    def _add_ends(self, total: Sum) -> None:
        table, head = self._weights.table, self._weights.head
        if head is not table:
            self._add(total, head, self._unscaled(self._backprop.of_head))
        self._add(total, table, self._unscaled(self._backprop.of_table))

    def _add(self, total: Sum, part: Part, gradient: Tensor) -> None:
        total.add(part.number, part.slot, gradient)
        if self._squares is not None:
            self._squares.add(part.number, gradient)

    def _unscaled(self, gradient: Tensor) -> Tensor:
        # Exact in float32, since the factor is a power of two.
        if self._factor == 1.0:
            return gradient
        return gradient.to(torch.float32).mul_(1.0 / self._factor)

    def _finished(self, leaf: Leaf, gradient: Tensor) -> None:
        if self._train.microbatches > 1:
            gradient = self._accumulated(leaf, gradient)
        if self._sum is not None:
            self._watch.lap("backward")
            for part, of_part in gradients_of(leaf, self._unscaled(gradient)):
                self._add(self._sum, part, of_part)
            self._watch.lap("sweep")

    def _accumulated(self, leaf: Leaf, gradient: Tensor) -> Tensor:
        number = leaf.parts[0].number
        if number not in self._parts:
            self._parts[number] = torch.empty_like(gradient, dtype=torch.float32)
        sums = self._parts[number]
        return sums.copy_(gradient) if self._microbatch == 0 else sums.add_(gradient)
