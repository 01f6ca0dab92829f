"""Ahead modules for training: each predicts one token further than what it stands on.

Theory of operation. The module of depth k takes, at each position, the residual stream of depth
k - 1 (that of depth 0 is the model's, before its final norm) and the embedding of the token k
positions on: both normed, side by side, through one matrix, then through a block like the model's
last. Its own norm and the model's head make of that the token k + 1 positions on. All modules use
the model's embedding and head.

Rows keep their length, so that a module's block is the function that the model's last layer is. The
last k positions of a sequence have no target, nor have those whose next k tokens end a document
where documents are masked: they are computed and no loss reads them. Nor does a position that has a
target see one that has none: attention looks back, and within a document.

Source: DeepSeek-V3, arXiv 2412.19437, section 2.2; names and order of the parts are those of its
files.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from qmpi.model.layer import LayerWeights


class AheadWeights(NamedTuple):
    """Weights of one ahead module; types as of `LayerWeights`.

    Attributes:
        embedding_norm: [width].
        stream_norm: [width].
        join: [width, 2 * width]; columns of the embedding first.
        block: of its block.
        final_norm: [width].
    """

    embedding_norm: Tensor
    stream_norm: Tensor
    join: Tensor
    block: LayerWeights
    final_norm: Tensor


Norm = Callable[[Tensor, Tensor, float, torch.dtype], Tensor]
"""(x, weight, epsilon, type) to RMSNorm."""


def joined(
    x: Tensor, embedded: Tensor, weights: AheadWeights, norm: Norm, epsilon: float
) -> Tensor:
    """Return what a module's block is given.

    Args:
        x: residual stream of the depth before, float32 [B * T, width].
        embedded: of the tokens that it takes in, likewise.
        weights: of the module.
        norm: part of a layer.
        epsilon: added to the mean square.

    Returns:
        A residual stream, float32 [B * T, width].
    """
    kind = weights.join.dtype
    sides = (
        norm(embedded, weights.embedding_norm, epsilon, kind),
        norm(x, weights.stream_norm, epsilon, kind),
    )
    return functional.linear(torch.cat(sides, dim=-1), weights.join).to(torch.float32)


def shifted(ids: Tensor, depth: int) -> Tensor:
    """Return the tokens that a module takes in.

    Args:
        ids: int64 [B, T + 1].
        depth: of the module, k.

    Returns:
        int64 [B, T]: those k positions on; at the end, where there are none, the last.
    """
    tokens = ids.shape[1] - 1
    place = torch.arange(depth, tokens + depth, device=ids.device).clamp_(max=tokens)
    return ids[:, place]


def with_target(ids: Tensor, depth: int, first: Tensor | None) -> Tensor:
    """Return which positions a module has a target at.

    Args:
        ids: int64 [B, T + 1].
        depth: of the module, k.
        first: int64 [B, T], first token of each token's document; None: there is one.

    Returns:
        int64 [n]: numbers of rows among B * T, rising. The token k + 1 positions on is there, and
        none of the k before it ends the document.
    """
    batch, tokens = ids.shape[0], ids.shape[1] - 1
    rows = torch.arange(batch * tokens, device=ids.device).view(batch, tokens)[:, :-depth]
    if first is None:
        return rows.flatten()
    return rows[first[:, depth:] == first[:, :-depth]]
