"""Causal attention of some pieces of a sequence's queries over the keys of all of it."""

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from qmpi.model.fused.banded import KeptBands
from qmpi.model.plain import Positions


def attend_by_piece(q: Tensor, k: Tensor, v: Tensor, at: Positions) -> Tensor:
    """Attend causally; queries come scaled. Keys behind a piece's end are not multiplied.

    Args:
        q: [B, S, H, D], scaled; the S queries of the pieces.
        k: [B, T, K, D].
        v: [B, T, K, D].
        at: of the pieces; with tables of blocks, probabilities are kept.

    Returns:
        [B, S, H, D].
    """
    if at.far:
        kept: Tensor = KeptBands.apply(q, k, v, at.far)
        return kept
    # Loads torch's compiler, for which nobody else shall wait.
    from torch.nn.attention.bias import causal_lower_right

    length = q.shape[1] // len(at.pieces)
    keys, values = k.transpose(1, 2), v.transpose(1, 2)
    seen = [
        scaled_dot_product_attention(
            queries.transpose(1, 2),
            keys[:, :, :end],
            values[:, :, :end],
            attn_mask=causal_lower_right(length, end),
            scale=1.0,
            enable_gqa=q.shape[2] != k.shape[2],
        )
        for queries, end in zip(
            q.split(length, dim=1), (first + length for first in at.pieces), strict=True
        )
    ]
    return torch.cat(seen, dim=2).transpose(1, 2)
