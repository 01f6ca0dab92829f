"""What a checkpoint's weights make of held-out rows and of problems; on the CPU, in float32."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from qmpi.config.settings import Settings
from qmpi.model.transformer import Transformer
from qmpi.training.decode import Decoder, Stop
from qmpi.training.flat_state import FlatState, state_layout
from qmpi.training.lanes import Block, read_block

LOGITS = 1 << 25
"""Logits computed at a time: 128 MiB of them."""


class Evaluator:
    """The weights of one checkpoint.

    Attributes:
        step: weights are those before this step.
    """

    def __init__(self, settings: Settings, payload: Block) -> None:
        """Take over the weights.

        Args:
            settings: the job that made the checkpoint.
            payload: its state.

        Raises:
            CorruptData: the state is not that of the job's model.
        """
        model = Transformer(settings.model)
        state = FlatState(state_layout(settings), torch.device("cpu"))
        state.adopt(model)
        state.load(payload)
        self.step = state.step
        self._model = model.requires_grad_(requires_grad=False).eval()
        weights = {slot.name: state.view(slot) for slot in state.layout.slots}
        self._decoder = Decoder(settings.model, weights)
        self._columns = settings.train.sequence_tokens + 1
        self._rows = max(1, LOGITS // (settings.model.vocab_size * self._columns))

    @torch.no_grad()
    def row_losses(self, block: Block, rows: int, progress: Callable[[int], None]) -> list[float]:
        """Return the cross-entropy of each row, summed over its targets.

        Args:
            block: ids as `read_block` takes them, [rows, sequence_tokens + 1].
            rows: how many.
            progress: told how many more rows are done.

        Returns:
            Nats, one number a row; inf or nan where the weights give such.
        """
        losses: list[float] = []
        for part in read_block(block, rows, self._columns).split(self._rows):
            losses += _summed(self._model(part[:, :-1]), part[:, 1:]).tolist()
            progress(len(part))
        return losses

    def continuations(
        self,
        prompts: Sequence[Sequence[int]],
        budgets: Sequence[int],
        stop: Stop,
        progress: Callable[[int], None],
    ) -> list[list[int]]:
        """Continue prompts by their likeliest tokens; see `Decoder.greedy`.

        Args:
            prompts: token ids, at least one each.
            budgets: most tokens added to each.
            stop: asked after each token.
            progress: told how many more prompts have ended.

        Returns:
            The tokens added to each.
        """
        return self._decoder.greedy(prompts, budgets, stop, progress)


def _summed(logits: Tensor, targets: Tensor) -> Tensor:
    each = functional.cross_entropy(
        logits.flatten(0, 1).float(), targets.flatten(), reduction="none"
    )
    return each.view(targets.shape).double().sum(dim=1)
