"""What of a lane's microbatches a rank computes: whole sequences, or its pieces of each."""

from collections.abc import Sequence

import torch
from torch import Tensor

from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.errors import InvariantError
from qmpi.model.documents import Documents
from qmpi.model.pieces import Pieces
from qmpi.model.plain import Positions
from qmpi.protocol.token_kinds import NO_ANSWERS, AnswerLines
from qmpi.training.answers import Answers
from qmpi.training.parallel.shared_tokens import SharedTokens
from qmpi.training.source_losses import LaneSources, SourceLosses


class OwnTokens:
    """The tokens whose stream a rank computes.

    Attributes:
        sources: takes what their losses are.
    """

    def __init__(
        self,
        settings: Settings,
        device: torch.device,
        divider: int | None = None,
        between: SharedTokens | None = None,
        answers: AnswerLines = NO_ANSWERS,
    ) -> None:
        """Compute the tables of positions that all microbatches share.

        Args:
            settings: the job, as if the model were what this rank holds of each layer.
            device: where they go.
            divider: id of the token that ends a document; None: documents see one another.
            between: ranks that have the other tokens; None: nobody has.
            answers: how lines with answers look.
        """
        found = Answers(answers)
        self.sources = SourceLosses(len(settings.data.sources), found, device)
        self._between = between or SharedTokens()
        tokens = settings.train.sequence_tokens
        self._pieces = Pieces.of(tokens, self._between.place, self._between.ranks)
        self._at = self._positions(settings, device, divider)

    def cut(self, tokens: int) -> None:
        """Cut rows into shorter sequences from now on, which do not see one another.

        Args:
            tokens: of each; 0: a row is one sequence.

        Raises:
            InvariantError: this job does not say that stages set lengths.
        """
        if isinstance(self._at, Documents):
            self._at.cut(tokens)
        elif tokens:
            raise InvariantError(f"rows are to be cut into {tokens} tokens, and no stage says so")

    def positions(self, ids: Tensor) -> Positions:
        """Return the positions of token ids.

        Args:
            ids: int64 [B, T].

        Returns:
            Those of the rank's tokens.
        """
        return self._at.positions(ids) if isinstance(self._at, Documents) else self._at

    @property
    def ranks(self) -> int:
        """How many have as many tokens of each sequence."""
        return self._between.ranks

    def inputs(self, ids: Tensor) -> Tensor:
        """Return the ids that are embedded, int64 [rows].

        Args:
            ids: int64 [B, T + 1].
        """
        return self._pieces.out_of(ids[:, :-1], 1).flatten()

    def targets(self, ids: Tensor) -> Tensor:
        """Return the ids behind these, int64 [rows].

        Args:
            ids: int64 [B, T + 1].
        """
        return self._pieces.out_of(ids[:, 1:], 1).flatten()

    def answers(self, ids: Tensor) -> Tensor | None:
        """Return which targets are answers, bool [B, tokens]; None: there are none to be told of.

        Args:
            ids: int64 [B, T + 1].
        """
        found = self.sources.answers_of(ids.cpu())
        return None if found is None else self._pieces.out_of(found, 1)

    def tell(self, known: LaneSources, losses: Tensor) -> None:
        """Tell the losses of a microbatch by source.

        Args:
            known: of its sequences.
            losses: float32 [rows], of the targets that are here.
        """
        if known.sources.numel():
            answers = known.answers
            own = None if answers is None else self._own_answers(answers).flatten()
            self.sources.take(known.sources, losses, own)

    def rows(self, train: TrainSettings) -> int:
        """Return the tokens of a microbatch that are here.

        Args:
            train: its sequences.
        """
        return train.sequences * self._pieces.tokens

    def means_of(self, losses: Sequence[float]) -> list[float]:
        """Return mean losses over all tokens; see `SharedTokens.mean_of`."""
        return self._between.mean_of(losses)

    def _own_answers(self, places: Tensor) -> Tensor:
        """Return the places that are here; an answer that a piece cuts has no last token."""
        own = self._pieces.out_of(places, 1)
        if self.ranks == 1:
            return own
        # Whether it is solved, no rank could say.
        return own.where(own >= -1 - self._pieces.behind(), own.abs())

    def _positions(
        self, settings: Settings, device: torch.device, divider: int | None
    ) -> Documents | Positions:
        """Return what makes positions where they follow from ids or stages, else those of all."""
        model, tokens = settings.model, settings.train.sequence_tokens
        if divider is None and "length" not in settings.curriculum.sets:
            # Made once: a table that is filled by the first call would be compiled in another way.
            return Positions.of(model, tokens, device, self._pieces)
        return Documents(model, Positions.of(model, tokens, device), divider, self._pieces)
