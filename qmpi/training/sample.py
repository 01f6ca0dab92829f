"""Tokens drawn from a trained model, of several rows at once.

Theory of operation. Each row has a generator of its own, so its text depends on its prompt, the
draws and the weights alone; a neighbour can change it by no more than the rounding of a matrix
product of another height. The model sees at most the tokens of a training sequence: once they are
full the older half is forgotten, and the newer half is read again from position 0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from qmpi.config.settings import Settings
from qmpi.model.cached import CachedModel
from qmpi.model.transformer import Transformer
from qmpi.training.draws import Draws
from qmpi.training.snapshot_weights import SnapshotWeights


def load_model(
    settings: Settings, payloads: Sequence[memoryview], divider: int | None = None
) -> Transformer:
    """Build a model with the weights of a checkpoint, on the CPU.

    Args:
        settings: the job that made the checkpoint.
        payloads: state of each position of a team, in order of position.
        divider: id of the token that ends a document; None: documents see one another.

    Returns:
        The model, for inference.

    Raises:
        CorruptData: the checkpoint is of another model, or its parts do not belong together.
    """
    weights = SnapshotWeights(settings, payloads)
    model = Transformer(settings.model, divider)
    tensors = model.state_dict()
    with torch.no_grad():
        for name, values in weights:
            tensors[name].copy_(values)
    return model.requires_grad_(requires_grad=False).eval()


class Row(NamedTuple):
    """A text to continue.

    Attributes:
        ids: its tokens, at least one.
        seed: of its draws.
    """

    ids: Sequence[int]
    seed: int


class Limits(NamedTuple):
    """What a text keeps to.

    Attributes:
        window: tokens that the model sees, >= 1.
        end: id of the token that ends a document.
        vocabulary: ids below this are drawn; a model may have more rows than its tokenizer tokens.
    """

    window: int
    end: int
    vocabulary: int


class Drawn(NamedTuple):
    """A token of a row.

    Attributes:
        row: which.
        token: its id.
        last: nothing follows.
    """

    row: int
    token: int
    last: bool


@dataclass
class _Text:
    row: int
    seen: list[int]
    generator: torch.Generator
    left: int


@torch.no_grad()
def continue_rows(
    model: Transformer, rows: Sequence[Row], draws: Draws, limits: Limits
) -> Iterator[Drawn]:
    """Continue texts, all of them at once.

    Args:
        model: from `load_model`.
        rows: the texts, at least one.
        draws: how to draw.
        limits: window, end and vocabulary.

    Yields:
        Tokens as they come; the end token, if it comes, is the last of its row.
    """
    texts = [
        _Text(number, [*row.ids][-limits.window :], _generator(row.seed), draws.tokens)
        for number, row in enumerate(rows)
    ]
    cached = CachedModel(model, len(texts), limits.window)
    logits = torch.stack([cached.fill(place, text.seen) for place, text in enumerate(texts)])
    while texts:
        going: list[int] = []
        for place, text in enumerate(texts):
            token = pick(logits[place, : limits.vocabulary], draws, text.generator)
            text.seen.append(token)
            text.left -= 1
            last = token == limits.end or not text.left
            if not last:
                going.append(place)
            yield Drawn(text.row, token, last)
        if not going:
            return
        if len(going) < len(texts):
            cached.keep(going)
            texts = [texts[place] for place in going]
        _make_room(cached, texts, limits.window)
        logits = cached.advance([text.seen[-1] for text in texts])


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _make_room(cached: CachedModel, texts: Sequence[_Text], window: int) -> None:
    for place, text in enumerate(texts):
        if len(text.seen) > window:
            text.seen = text.seen[-max(1, window // 2) :]
            cached.fill(place, text.seen[:-1])


def pick(logits: Tensor, draws: Draws, generator: torch.Generator) -> int:
    """Draw a token.

    Args:
        logits: [vocab].
        draws: how.
        generator: on the CPU.

    Returns:
        Its id.
    """
    if draws.temperature == 0:
        return int(logits.argmax())
    # Largest first set to 0, in float64: a tiny temperature must not make inf - inf.
    scaled = (logits - logits.max()).double().cpu() / draws.temperature
    order = torch.argsort(scaled, descending=True, stable=True)
    chances = torch.softmax(scaled[order], dim=-1)
    if draws.top_k:
        chances = chances[: draws.top_k]
    if draws.top_p < 1:
        chances = chances / chances.sum()
        # As many as reach the share: those before which it is not reached yet.
        before = chances.cumsum(0) - chances
        chances = chances[: max(1, int((before < draws.top_p).sum()))]
    # By id, not by rank: two tokens that rounding puts in the other order are drawn all the same.
    by_id = torch.zeros_like(scaled).scatter_(0, order[: len(chances)], chances)
    return int(torch.multinomial(by_id, 1, generator=generator))
