"""Matrices turned into the directions of what was sent before, where few elements are large.

Theory of operation. Gradients of a matrix keep to a few directions, and these change slowly. So
the shorter side of each matrix is turned by an orthogonal basis that all members have in common:
the eigenvectors of the mean of G^T G over the last steps, G being what all lanes have sent (the
basis of Shampoo and SOAP: Vyas et al., arXiv 2409.11321). A gradient that has been turned has most
of its square in few columns, and its largest elements are worth more of it than those of a matrix
as it stands. Sides that are longer than `SIDE` are turned in pieces of that length.

What is kept of a matrix is the mean, a square for each piece, from which the basis is found anew in
each step. Each G counts by its directions, not by its size, so that gradients may be of any scale.
"""

from collections.abc import Iterator
from math import prod

import torch
from torch import Tensor

from qmpi.model.shape import is_matrix
from qmpi.training.flat_state import Layout, Slot

SIDE = 128
"""Longest piece of a side that is turned: eigenvectors take the third power of it."""

REMEMBERED = 0.9
"""Share of the mean of squares that a step leaves."""


class Turns:
    """The bases of all matrices of a layout.

    Attributes:
        size: float32 numbers of the means of all.
    """

    def __init__(self, layout: Layout) -> None:
        """Cut the sides into pieces.

        Args:
            layout: of the parameters.
        """
        self._matrices = tuple(slot for slot in layout.slots if is_matrix(slot.shape))
        sides = [length for slot in self._matrices for length in _lengths(slot)]
        self._lengths = sides
        self.size = sum(length * length for length in sides)

    def bases(self, means: Tensor) -> list[Tensor]:
        """Find the directions.

        Args:
            means: float32 [size], as `followed` returned them; zeros before the first step.

        Returns:
            Of each piece an orthogonal matrix, float32.
        """
        squares = self._squares(means)
        found = [torch.eye(length, device=means.device) for length in self._lengths]
        for length in set(self._lengths):
            alike = [n for n, other in enumerate(self._lengths) if other == length]
            # On the host: one library for all, whatever the device.
            stack = torch.stack([squares[n] for n in alike]).to("cpu", torch.float64)
            vectors = torch.linalg.eigh(stack).eigenvectors.to(means.device, torch.float32)
            for number, own in zip(alike, vectors, strict=True):
                found[number] = own.contiguous()
        return found

    def turn(self, flat: Tensor, bases: list[Tensor]) -> None:
        """Turn all matrices of a buffer, in place.

        Args:
            flat: float32, of all parameters.
            bases: of all pieces.
        """
        for piece, basis in zip(self._pieces(flat), bases, strict=True):
            piece.copy_(piece @ basis)

    def turn_back(self, flat: Tensor, bases: list[Tensor]) -> None:
        """Turn all matrices as they stood before `turn`, in place, up to rounding.

        Args:
            flat: float32, of all parameters.
            bases: of all pieces.
        """
        for piece, basis in zip(self._pieces(flat), bases, strict=True):
            piece.copy_(piece @ basis.T)

    def followed(self, means: Tensor, gradient: Tensor) -> Tensor:
        """Return the means after a step.

        Args:
            means: float32 [size], before it.
            gradient: float32, of all parameters, as they stand; what all lanes have sent.

        Returns:
            float32 [size]; a piece of which nothing was sent stays.
        """
        after = means.clone()
        pieces = self._pieces(gradient)
        for square, piece in zip(self._squares(after), pieces, strict=True):
            # Of size 1: squares of any float32 are numbers then.
            scaled = piece / piece.abs().amax().clamp(min=torch.finfo(torch.float32).tiny)
            product = scaled.T @ scaled
            size = product.trace()
            if bool(size > 0):
                square.lerp_(product / size, 1.0 - REMEMBERED)
        return after

    def _squares(self, means: Tensor) -> list[Tensor]:
        sizes = [length * length for length in self._lengths]
        parts = zip(means.split(sizes), self._lengths, strict=True) if sizes else ()
        return [part.view(length, length) for part, length in parts]

    def _pieces(self, flat: Tensor) -> Iterator[Tensor]:
        """Yield views of the pieces, [elements across, length of the piece]."""
        for slot in self._matrices:
            matrix = flat[slot.start : slot.start + slot.size].view(_shape(slot))
            standing = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
            yield from standing.split(SIDE, dim=1)


def _shape(slot: Slot) -> tuple[int, int]:
    """Return rows and columns; matrices of several experts stand one below the other."""
    return prod(slot.shape[:-1]), slot.shape[-1]


def _lengths(slot: Slot) -> list[int]:
    side = min(_shape(slot))
    return [min(SIDE, side - at) for at in range(0, side, SIDE)]
