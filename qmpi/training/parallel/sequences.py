"""The sequences of a lane that a rank has.

Theory of operation. Ranks that share out experts share out the sequences of each microbatch too:
each has a run of them, in order of the ranks, so that what all of them have is in the order of a
rank alone. A lane's loss is a mean over runs of one length, added up in order of the ranks.
"""

import torch
from torch import Tensor

from qmpi.config.train import TrainSettings
from qmpi.training.comm.line import Comm


class Sequences:
    """Those of one rank.

    Attributes:
        parts: runs that the sequences of a microbatch are dealt in.
        line: the ranks that have them; None: not met yet.
    """

    def __init__(self, place: int = 0, parts: int = 1) -> None:
        """Take the rank's place.

        Args:
            place: number of its run.
            parts: how many there are.
        """
        self._place, self.parts = place, parts
        self.line: Comm | None = None

    def rows_of(self, train: TrainSettings) -> int:
        """Return the rows of a lane.

        Args:
            train: microbatches, and the sequences of each that a rank has.
        """
        return train.microbatches * self.parts * train.sequences

    def own(self, ids: Tensor, train: TrainSettings) -> Tensor:
        """Return what a rank has of a lane.

        Args:
            ids: of the lane, [rows, tokens].
            train: as `rows_of` takes it.

        Returns:
            [microbatches * sequences, tokens].
        """
        dealt = ids.view(train.microbatches, self.parts, train.sequences, -1)
        return dealt[:, self._place].flatten(0, 1)

    def mean_of(self, losses: Tensor) -> Tensor:
        """Return the mean losses of all sequences.

        Args:
            losses: of those that the rank has, float64 [lanes].

        Returns:
            float64 [lanes]; the same on all ranks.

        Raises:
            PeerLost: a rank is gone.
        """
        if self.line is None or self.parts == 1:
            return losses
        total = torch.zeros_like(losses)
        for told in self.line.allgather(losses).view(self.parts, -1):
            total += told
        return total / self.parts

    def all_of(self, numbers: Tensor) -> Tensor:
        """Return what each sequence of some microbatches gives, in the order of a rank alone.

        Args:
            numbers: of those that the rank has, float64 [microbatches, sequences], in the host's
                memory.

        Returns:
            float64 [microbatches, parts * sequences]; the same on all ranks.

        Raises:
            PeerLost: a rank is gone.
        """
        if self.line is None or self.parts == 1:
            return numbers
        told = self.line.gather_numbers(numbers.flatten()).view(self.parts, *numbers.shape)
        return told.transpose(0, 1).flatten(1)
