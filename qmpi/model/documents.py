"""Positions of a microbatch whose documents do not see one another.

Theory of operation. Where documents begin follows from the token ids, so a microbatch's positions
do too: angles begin anew with each document, and attention gets the tables of its blocks. They have
the shapes of every other microbatch's; whoever computes a lane makes the same. A row that is cut
into shorter sequences is one of as many documents.
"""

import torch
from torch import Tensor

from qmpi.config.model import ModelSettings
from qmpi.model.bands import Band, starts
from qmpi.model.pieces import Pieces
from qmpi.model.plain import Positions, keeps_chances, kept_tables


class Documents:
    """Makes the positions of microbatches."""

    def __init__(
        self,
        settings: ModelSettings,
        positions: Positions,
        divider: int | None,
        pieces: Pieces | None = None,
    ) -> None:
        """Keep what all microbatches share; rows are not cut yet.

        Args:
            settings: shape of the model.
            positions: of a sequence that is one document.
            divider: id of the token that ends a document; None: documents see one another.
            pieces: those whose queries are here; None: a sequence is whole.
        """
        self._settings, self._positions, self._divider = settings, positions, divider
        self._pieces = pieces
        self._length = 0

    def cut(self, tokens: int) -> None:
        """Cut rows from now on.

        Args:
            tokens: of each sequence, the last may have fewer; 0: a row is one.
        """
        self._length = tokens

    def positions(self, ids: Tensor) -> Positions:
        """Return the positions of token ids.

        Args:
            ids: int64 [B, T].

        Returns:
            Angles [B, S, 1, D] of the S tokens whose queries are here, and the tables that
            attention needs.
        """
        settings, at, tokens = self._settings, self._positions, ids.shape[1]
        own = self._pieces or Pieces.of(tokens)
        number = torch.arange(tokens, device=ids.device)
        first = torch.zeros_like(ids) if self._divider is None else starts(ids, self._divider)
        if self._length:
            first = first.maximum(number - number % self._length)
        place = own.out_of(number - first, 1)
        near, far = (), ()
        if keeps_chances(tokens, ids.device):
            whole = settings.window_pattern.strip("w") or not settings.window
            if whole:
                far = kept_tables(own.tokens, Band(tokens), first, ids.device, own.firsts)
            if settings.window:
                band = Band(settings.window, settings.sinks)
                near = kept_tables(own.tokens, band, first, ids.device, own.firsts)
        return Positions(at.cos[place], at.sin[place], at.future, first, near, far, own.firsts)
