"""Layers of a team's model forward alone, in float32, as one rank has parts of them.

Theory of operation. Weights are views of the state where that is in float32 and holds what is
multiplied together side by side; elsewhere they are copies, made anew by `refresh`. Nothing is kept
for a backward pass. Of each token every rank of the tensor axis tells the largest logit that it
has, the sum of the exponentials below it, and the target's (see `vocabulary`).
"""

import torch
from msgspec.structs import replace
from torch import Tensor

from qmpi.model.fused.cross_entropy import CHUNK_LOGITS, LEAST_ROWS
from qmpi.model.layer import choose_kernels, make_layers
from qmpi.training.answers import row_losses
from qmpi.training.comm.line import Comm
from qmpi.training.lanes import Block, read_block
from qmpi.training.own_tokens import OwnTokens
from qmpi.training.parallel.kernels import shared_kernels
from qmpi.training.parallel.tie import Tie
from qmpi.training.parallel.vocabulary import joined, looked_up, own_of
from qmpi.training.station import Station


class Forward:
    """What a rank has of the model, and of the sequences of a microbatch.

    Attributes:
        part: of the model that is here.
        sequences: of a microbatch that are here.
    """

    def __init__(self, at: Station) -> None:
        """Lay out what a rank computes with.

        Args:
            at: of its position.
        """
        own = at.own
        # Training drops what is beyond an expert's capacity, and pays for large logits.
        model = replace(own.model, capacity_factor=0.0, router_z_loss=0.0)
        self.part, self._between, self._model = at.part, at.between, model
        self._train, self.sequences = replace(own.train, microbatches=1), own.train.sequences
        self._weights = at.weights.apart(model, torch.float32)
        self._tie = Tie(self._weights, at.part)
        plain = choose_kernels(self._weights.device, own.train.sequence_tokens, compiled=False)
        self._kernels = shared_kernels(plain, at.part, at.between)
        self._layers = make_layers(model, self.sequences, self._kernels)
        self._tokens = OwnTokens(
            own, self._weights.device, at.means.divider, at.between.tokens, at.means.answers
        )

    @property
    def rows(self) -> int:
        """Sequences of a microbatch, those of other ranks too."""
        return self._between.sequences.rows_of(self._train)

    def refresh(self, tie: Comm) -> None:
        """Take the values of the state over, and those that are borrowed.

        Args:
            tie: first and last stage; a line of one: this rank is neither.

        Raises:
            PeerLost: a rank that lends some is gone.
        """
        self._weights.refresh()
        self._tie.line = tie
        self._tie.refresh()

    def own(self, block: Block, rows: int) -> Tensor:
        """Return the sequences that this rank has, zeros where there are no more.

        Args:
            block: ids as `read_block` takes them.
            rows: how many.

        Returns:
            int64 [sequences, T + 1].
        """
        ids = read_block(block, rows, self._train.sequence_tokens + 1)
        missing = ids.new_zeros(self.rows - rows, ids.shape[1])
        own = self._between.sequences.own(torch.cat((ids, missing)), self._train)
        return own.to(self._weights.device)

    def embedded(self, ids: Tensor) -> Tensor:
        """Return the stream of a piece where it begins.

        Args:
            ids: int64 [sequences, T + 1], of this rank.

        Returns:
            float32 [rows that this rank has of the stream, width].
        """
        return looked_up(self._tokens.inputs(ids), self._weights, self.part, self._between.rows)

    def through(self, chunk: int, x: Tensor, ids: Tensor) -> Tensor:
        """Return what the layers of a chunk make of the stream.

        Args:
            chunk: number among those of this stage.
            x: as `embedded` returns it.
            ids: likewise.
        """
        at = self._tokens.positions(ids[:, :-1])
        for number in self.part.blocks[chunk]:
            if number < self._model.layers:
                block = self._weights.blocks[number]
                x = self._weights.through(self._layers[number], x, at, block)
        return x

    def row_losses(self, x: Tensor, ids: Tensor) -> Tensor:
        """Return the losses of a piece's rows, over the targets that are here.

        Args:
            x: stream behind the last layer.
            ids: as `embedded` takes them.

        Returns:
            float64 [KINDS, sequences], on the host; see `qmpi.training.answers.row_losses`.
        """
        weights, model, between = self._weights, self._model, self._between
        features = self._kernels.norm(x, weights.final_norm, model.norm_eps, torch.float32)
        whole, targets = between.rows.all_of(features.contiguous()), self._tokens.targets(ids)
        size = max(LEAST_ROWS, CHUNK_LOGITS // model.vocab_size)
        chunks = zip(whole.split(size), targets.split(size), strict=True)
        each = torch.cat([self._token_losses(*chunk) for chunk in chunks])
        answers = self._tokens.answers(ids)
        return row_losses(each.view(ids.shape[0], -1), answers).cpu()

    def room(self) -> Tensor:
        """Return room for what this rank has of a piece's stream."""
        rows = self._tokens.rows(self._train) // self.part.shares
        return torch.zeros(rows, self._model.width, device=self._weights.device)

    def _token_losses(self, features: Tensor, targets: Tensor) -> Tensor:
        logits, cap = features @ self._weights.head_values.t(), self._model.logit_softcap
        if cap:
            logits.div_(cap).tanh_().mul_(cap)
        own, is_own = own_of(targets, self.part.first_token, logits.shape[1])
        wanted = logits.gather(1, own.unsqueeze(-1)).squeeze(-1) * is_own
        largest = logits.amax(dim=-1)
        below = logits.sub_(largest.unsqueeze(-1)).exp_().sum(dim=-1)
        told = torch.stack((largest, below, wanted))
        return joined(self._between.rows.each(told))[2]
