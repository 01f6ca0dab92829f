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
from qmpi.errors import InvariantError, PeerLost
from qmpi.model.layer import Kernels, Layers
from qmpi.training.backprop import Backprop
from qmpi.training.comm import Aborted
from qmpi.training.reduction.kinds import Sum
from qmpi.training.stopwatch import Stopwatch
from qmpi.training.weights import Leaf, Weights, gradients_of

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
    ) -> None:
        """Listen for the gradient of each leaf.

        Args:
            settings: the job.
            weights: of the model.
            kernels: parts of a layer.
            watch: measures forward, backward, and the sweep inside backward.
        """
        self._train, self._weights, self._watch = settings.train, weights, watch
        self._backprop = Backprop(settings, weights, kernels, watch)
        self._device = weights.table_values.device
        self._sum: Sum | None = None
        self._microbatch = 0
        self._parts: dict[int, Tensor] = {}
        weights.on_gradient(self._finished)

    def clear(self) -> None:
        """Drop gradients that an aborted lane left."""
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
        losses = 0.0
        self._backprop.begin_lane()
        self._weights.tallies.clear()
        for number, rows in enumerate(ids.split(train.sequences)):
            reason = aborted()
            if reason is not None:
                raise PeerLost(f"told to leave: {reason}")
            self._microbatch = number
            self._sum = total if number == count - 1 else None
            losses += self._backprop.run(layers, rows.to(self._device), 1.0 / count)
            self._watch.lap("backward")
        self._sum = None
        self._add_ends(total)
        self._weights.tallies.add_to(total.counts)
        return losses / count

    def rehearse(self, layers: Layers) -> None:
        """Run a microbatch of the true shape whose gradients go nowhere.

        Args:
            layers: function of each layer.
        """
        self._sum, self._microbatch = None, 0
        shape = (self._train.sequences, self._train.sequence_tokens + 1)
        self._backprop.run(layers, torch.zeros(shape, dtype=torch.int64, device=self._device), 1.0)
        self.clear()

    def _add_ends(self, total: Sum) -> None:
        table, head = self._weights.table, self._weights.head
        if head is not table:
            total.add(head.number, head.slot, self._backprop.of_head)
        total.add(table.number, table.slot, self._backprop.of_table)

    def _finished(self, leaf: Leaf, gradient: Tensor) -> None:
        if self._train.microbatches > 1:
            gradient = self._accumulated(leaf, gradient)
        if self._sum is not None:
            self._watch.lap("backward")
            for part, of_part in gradients_of(leaf, gradient):
                self._sum.add(part.number, part.slot, of_part)
            self._watch.lap("sweep")

    def _accumulated(self, leaf: Leaf, gradient: Tensor) -> Tensor:
        number = leaf.parts[0].number
        if number not in self._parts:
            self._parts[number] = torch.empty_like(gradient, dtype=torch.float32)
        sums = self._parts[number]
        return sums.copy_(gradient) if self._microbatch == 0 else sums.add_(gradient)
