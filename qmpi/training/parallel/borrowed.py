"""Weights that other ranks hold, brought for as long as a layer needs them.

Theory of operation. Ranks that share out what they compute with hold whole parameters each. What a
layer is computed with is brought before its forward pass, and again before its backward pass, and
its memory is given back behind both: a rank has all weights of one layer at a time. A layer that is
computed again for its backward pass is so from the weights brought for that. Tables, the final norm
and biases of experts are brought once a step, and stay.

What travels is in the type that is computed with. In a layer of P elements of s bytes a rank of R
receives what it does not hold, on average (R - 1) / R of P s bytes, and that twice a microbatch.

Tensors that autograd keeps for the backward pass are the leaves themselves: their storage is
emptied and filled again behind its back, to the same bits. A rank is rehearsed before it knows the
others; then zeros stand for what would come.
"""

from collections.abc import Mapping
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor

from qmpi.model.layer import Layer, LayerWeights
from qmpi.model.plain import Positions
from qmpi.training.flat_state import FlatState, Layout, Slot
from qmpi.training.parallel.given import Given
from qmpi.training.parallel.owners import Form, Owners


class Piece(NamedTuple):
    """A parameter within what is brought.

    Attributes:
        slot: of it, in the layout of all that is computed with.
        place: of its values: a part of a tensor, without autograd.
        owner: place of the rank that holds it.
    """

    slot: Slot
    place: Tensor
    owner: int

    @property
    def form(self) -> Form:
        """Shape and type in which it travels."""
        return Form(tuple(self.place.shape), self.place.dtype)


class Bundle:
    """Parameters that are brought together."""

    def __init__(self, state: FlatState, owners: Owners) -> None:
        """Begin without any.

        Args:
            state: what this rank holds.
            owners: who holds the others.
        """
        self._state, self._owners = state, owners
        self._own = {slot.name: slot for slot in state.layout.slots}
        self._tensors, self._pieces = list[Tensor](), list[Piece]()

    def lay(self, tensor: Tensor, parts: Mapping[Slot, Tensor]) -> None:
        """Have a tensor brought.

        Args:
            tensor: owns its storage.
            parts: of it, by parameter; without autograd.
        """
        self._tensors.append(tensor)
        self._pieces += [Piece(s, place, self._owners.of(s.name)) for s, place in parts.items()]

    @torch.no_grad()
    def bring(self) -> None:
        """Fill the tensors; all ranks call this.

        Raises:
            PeerLost: a rank is gone.
        """
        owners = self._owners
        for tensor in self._tensors:
            tensor.untyped_storage().resize_(tensor.numel() * tensor.element_size())
        by_owner = [[p for p in self._pieces if p.owner == o] for o in range(owners.ranks)]
        own = by_owner[owners.place]
        for piece in own:
            piece.place.copy_(self._state.view(self._own[piece.slot.name]))
        others = [[] if o == owners.place else by_owner[o] for o in range(owners.ranks)]
        if owners.line is None:
            for piece in chain.from_iterable(others):
                piece.place.zero_()
            return
        mine = [piece.place for piece in own if owners.shares_out(piece.slot.name)]
        given = [[] if o == owners.place else mine for o in range(owners.ranks)]
        found = owners.exchanged(given, [[piece.form for piece in some] for some in others])
        for pieces, values in zip(others, found, strict=True):
            for piece, value in zip(pieces, values, strict=True):
                piece.place.copy_(value)

    def free(self) -> None:
        """Give the tensors' memory back."""
        for tensor in self._tensors:
            tensor.untyped_storage().resize_(0)

    @property
    def size(self) -> int:
        """Bytes that the tensors take now."""
        return sum(tensor.untyped_storage().nbytes() for tensor in self._tensors)


class Borrowed:
    """All that a rank computes with where it holds a part of it.

    Attributes:
        layout: of all that is computed with; its slots are numbered, and lie nowhere.
        owners: who holds what; they meet with the team.
        given: takes gradients to them.
    """

    def __init__(self, layout: Layout, state: FlatState, owners: Owners) -> None:
        """Begin without any tensors.

        Args:
            layout: of all that is computed with.
            state: what this rank holds.
            owners: who holds the rest.
        """
        self.layout, self.owners, self._state = layout, owners, state
        self.given = Given(owners, state.layout)
        self._kept = Bundle(state, owners)
        self._bundles = dict[int, Bundle]()
        self._of_layer = dict[int, Bundle]()

    def again(self) -> "Borrowed":
        """Return what brings the same weights for others who compute with them."""
        return Borrowed(self.layout, self._state, self.owners)

    def keep(self, slot: Slot, kind: torch.dtype) -> Tensor:
        """Return room for a parameter that is brought once a step.

        Args:
            slot: of it.
            kind: type that it is wanted in.
        """
        tensor = torch.zeros(slot.shape, dtype=kind, device=self._state.params.device)
        self._kept.lay(tensor, {slot: tensor})
        return tensor

    def lay(self, layer: int | None, tensor: Tensor, parts: Mapping[Slot, Tensor]) -> None:
        """Have a leaf brought.

        Args:
            layer: that is computed with it; None: it is brought once a step.
            tensor: the leaf.
            parts: of its values, by parameter; without autograd.
        """
        if layer is None:
            self._kept.lay(tensor, parts)
            return
        fresh = Bundle(self._state, self.owners)
        self._bundles.setdefault(layer, fresh).lay(tensor, parts)

    def refresh(self) -> None:
        """Bring what stays, and give back what a pass that was left has not; before a step.

        Raises:
            PeerLost: a rank is gone.
        """
        for bundle in self._bundles.values():
            bundle.free()
        self._kept.bring()

    def know(self, blocks: Mapping[int, LayerWeights]) -> None:
        """Take note of whose weights are whose.

        Args:
            blocks: leaves of each layer, by its number.
        """
        self._of_layer = {id(block): self._bundles[number] for number, block in blocks.items()}
        for bundle in self._bundles.values():
            bundle.free()

    def through(self, layer: Layer, x: Tensor, at: Positions, weights: LayerWeights) -> Tensor:
        """Return what a layer makes of the stream; its weights are here as long as it needs them.

        Args:
            layer: its function; it keeps for its backward pass what it likes.
            x: residual stream.
            at: positions of the tokens.
            weights: leaves of the layer.

        Raises:
            PeerLost: a rank is gone, here or in the backward pass.
        """
        bundle = self._of_layer[id(weights)]
        bundle.bring()
        y = layer(x, at, weights)
        bundle.free()
        if y.grad_fn is not None:
            # What the layer above gives back comes before: hooks of tensors precede these.
            y.grad_fn.register_prehook(lambda _: bundle.bring())
            x.register_hook(lambda _: bundle.free())
        return y

    @property
    def size(self) -> int:
        """Bytes that all that is brought takes now."""
        return self._kept.size + sum(bundle.size for bundle in self._bundles.values())
