"""Weights as a lane computes with them: merged, and in the compute type.

Theory of operation. A leaf is what autograd sees: the rows of one parameter, or of several that are
multiplied with the same features (q, k, v; gate, up). Where the state holds them side by side in
the type that is computed with, the leaf is a view of the state; else it is a copy, which `refresh`
makes anew once a step, not once a lane; where ranks share out what they compute with, leaves are
brought (see `parallel.borrowed`). The names and places of parameters in the state know
nothing of this: `Leaf.parts` leads back from a leaf's gradient to the parameters'.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from qmpi.config.model import ModelSettings
from qmpi.model.ahead import AheadWeights
from qmpi.model.experts.mix import ExpertWeights
from qmpi.model.layer import Layer, LayerWeights, merged_names
from qmpi.model.plain import Positions
from qmpi.model.shape import AHEAD_PARTS, BIAS, LayerKind, block_kinds
from qmpi.training.flat_state import FlatState, Slot
from qmpi.training.parallel.borrowed import Borrowed
from qmpi.training.parallel.given import Given
from qmpi.training.parallel.owners import Owners
from qmpi.training.tallies import Tallies

TABLE = "model.embed_tokens.weight"
HEAD = "lm_head.weight"
FINAL_NORM = "model.norm.weight"


@dataclass(frozen=True)
class Part:
    """One parameter within a leaf.

    Attributes:
        number: of the parameter in the layout.
        slot: its place in the state.
        first: its first row in the leaf.
    """

    number: int
    slot: Slot
    first: int

    def of(self, tensor: Tensor) -> Tensor:
        """Return the rows of this parameter in a tensor shaped like the leaf."""
        return tensor[self.first : self.first + self.slot.shape[0]]


@dataclass(frozen=True)
class Leaf:
    """A tensor that autograd differentiates by.

    Attributes:
        tensor: the values; requires a gradient.
        parts: the parameters that it holds.
        copied: it is a copy that has to be refreshed.
    """

    tensor: Tensor
    parts: tuple[Part, ...]
    copied: bool


class Weights:
    """All weights of the model that a state holds, as leaves.

    Attributes:
        blocks: those of each layer and each ahead module's block, by number.
        layers: those of the layers, in order.
        table: the embedding; None: it is not here.
        head: what it is a parameter of; None: it is not here.
        table_values: its values, [vocabulary, width]; empty if it is not here.
        head_values: likewise, in the type that is computed with. One that is tied to an embedding
            elsewhere is put here by whoever brings it.
    """

    def __init__(
        self,
        settings: ModelSettings,
        state: FlatState,
        kind: torch.dtype,
        tallies: Tallies | None = None,
        borrowed: Borrowed | None = None,
    ) -> None:
        """Lay the leaves out.

        Args:
            settings: shape of the model.
            state: holds the parameters; its memory stays where it is.
            kind: type that matrices are multiplied in.
            tallies: take what layers with experts count; None: they have their own.
            borrowed: brings what others hold, and what is held here; None: the state holds all.
        """
        self._state, self._borrowed, self.kind = state, borrowed, kind
        self._slots = (borrowed or state).layout.slots
        self._numbers = {slot.name: n for n, slot in enumerate(self._slots)}
        self.leaves: list[Leaf] = []
        kinds = block_kinds(settings)
        self._settings = settings
        self.tallies = tallies or Tallies(settings, state.params.device)
        told = zip(self.tallies.counts, self.tallies.features, strict=True)
        self.blocks = dict[int, LayerWeights]()
        for number, block in enumerate(kinds):
            mixture = next(told) if block.experts else None
            if f"model.layers.{number}.self_attn.q_proj.weight" in self._numbers:
                self.blocks[number] = self._layer(number, block, mixture)
        self.layers = tuple(block for n, block in self.blocks.items() if n < settings.layers)
        self.ahead = tuple(
            self._ahead(n, block) for n, block in self.blocks.items() if n >= settings.layers
        )
        self.device = state.params.device
        nothing = torch.empty(0, device=self.device)
        self.final_norm = self._leaf(FINAL_NORM) if FINAL_NORM in self._numbers else nothing
        self.table = self._part(TABLE) if TABLE in self._numbers else None
        own_head = HEAD if HEAD in self._numbers else None
        self.head = self._part(own_head) if own_head else self.table
        # No leaf: their gradients are made by hand, for that of a tied table has two sources.
        self.table_values = self._values(self.table.slot) if self.table else nothing
        head = self.table_values
        if own_head is not None and self.head is not None:
            head = self._values(self.head.slot)
        self._head, self.head_values = head, head
        if kind != head.dtype:
            self.head_values = torch.empty_like(head, dtype=kind)
        if borrowed is not None:
            borrowed.know(self.blocks)

    @torch.no_grad()
    def refresh(self) -> None:
        """Take the values of the state over into the leaves that are copies.

        Raises:
            PeerLost: a rank that holds some is gone.
        """
        if self._borrowed is not None:
            self._borrowed.refresh()
        for leaf in self.leaves:
            if leaf.copied:
                for part in leaf.parts:
                    part.of(leaf.tensor).copy_(self._state.view(part.slot))
        if self.head is not None and self.head_values is not self._head:
            self.head_values.copy_(self._head)

    def apart(self, settings: ModelSettings, kind: torch.dtype) -> "Weights":
        """Return other leaves of the same state, with counts and brought weights of their own.

        Args:
            settings: shape of the model, which is this one's.
            kind: type that matrices are multiplied in.
        """
        borrowed = self._borrowed.again() if self._borrowed is not None else None
        return Weights(settings, self._state, kind, borrowed=borrowed)

    @property
    def owners(self) -> Owners | None:
        """The ranks that hold the parameters; None: this one holds all."""
        return self._borrowed.owners if self._borrowed is not None else None

    @property
    def given(self) -> Given | None:
        """What takes gradients to the ranks that hold the parameters; None: this one holds all."""
        return self._borrowed.given if self._borrowed is not None else None

    def through(self, layer: Layer, x: Tensor, at: Positions, block: LayerWeights) -> Tensor:
        """Return what a layer makes of the stream, with its weights brought where they are not.

        Args:
            layer: its function.
            x: residual stream.
            at: positions of the tokens.
            block: its weights.

        Raises:
            PeerLost: a rank that holds some is gone.
        """
        if self._borrowed is None:
            return layer(x, at, block)
        return self._borrowed.through(layer, x, at, block)

    def embedded(self, ids: Tensor) -> Tensor:
        """Return the embedding of tokens, a leaf that is no part of the state.

        Args:
            ids: int64 [n].

        Returns:
            float32 [n, width]: the residual stream is so, whatever the weights are in.
        """
        return self.table_values.detach()[ids].to(torch.float32).requires_grad_()

    def drop_gradients(self) -> None:
        """Forget what an unfinished pass has left."""
        for leaf in self.leaves:
            leaf.tensor.grad = None

    def on_gradient(self, take: Callable[[Leaf, Tensor], None]) -> None:
        """Have the finished gradient of each leaf handed over in each backward pass.

        Args:
            take: gets the leaf, and its gradient, contiguous and like the leaf's tensor.
        """
        for leaf in self.leaves:
            leaf.tensor.register_post_accumulate_grad_hook(_handing(leaf, take))

    def _layer(
        self, number: int, kind: LayerKind, told: tuple[Tensor, Tensor] | None
    ) -> LayerWeights:
        prefix = f"model.layers.{number}."
        fields: dict[str, Any] = {
            field: self._held(*(prefix + name for name in names))
            for field, names in merged_names(self._settings, kind).items()
        }
        mixture = self._mixture(prefix, *told) if told is not None else None
        return LayerWeights(**fields, experts=mixture)

    def _held(self, *names: str) -> Tensor | None:
        """Return the leaf of those that are here: of experts a rank may have some."""
        here = [name for name in names if name in self._numbers]
        return self._leaf(*here) if here else None

    def _ahead(self, number: int, block: LayerWeights) -> AheadWeights:
        embedding, stream, join, final = (
            self._leaf(f"model.layers.{number}.{part}") for part in AHEAD_PARTS
        )
        return AheadWeights(embedding, stream, join, block, final)

    def _mixture(self, prefix: str, counts: Tensor, features: Tensor) -> ExpertWeights:
        shared = [
            f"{prefix}mlp.shared_experts.{name}_proj.weight" for name in ("gate", "up", "down")
        ]
        has_shared = shared[0] in self._numbers
        return ExpertWeights(
            router=self._leaf(f"{prefix}mlp.gate.weight", kind=torch.float32),
            # No leaf: what moves it are loads, not a gradient.
            bias=self._values(self._part(f"{prefix}{BIAS}").slot),
            counts=counts,
            features=features if features.numel() else None,
            shared_gate_up=self._leaf(*shared[:2]) if has_shared else None,
            shared_down=self._leaf(shared[2]) if has_shared else None,
        )

    def _part(self, name: str, first: int = 0) -> Part:
        number = self._numbers[name]
        return Part(number, self._slots[number], first)

    def _values(self, slot: Slot) -> Tensor:
        """Return the values of a parameter in the type of the state."""
        if self._borrowed is None:
            return self._state.view(slot)
        return self._borrowed.keep(slot, self._state.params.dtype)

    def _leaf(self, *names: str, kind: torch.dtype | None = None) -> Tensor:
        parts, rows = [], 0
        for name in names:
            parts.append(self._part(name, rows))
            rows += parts[-1].slot.shape[0]
        slots = [part.slot for part in parts]
        shape = (rows, *slots[0].shape[1:])
        # Vectors stay in float32: norms are computed in it.
        kind = kind or (self.kind if len(shape) > 1 else torch.float32)
        beside = all(a.start + a.size == b.start for a, b in pairwise(slots))
        lent = self._borrowed is not None
        copied = not lent and (kind != self._state.params.dtype or not beside)
        if copied or lent:
            tensor = torch.empty(shape, dtype=kind, device=self._state.params.device)
        else:
            end = slots[-1].start + slots[-1].size
            tensor = self._state.params[slots[0].start : end].view(shape)
        tensor = tensor.detach().requires_grad_()
        self.leaves.append(Leaf(tensor, tuple(parts), copied))
        if self._borrowed is not None:
            # Behind the back of autograd, which counts what is written to a leaf.
            values = {part.slot: part.of(tensor.data) for part in parts}
            self._borrowed.lay(_layer_of(names[0]), tensor, values)
        return tensor


def _layer_of(name: str) -> int | None:
    """Return the number of the layer that a parameter belongs to; None: to none."""
    return int(name.split(".")[2]) if name.startswith("model.layers.") else None


def _handing(leaf: Leaf, take: Callable[[Leaf, Tensor], None]) -> Callable[[Tensor], None]:
    def finished(tensor: Tensor) -> None:
        if tensor.grad is not None:
            gradient, tensor.grad = tensor.grad, None
            take(leaf, gradient)

    return finished


def gradients_of(leaf: Leaf, gradient: Tensor) -> Iterator[tuple[Part, Tensor]]:
    """Cut the gradient of a leaf into those of its parameters.

    Args:
        leaf: what it belongs to.
        gradient: shaped like the leaf.

    Yields:
        Each parameter with its gradient, contiguous.
    """
    for part in leaf.parts:
        yield part, part.of(gradient)
