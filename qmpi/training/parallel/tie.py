"""A head that is tied to an embedding on another stage of the pipeline.

Theory of operation. The table is part of the first stage's state alone. The last stage borrows its
values before each step, and gives back the gradient of each lane, which joins that of the embedding
before the two are rounded to integers, as on one rank. Both travel on a line of their own: what
passes along the pipeline is told apart by its order.
"""

import torch
from torch import Tensor

from qmpi.errors import InvariantError
from qmpi.model.partition import Partition
from qmpi.training.comm.line import Comm
from qmpi.training.comm.pending import Pending
from qmpi.training.weights import Weights

FIRST, LAST = 0, 1


class Tie:
    """One end of it; on a rank that has neither or both ends it does nothing.

    Attributes:
        line: first and last stage; None: not met yet.
    """

    def __init__(self, weights: Weights, part: Partition) -> None:
        """Find which end this is.

        Args:
            weights: of what the rank holds.
            part: what that is.
        """
        self._weights = weights
        tied = part.model.tied_head and part.chain.stages > 1
        self.borrows, self.lends = tied and part.is_last, tied and part.is_first
        if self.borrows:
            shape = (part.model.vocab_size, part.model.width)
            weights.head_values = torch.zeros(shape, dtype=weights.kind, device=weights.device)
        self.line: Comm | None = None

    def refresh(self) -> None:
        """Bring the values of the table to the last stage; before a step.

        Raises:
            PeerLost: the other end is gone.
        """
        if self.lends:
            values = self._weights.table_values.detach().to(self._weights.kind)
            self._met().send(values.contiguous(), LAST)
        elif self.borrows:
            self._met().receive(self._weights.head_values, FIRST)

    def give(self, gradient: Tensor) -> list[Pending]:
        """Begin to give a lane's gradient of the head to whom the table belongs.

        The other end takes it when its own lane ends, for which it needs more from here: so nobody
        may wait for that before.

        Args:
            gradient: float32 [vocabulary, width]; may be changed at once.

        Returns:
            What is to be waited for when nothing else is left to do.

        Raises:
            PeerLost: the other end is gone.
        """
        return [] if self.line is None else [self.line.start.send(gradient.clone(), FIRST)]

    def take(self, gradient: Tensor) -> None:
        """Add the gradient of the head to a lane's gradient of the embedding.

        Args:
            gradient: float32 [vocabulary, width]; changed.

        Raises:
            PeerLost: the other end is gone.
        """
        if self.line is not None:
            of_head = torch.empty_like(gradient)
            self.line.receive(of_head, LAST)
            gradient.add_(of_head)

    def _met(self) -> Comm:
        if self.line is None:
            raise InvariantError("one end of a tied table works without having met the other")
        return self.line
