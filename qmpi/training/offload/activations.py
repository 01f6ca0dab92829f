"""What layers keep for their backward pass, in the host's memory until then.

Theory of operation. Hooks of autograd take each tensor that a layer saves. A copy goes to the host
on a queue of its own; the device's memory is free again when the copy is done. So that the device
cannot run ahead of the copies, a layer begins when those of the layer before the last are done. In
the backward pass the first tensor that is asked for brings its whole layer, and the layer that is
asked for next comes while this one is computed.

The last layer keeps what it keeps: it is asked first. Weights, positions and small tensors stay,
and so does a tensor with gaps between its elements: its copy would have other strides, and kernels
that read it might take another path. A copy has the values and the strides of the original, so the
bits are the same.

Pinned memory is torch's, which keeps what was freed for the next tensor of its size. A checkpointed
layer saves its input alone, so only that goes to the host.

Source: torch/autograd/graph.py of torch 2.13, `save_on_cpu`.
"""

from collections import deque
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils import _pytree as pytree

from qmpi.config.train import TrainSettings
from qmpi.errors import InvariantError
from qmpi.model.layer import Layer, Layers, LayerWeights
from qmpi.model.plain import Positions
from qmpi.training.offload.places import needs_pinning, offloads_activations
from qmpi.training.offload.queues import COMPUTE, INCOMING, OUTGOING, Mark, Queues, queues_of

LEAST_BYTES = 1 << 20
"""Smaller tensors stay: together they are little, and each copy costs a call."""

AHEAD = 2
"""Layers whose tensors are on the device at a time, beside the last one's."""


@dataclass(eq=False)
class Kept:
    """A tensor that waits in the host's memory.

    Attributes:
        layer: number of the layer that saved it.
        host: its values.
        back: on the device again; None: not yet.
        arrived: mark behind the copy to `back`.
    """

    layer: int
    host: Tensor
    back: Tensor | None = None
    arrived: Mark = None


def with_offload(layers: Layers, train: TrainSettings, device: torch.device) -> Layers:
    """Let layers keep in the host's memory what the job says.

    Args:
        layers: function of each layer.
        train: `offload`.
        device: where they compute.

    Returns:
        As many; the ones that were given if nothing is offloaded.
    """
    if not offloads_activations(train, device):
        return layers
    return Activations(device, queues_of(device)).around(layers)


class Activations:
    """Carries the saved tensors of one model's layers, a microbatch at a time."""

    def __init__(self, device: torch.device, queues: Queues) -> None:
        """Keep nothing yet.

        Args:
            device: where layers compute.
            queues: of the device.
        """
        self._device, self._queues = device, queues
        self._kept: dict[int, list[Kept]] = {}
        self._leaving: deque[tuple[int, Tensor, Mark]] = deque()

    def around(self, layers: Layers) -> Layers:
        """Return layers whose saved tensors are carried.

        Args:
            layers: function of each layer; they are called in order, and once a microbatch.
        """
        run = tuple(partial(self._run, number, layer) for number, layer in enumerate(layers[:-1]))
        return (*run, partial(self._run_last, len(layers) - 1, layers[-1]))

    def _run(
        self, number: int, layer: Layer, x: Tensor, at: Positions, weights: LayerWeights
    ) -> Tensor:
        self._begin(number)
        own = {
            _address(leaf) for leaf in pytree.tree_leaves((at, weights)) if torch.is_tensor(leaf)
        }
        with saved_tensors_hooks(partial(self._pack, number, own), self._unpack):
            return layer(x, at, weights)

    def _run_last(
        self, number: int, layer: Layer, x: Tensor, at: Positions, weights: LayerWeights
    ) -> Tensor:
        self._begin(number)
        return layer(x, at, weights)

    def _begin(self, number: int) -> None:
        if number == 0:
            # A pass that was aborted may have left some.
            self._kept.clear()
        self._let_go(number - AHEAD if number else None)

    def _let_go(self, last: int | None) -> None:
        """Free the originals of layers up to `last`, None: of all, when their copies are done."""
        while self._leaving and (last is None or self._leaving[0][0] <= last):
            self._queues.finish(self._leaving[0][2])
            self._leaving.popleft()

    def _pack(self, number: int, own: set[int], tensor: Tensor) -> Tensor | Kept:
        # Detached: a result that its own node held would never be freed.
        tensor = tensor.detach()
        if tensor.nbytes < LEAST_BYTES or _address(tensor) in own or _has_gaps(tensor):
            return tensor
        pinned = needs_pinning(self._device)
        host = torch.empty_like(tensor, device="cpu", pin_memory=pinned)
        self._queues.wait(OUTGOING, self._queues.mark(COMPUTE))
        self._queues.copy(OUTGOING, host, tensor)
        self._leaving.append((number, tensor, self._queues.mark(OUTGOING)))
        kept = Kept(number, host)
        self._kept.setdefault(number, []).append(kept)
        return kept

    def _unpack(self, packed: Tensor | Kept) -> Tensor:
        if not isinstance(packed, Kept):
            return packed
        self._let_go(None)
        for number in (packed.layer, packed.layer - 1):
            self._bring(number)
        if packed.back is None:
            raise InvariantError(f"a tensor of layer {packed.layer} was kept, and is not there")
        self._queues.wait(COMPUTE, packed.arrived)
        return packed.back

    def _bring(self, number: int) -> None:
        """Bring a layer's tensors back; from then on only those hold them that asked to keep."""
        kept = self._kept.pop(number, [])
        for one in kept:
            one.back = torch.empty_like(one.host, device=self._device)
        # Their memory may have been another's, whose work is not done.
        self._queues.wait(INCOMING, self._queues.mark(COMPUTE))
        for one in kept:
            if one.back is not None:
                self._queues.copy(INCOMING, one.back, one.host)
                one.arrived = self._queues.mark(INCOMING)


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _has_gaps(tensor: Tensor) -> bool:
    return torch.empty_like(tensor, device="meta").stride() != tensor.stride()
