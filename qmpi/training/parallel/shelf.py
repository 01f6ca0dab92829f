"""Products whose gradients of weights are put off: a backward pass in two halves.

Theory of operation. The stage below waits for the gradient of a chunk's input, and for nothing
else. So the backward pass of a product gives that of its features at once, and lays features and
output's gradient on a shelf; what the weights get of them is multiplied later, when the schedule
has time (Qi et al., arXiv 2401.10241). Autograd runs once, so the two halves cost what a whole pass
costs, and the products are the same ones: the same bits.

Vectors, experts and products in eight bits have all their gradients in the first half.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class PutOff(NamedTuple):
    """What the gradient of a weight is made of.

    Attributes:
        weight: the leaf, [out, in].
        features: [rows, in].
        gradient: of the product, [rows, out].
    """

    weight: Tensor
    features: Tensor
    gradient: Tensor


class Shelf:
    """What weights are owed, by chunk and microbatch."""

    def __init__(self) -> None:
        """Start with nothing on it."""
        self._owed: list[PutOff] = []
        self._laid = dict[tuple[int, int], list[PutOff]]()

    def clear(self) -> None:
        """Drop what an aborted pass left."""
        self._owed.clear()
        self._laid.clear()

    def product(self, x: Tensor, weight: Tensor) -> Tensor:
        """Multiply, as `Kernels.product`; what the weight gets of it is put off.

        Args:
            x: features [rows, in].
            weight: a leaf, [out, in].

        Returns:
            [rows, out].
        """
        return _Product.apply(x, weight, self)

    def put_off(self, owed: PutOff) -> None:
        """Lay down what a weight is owed.

        Args:
            owed: of a backward pass under way.
        """
        self._owed.append(owed)

    def lay(self, chunk: int, microbatch: int) -> None:
        """Keep what a backward pass has put off.

        Args:
            chunk: whose pass it was.
            microbatch: likewise.
        """
        self._laid[chunk, microbatch], self._owed = self._owed, []

    def settle(self, chunk: int, microbatch: int) -> None:
        """Give the weights what they are owed, as the whole pass would have.

        Args:
            chunk: whose pass it was.
            microbatch: likewise.
        """
        owed = self._laid.pop((chunk, microbatch))
        while owed:
            weight, features, gradient = owed.pop(0)
            torch.autograd.backward([weight], [torch.mm(gradient.t(), features)])


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, shelf: Shelf) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(x, weight)
        # What a checkpoint gives back as saved is no leaf.
        ctx.leaf, ctx.shelf = weight, shelf
        return functional.linear(x, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]  # noqa: ANN401
        x, weight = ctx.saved_tensors
        ctx.shelf.put_off(PutOff(ctx.leaf, x, gradient))
        return torch.mm(gradient, weight), None, None
