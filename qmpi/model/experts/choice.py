"""Which experts a token goes to, with what shares, and in which order they take them.

Theory of operation. A router gives each expert a score. The experts with the highest scores are
chosen; of equal ones that with the lower number, so that the choice is a function of the numbers
alone. Shares are the scores of the chosen, made to add up to 1.

A bias is added for the choice alone, and has no part in the shares (Wang et al., arXiv 2408.15664).
With "sigmoid" it is added to the expert's probability, as DeepSeek-V3 and dots1 do. With "softmax"
it is added to the logarithm, which without a bias gives the same choice as the probabilities: these
shrink with the number of experts, and a bias of the same size would mean another thing for 8
experts than for 128.
"""

from math import ceil
from typing import NamedTuple

import torch
from torch import Tensor

from qmpi.config.model import ModelSettings

TINY = 1e-20
"""Added to a sum of probabilities, as DeepSeek-V3 does: all of them may vanish."""


class Plan(NamedTuple):
    """Who takes which token.

    Attributes:
        order: places (token * experts_per_token + rank of the choice), expert by expert and within
            one in the order of the tokens, int64 [rows]; what is dropped is not there.
        sizes: rows of each expert, in the order of experts.
    """

    order: Tensor
    sizes: list[int]


def choose(logits: Tensor, bias: Tensor, settings: ModelSettings) -> tuple[Tensor, Tensor]:
    """Choose experts for tokens.

    Args:
        logits: of the router, float32 [tokens, experts].
        bias: float32 [experts].
        settings: kind of router, experts of a token k.

    Returns:
        The chosen, int64 [tokens, k], best first; and their shares, float32 [tokens, k].
    """
    scores = logits if settings.router == "softmax" else logits.sigmoid()
    wanted = (scores.detach() + bias).sort(dim=-1, descending=True, stable=True).indices
    chosen = wanted[:, : settings.experts_per_token]
    own = scores.gather(1, chosen)
    if settings.router == "softmax":
        # Probabilities of the chosen by their sum: what all others have cancels out.
        return chosen, own.softmax(dim=-1)
    return chosen, own / (own.sum(dim=-1, keepdim=True) + TINY)


def capacity(tokens: int, settings: ModelSettings) -> int:
    """Return the tokens that an expert takes of a microbatch at most.

    Args:
        tokens: of the microbatch.
        settings: counts of experts, and `capacity_factor` above 0.
    """
    mean = tokens * settings.experts_per_token / settings.experts
    return ceil(settings.capacity_factor * mean)


def plan(chosen: Tensor, experts: int, most: int | None) -> tuple[Plan, Tensor, Tensor | None]:
    """Sort the tokens by expert.

    Args:
        chosen: int64 [tokens, k].
        experts: how many there are.
        most: rows of an expert at most; later tokens are dropped there. None: no limit.

    Returns:
        The plan; how many wanted each expert, and how many of these it dropped (None: no limit),
        both int64 [experts].
    """
    flat = chosen.flatten()
    loads = torch.bincount(flat, minlength=experts)
    by_expert, order = flat.sort(stable=True)
    if most is None:
        return Plan(order, loads.tolist()), loads, None
    starts = loads.cumsum(0) - loads
    places = torch.arange(flat.numel(), device=flat.device) - starts[by_expert]
    taken = loads.clamp(max=most)
    return Plan(order[places < most], taken.tolist()), loads, loads - taken
