"""Forward and backward of one lane; gradients flow into the reduction as they become complete.

Theory of operation. A lane is the unit of arithmetic: its microbatches are accumulated in float32
in fixed order in the parameters' own `grad`. During the last one a hook on each parameter hands the
finished gradient to the reduction and frees it. Hooks fire in whatever order autograd likes;
integers do not mind.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from qmpi.config.settings import Settings
from qmpi.errors import InvariantError, PeerLost
from qmpi.model.transformer import Transformer
from qmpi.training.comm import Aborted
from qmpi.training.flat_state import Layout, Slot
from qmpi.training.reduction.kinds import Sum
from qmpi.training.stopwatch import Stopwatch

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
    """Computes lanes with one model."""

    def __init__(
        self,
        settings: Settings,
        model: Transformer,
        layout: Layout,
        device: torch.device,
        precision: torch.dtype,
        watch: Stopwatch,
    ) -> None:
        """Hang a hook on each parameter.

        Args:
            settings: the job.
            model: its parameters are views of the flat state.
            layout: of the parameters.
            device: where the model lives.
            precision: type that matrices are multiplied in.
            watch: measures forward, backward, and the sweep inside backward.
        """
        self._watch = watch
        self._train, self._model = settings.train, model
        self._device, self._precision = device, precision
        self._sum: Sum | None = None
        self._parameters = dict(model.named_parameters())
        for number, slot in enumerate(layout.slots):
            hook: Callable[[Tensor], None] = partial(self._finished, number, slot)
            self._parameters[slot.name].register_post_accumulate_grad_hook(hook)

    def clear(self) -> None:
        """Drop gradients that an aborted lane left."""
        for parameter in self._parameters.values():
            parameter.grad = None

    def loss(self, ids: Tensor) -> Tensor:
        """Return the mean cross-entropy per token of sequences [B, T + 1]."""
        ids = ids.to(self._device)
        mixed = self._precision != torch.float32
        with torch.autocast(self._device.type, self._precision, enabled=mixed):
            return self._model.loss(ids[:, :-1], ids[:, 1:])

    def run(self, block: Block, total: Sum, aborted: Aborted) -> float:
        """Compute a lane and add its gradients to `total`.

        Args:
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
        for number, rows in enumerate(ids.split(train.sequences)):
            reason = aborted()
            if reason is not None:
                raise PeerLost(f"told to leave: {reason}")
            loss = self.loss(rows)
            self._watch.lap("forward")
            self._sum = total if number == count - 1 else None
            (loss / count if count > 1 else loss).backward()
            losses += float(loss.detach())
            self._watch.lap("backward")
        self._sum = None
        return losses / count

    def warm_up(self) -> None:
        """Run a tiny pass so that the first step does not pay for lazy loading."""
        self._sum = None
        self.loss(torch.zeros(1, 9, dtype=torch.int64)).backward()
        self.clear()

    def _finished(self, number: int, slot: Slot, parameter: Tensor) -> None:
        if self._sum is not None and parameter.grad is not None:
            self._watch.lap("backward")
            self._sum.add(number, slot, parameter.grad)
            self._watch.lap("sweep")
            parameter.grad = None
