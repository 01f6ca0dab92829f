"""Gradients of leaves on their way into the reduction, as autograd finishes them.

Theory of operation. The microbatches of a lane are accumulated in float32 in fixed order. During
the last one each gradient goes to the reduction as soon as autograd has finished it, and its memory
is free again. That happens in whatever order autograd likes; integers do not mind.
"""

import torch
from torch import Tensor

from qmpi.training.lane_squares import LaneSquares
from qmpi.training.reduction.kinds import Sum
from qmpi.training.stopwatch import Stopwatch
from qmpi.training.weights import Leaf, Part, Weights, gradients_of


class Gradients:
    """What becomes of the gradients of one set of weights."""

    def __init__(
        self,
        weights: Weights,
        watch: Stopwatch,
        squares: LaneSquares | None = None,
    ) -> None:
        """Listen for the gradient of each leaf.

        Args:
            weights: of the model.
            watch: measures the sweep inside backward.
            squares: takes each gradient too, if the noise is measured.
        """
        self._weights, self._watch, self._squares = weights, watch, squares
        self._given = weights.given
        self._sum: Sum | None = None
        self._number, self._count, self._factor = 0, 1, 1.0
        self._parts: dict[int, Tensor] = {}
        weights.on_gradient(self._finished)

    def begin_pass(self, factor: float) -> None:
        """Drop what an aborted lane left.

        Args:
            factor: that losses are multiplied with before they are differentiated, a power of two;
                gradients are divided by it before they are added up.
        """
        self._factor = factor
        self._weights.drop_gradients()
        if self._given is not None:
            self._given.begin_pass()

    def resize(self) -> None:
        """Drop what belongs to microbatches of another size."""
        self._weights.drop_gradients()
        self._parts.clear()

    def expect(self, number: int, count: int, total: Sum | None) -> None:
        """Say what the gradients that come next belong to.

        Args:
            number: of the microbatch within its lane.
            count: microbatches of a lane.
            total: takes the sum over them if it is the last one; None: it goes nowhere.
        """
        self._number, self._count = number, count
        self._sum = total if number == count - 1 else None

    def add(self, total: Sum, part: Part, gradient: Tensor) -> None:
        """Add the gradient of a parameter that is made by hand.

        Args:
            total: the reduction.
            part: the parameter.
            gradient: of the scaled loss.
        """
        self._add(total, part, self._unscaled(gradient))

    def flush(self, total: Sum) -> None:
        """Have all gradients so far in the sum; before a lane ends, and its buffers are reused.

        Args:
            total: the reduction.

        Raises:
            PeerLost: a rank that holds parameters is gone.
        """
        if self._given is not None:
            self._given.flush(total)

    def _add(self, total: Sum, part: Part, gradient: Tensor) -> None:
        if self._given is not None:
            self._given.add(total, part.slot, gradient)
        else:
            total.add(part.number, part.slot, gradient)
        if self._squares is not None:
            self._squares.add(part.number, gradient)

    def _unscaled(self, gradient: Tensor) -> Tensor:
        # Exact in float32, since the factor is a power of two.
        if self._factor == 1.0:
            return gradient
        return gradient.to(torch.float32).mul_(1.0 / self._factor)

    def _finished(self, leaf: Leaf, gradient: Tensor) -> None:
        if self._count > 1:
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
        return sums.copy_(gradient) if self._number == 0 else sums.add_(gradient)
