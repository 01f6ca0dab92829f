"""The pieces of each sequence that a rank of the context axis computes.

Theory of operation. Causal attention costs a token as much as it has keys. So a sequence is cut
into twice as many pieces as there are ranks, and each rank has one from the front and its mirror
image from the back: the keys of the two together are as many on every rank.
"""

from typing import NamedTuple, Self

import torch
from torch import Tensor


class Pieces(NamedTuple):
    """Pieces of a sequence, all of one length, in order.

    Attributes:
        firsts: first token of each.
        length: tokens of each.
    """

    firsts: tuple[int, ...]
    length: int

    @classmethod
    def of(cls, tokens: int, place: int = 0, ranks: int = 1) -> Self:
        """Return those of a rank.

        Args:
            tokens: of a sequence; twice the ranks divide it, if these are several.
            place: of the rank along the context axis.
            ranks: along it; of one the sequence is whole.

        Returns:
            The pieces.
        """
        if ranks == 1:
            return cls((0,), tokens)
        length = tokens // (2 * ranks)
        return cls((place * length, (2 * ranks - 1 - place) * length), length)

    @property
    def tokens(self) -> int:
        """Tokens of all of them."""
        return len(self.firsts) * self.length

    def behind(self) -> Tensor:
        """Return how many tokens of its own piece lie before each token, int64 [tokens]."""
        return torch.arange(self.length).repeat(len(self.firsts))

    def out_of(self, whole: Tensor, dim: int = 0) -> Tensor:
        """Pick them.

        Args:
            whole: of a sequence's tokens along one dimension.
            dim: which.

        Returns:
            Likewise of these tokens alone, in order.
        """
        if len(self.firsts) == 1:
            return whole
        return torch.cat([whole.narrow(dim, first, self.length) for first in self.firsts], dim)
