"""What weights make of held-out rows and of problems; in float32, where the weights are."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from qmpi.config.model import ModelSettings
from qmpi.model.transformer import Transformer
from qmpi.protocol.evaluation import RowLoss
from qmpi.protocol.token_kinds import NO_ANSWERS, AnswerLines
from qmpi.training.answers import Answers, row_losses, told_losses
from qmpi.training.decode import Stop, batches_of, greedy
from qmpi.training.flat_state import FlatState
from qmpi.training.lanes import Block, read_block

LOGITS = 1 << 25
"""Logits computed at a time: 128 MiB of them."""


EVALUATED_LOGITS = 1 << 22
"""Logits that an evaluation computes at a time, beside all that training keeps: 16 MiB of them."""


def model_over(
    settings: ModelSettings, state: FlatState, divider: int | None = None
) -> Transformer:
    """Return a model for inference whose weights are views of a state.

    It takes no memory, and is never out of date; if the state is not in float32 it has copies.

    Args:
        settings: shape of the model.
        state: of it; its memory stays where it is.
        divider: id of the token that ends a document; None: documents are not told apart.
    """
    with torch.device("meta"):
        model = Transformer(settings, divider)
    model.load_state_dict(state.wide_views(), assign=True)
    return model.requires_grad_(requires_grad=False).eval()


class Evaluator:
    """The weights of a moment."""

    def __init__(
        self,
        model: Transformer,
        sequence_tokens: int,
        logits: int = LOGITS,
        answers: AnswerLines = NO_ANSWERS,
    ) -> None:
        """Take a model; its weights may change between two calls.

        Args:
            model: for inference.
            sequence_tokens: targets of a row.
            logits: most that are computed at a time.
            answers: how lines with answers look.
        """
        self._model, self._answers = model, Answers(answers)
        self._device = model.model.embed_tokens.weight.device
        self._columns = sequence_tokens + 1
        self._rows = max(1, logits // (model.settings.vocab_size * self._columns))

    @torch.no_grad()
    def take(self, weights: dict[str, Tensor]) -> None:
        """Measure other weights from now on.

        Args:
            weights: by name, in float32.
        """
        self._model.load_state_dict(weights, assign=True)

    def row_losses(self, block: Block, rows: int, progress: Callable[[int], None]) -> list[float]:
        """Return the cross-entropy of each row, summed over its targets.

        Args:
            block: ids as `read_block` takes them, [rows, sequence_tokens + 1].
            rows: how many.
            progress: told how many more rows are done.

        Returns:
            Nats, one number a row; inf or nan where the weights give such.
        """
        return [told.nats for told in self.measured(block, rows, progress)]

    def measured(self, block: Block, rows: int, progress: Callable[[int], None]) -> list[RowLoss]:
        """Return the cross-entropy of each row, and that of its answers.

        Args:
            block: as of `row_losses`.
            rows: how many.
            progress: told how many more rows are done.

        Returns:
            A loss a row.
        """
        losses: list[RowLoss] = []
        if not rows:
            return losses
        for ids in read_block(block, rows, self._columns).split(self._rows):
            part = ids.to(self._device)
            each = _each(self._model(part[:, :-1]), part[:, 1:])
            answers = self._answers.of_targets(ids) if self._answers.are_told else None
            losses += told_losses(row_losses(each, answers))
            progress(len(part))
        return losses

    def agrees(self, mark: int) -> bool:  # noqa: ARG002
        """Return True: nobody else measures these weights.

        Args:
            mark: not used.
        """
        return True

    def losses(
        self, parts: Sequence[tuple[Block, int]], look: Callable[[], None]
    ) -> Iterator[list[RowLoss]]:
        """Yield the cross-entropy of each row of some parts; as `measured`.

        Args:
            parts: blocks of rows, and how many each has.
            look: called before each is computed; what it raises ends the work.

        Yields:
            Losses of the rows of a part.
        """
        for block, rows in parts:
            look()
            yield self.measured(block, rows, lambda _: None)

    def continuations(
        self,
        prompts: Sequence[Sequence[int]],
        budgets: Sequence[int],
        stop: Stop,
        progress: Callable[[int], None],
    ) -> list[list[int]]:
        """Continue prompts by their likeliest tokens, batch by batch; see `greedy`.

        Args:
            prompts: token ids, at least one each.
            budgets: most tokens added to each.
            stop: asked after each token.
            progress: told how many more prompts have ended.

        Returns:
            The tokens added to each.
        """
        added: list[list[int]] = [[] for _ in prompts]
        for batch in batches_of(prompts, budgets):
            found = self.batch(batch, prompts, budgets, stop, progress)
            for number, tokens in zip(batch, found, strict=True):
                added[number] = tokens
        return added

    @property
    def rows_together(self) -> int:
        """Rows that are computed at a time; the bits of a row may depend on its neighbours."""
        return self._rows

    def batch(
        self,
        batch: Sequence[int],
        prompts: Sequence[Sequence[int]],
        budgets: Sequence[int],
        stop: Stop,
        progress: Callable[[int], None],
    ) -> list[list[int]]:
        """Continue the prompts of one batch.

        Args:
            batch: numbers of prompts, as `batches_of` yields them.
            prompts: of all batches.
            budgets: of all batches.
            stop: asked after each token, by the number of the prompt.
            progress: told how many more prompts have ended.

        Returns:
            The tokens added to each of the batch.
        """
        return greedy(
            self._model,
            [prompts[number] for number in batch],
            [budgets[number] for number in batch],
            lambda place, added: stop(batch[place], added),
            progress,
        )


def _each(logits: Tensor, targets: Tensor) -> Tensor:
    each = functional.cross_entropy(
        logits.flatten(0, 1).float(), targets.flatten(), reduction="none"
    )
    return each.view(targets.shape)
