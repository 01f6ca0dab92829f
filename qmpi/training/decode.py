"""Greedy continuations of many prompts at once, with a cache of keys and values.

Theory of operation. Prompts of like lengths make a batch. Which prompts a batch holds follows from
the prompts alone, so that batches may be dealt to several machines and give the same tokens. A
prompt that has ended is computed on until half of its batch has; then all that have leave.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from qmpi.model.cached import CachedModel
from qmpi.model.transformer import Transformer

BATCH = 64
"""Prompts decoded together: on a CPU more bring little, and wait for the longest."""

Stop = Callable[[int, list[int]], bool]
"""Number of a prompt and the tokens added to it so far: whether that is enough."""


def batches_of(
    prompts: Sequence[Sequence[int]], budgets: Sequence[int], size: int = BATCH
) -> Iterator[list[int]]:
    """Yield the prompts of each batch: like lengths together, since a batch waits for its longest.

    Args:
        prompts: token ids.
        budgets: most tokens added to each.
        size: most prompts of a batch, >= 1.

    Yields:
        Numbers of prompts.
    """
    order = sorted(range(len(prompts)), key=lambda n: (budgets[n], len(prompts[n])))
    for first in range(0, len(order), size):
        yield order[first : first + size]


@torch.no_grad()
def greedy(
    model: Transformer,
    prompts: Sequence[Sequence[int]],
    budgets: Sequence[int],
    stop: Stop,
    progress: Callable[[int], None],
) -> list[list[int]]:
    """Continue each prompt of a batch by its likeliest tokens.

    Args:
        model: for inference.
        prompts: token ids, at least one each.
        budgets: most tokens added to each, >= 1.
        stop: asked after each token.
        progress: told how many more prompts have ended.

    Returns:
        The tokens added to each.
    """
    added: list[list[int]] = [[] for _ in prompts]
    if not prompts:
        return added

    def ended(number: int, token: int) -> bool:
        added[number].append(token)
        over = len(added[number]) >= budgets[number] or stop(number, added[number])
        progress(over)
        return over

    # Who has ended is computed on for a while, so the longest prompt may take the longest budget.
    room = max(map(len, prompts)) + max(budgets)
    cached = CachedModel(model, len(prompts), room)
    chosen = _likeliest(torch.stack([cached.fill(n, prompt) for n, prompt in enumerate(prompts)]))
    # Place in the cache: number of the prompt, or -1 if it has ended.
    there = list(range(len(prompts)))
    while True:
        for place, number in enumerate(there):
            if number >= 0 and ended(number, chosen[place]):
                there[place] = -1
        going = [place for place, number in enumerate(there) if number >= 0]
        if not going:
            return added
        if 2 * len(going) <= len(there):
            cached.keep(going)
            there = [there[place] for place in going]
            chosen = [chosen[place] for place in going]
        chosen = _likeliest(cached.advance(chosen))


def _likeliest(logits: Tensor) -> list[int]:
    return logits.argmax(dim=-1).tolist()
