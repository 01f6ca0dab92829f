"""Parts of a layer as plain expressions: for a compiler, and as the reference of the fused nodes.

Rows are the tokens of all sequences of a microbatch, B * T; matrices are in the compute type, the
residual stream and all vectors in float32.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from qmpi.config.model import ModelSettings
from qmpi.model.bands import WHOLE, Band, Table, cut, tables_of
from qmpi.model.pieces import Pieces
from qmpi.model.rotary import rotary_table
from qmpi.model.shape import head_dim

BLOCK = 64
"""Queries of a block of attention."""

MOST_TOKENS = 1024
"""Longest sequence whose attention goes by blocks on a CPU: they keep T x T probabilities."""

MOST_BLOCKS = 16
"""Longer blocks are taken rather than more of them: each is a part of the compiled graph."""


MOST_TABLE = 4 * MOST_TOKENS
"""Longest sequence that the table of what comes after has room for: its size is T x T / 16."""


class Positions(NamedTuple):
    """What depends on the positions of a sequence's tokens alone.

    Attributes:
        cos: float32 [T, 1, D]; both halves of D are equal.
        sin: float32 [T, 1, D]; the first half is negated, so that one product with the features
            whose halves are exchanged turns them.
        future: float32 [block * group, T + block]: row (t, g) at column T + u is -inf where u > t,
            else 0. Added to the scores of a block of queries, it hides the keys after each; the
            block that starts at s needs the columns from T - s on. Empty for sequences that are too
            long for it.
        first: int64 [B, T], index of the first token of each token's document; None: documents see
            one another.
        near: of each block of queries, for layers with a window; empty: made where it is needed.
        far: likewise for layers without one, where documents are masked or queries are in pieces.
        pieces: first token of each piece of the sequence whose queries are here, all of one length;
            angles are those of their tokens, keys those of the whole sequence.
    """

    cos: Tensor
    sin: Tensor
    future: Tensor
    first: Tensor | None = None
    near: tuple[Table, ...] = ()
    far: tuple[Table, ...] = ()
    pieces: tuple[int, ...] = WHOLE

    @classmethod
    def of(
        cls,
        settings: ModelSettings,
        tokens: int,
        device: torch.device,
        pieces: Pieces | None = None,
    ) -> "Positions":
        """Compute the tables.

        Args:
            settings: shape of the model.
            tokens: T.
            device: where the tables go.
            pieces: those whose queries are here; None: a sequence is whole.

        Returns:
            The tables.
        """
        features, length = head_dim(settings), min(block_length(tokens), tokens)
        cos, sin = rotary_table(settings, tokens, device)
        sin[:, : features // 2].neg_()
        own = pieces or Pieces.of(tokens)
        is_cut, keeps = len(own.firsts) > 1, keeps_chances(tokens, device)
        shape = (0, 0) if is_cut or tokens > MOST_TABLE else (length, tokens + length)
        hidden = torch.full(shape, float("-inf")).triu_(tokens + 1)
        future = hidden.repeat_interleave(settings.heads // settings.kv_heads, dim=0).to(device)
        near, far = (), ()
        if settings.window and keeps:
            band = Band(settings.window, settings.sinks)
            near = kept_tables(own.tokens, band, None, device, own.firsts)
        if is_cut and keeps:
            far = kept_tables(own.tokens, Band(tokens), None, device, own.firsts)
        cos, sin = own.out_of(cos.unsqueeze(1)), own.out_of(sin.unsqueeze(1))
        return cls(cos, sin, future, None, near, far, own.firsts)


def keeps_chances(tokens: int, device: torch.device) -> bool:
    """Return whether attention over so many tokens goes by blocks that keep probabilities."""
    return device.type == "cpu" and tokens <= MOST_TOKENS


def kept_tables(
    tokens: int,
    band: Band,
    first: Tensor | None,
    device: torch.device,
    pieces: tuple[int, ...] = WHOLE,
) -> tuple[Table, ...]:
    """Make the tables of a sequence whose probabilities are kept.

    Args:
        tokens: queries, of all pieces.
        band: of the layer.
        first: of the sequences; None: each is one document.
        device: where they go.
        pieces: as of `Positions`.

    Returns:
        A table for each block.
    """
    blocks = cut(tokens, block_length(tokens), band, pieces, documents=first is not None)
    return tables_of(blocks, band, first, device)


class Split(NamedTuple):
    """How a merged product of q, k and v is cut.

    Attributes:
        batch: sequences B.
        heads: query heads H.
        kv_heads: key and value heads K.
        epsilon: added to the mean square of a norm.
        over_ranks: float32 [...], a mean over the features that this rank has of what is normed, to
            that over all ranks' features, the same on all; None: it has all. Not of the plain form.
    """

    batch: int
    heads: int
    kv_heads: int
    epsilon: float
    over_ranks: Callable[[Tensor], Tensor] | None = None


def norm(x: Tensor, weight: Tensor, epsilon: float, kind: torch.dtype) -> Tensor:
    """Return RMSNorm over the last dimension.

    Args:
        x: [..., features].
        weight: float32 [features].
        epsilon: added to the mean square.
        kind: type of the result.

    Returns:
        Like `x`, in `kind`.
    """
    wide = x.float()
    inverse = torch.rsqrt(wide.square().mean(-1, keepdim=True) + epsilon)
    return (wide * inverse * weight).to(kind)


def exchange(x: Tensor) -> Tensor:
    """Return `x` with the two halves of its last dimension exchanged."""
    low, high = x.chunk(2, dim=-1)
    return torch.cat((high, low), dim=-1)


def heads(
    merged: Tensor, q_norm: Tensor | None, k_norm: Tensor | None, at: Positions, split: Split
) -> tuple[Tensor, Tensor, Tensor]:
    """Cut a merged product into heads; norm and turn queries and keys, scale queries, in float32.

    Args:
        merged: [B * T, (H + 2 K) * D].
        q_norm: float32 [D], of each head, or [H * D], of all together; None: no norm.
        k_norm: float32 [D] or [K * D], or None.
        at: T positions.
        split: how `merged` is cut.

    Returns:
        Queries [B, T, H, D] divided by sqrt(D), keys and values [B, T, K, D], typed as `merged`.
    """
    batch, count, shared, epsilon, _ = split
    parts = merged.view(batch, -1, count + 2 * shared, at.cos.shape[-1])
    q, k, v = parts.split((count, shared, shared), dim=2)

    def turned(x: Tensor, weight: Tensor | None, scale: float) -> Tensor:
        y = x.float()
        if weight is not None:
            # Over the last dimension: of one head, or of all heads as one.
            y = norm(y.view(*y.shape[:2], -1, weight.numel()), weight, epsilon, torch.float32)
            y = y.view(x.shape)
        return ((y * at.cos + exchange(y) * at.sin) * scale).to(merged.dtype)

    return turned(q, q_norm, q.shape[-1] ** -0.5), turned(k, k_norm, 1.0), v


def swiglu(merged: Tensor) -> Tensor:
    """Return silu(gate) * up of the merged product [rows, 2 * hidden], gates first."""
    gate, up = merged.chunk(2, dim=-1)
    return (functional.silu(gate.float()) * up.float()).to(merged.dtype)


def block_length(tokens: int) -> int:
    """Return the queries of a block of attention over so many tokens."""
    return max(BLOCK, -(-tokens // MOST_BLOCKS))


def to_rows(x: Tensor, kv_heads: int) -> Tensor:
    """Return [B, T, heads, D] as [B * kv_heads, T * group, D], group = heads / kv_heads."""
    batch, tokens, count, features = x.shape
    group = count // kv_heads
    grouped = x.reshape(batch, tokens, kv_heads, group, features).transpose(1, 2)
    return grouped.reshape(batch * kv_heads, tokens * group, features)


def from_rows(x: Tensor, batch: int, count: int) -> Tensor:
    """Return what `to_rows` made of [batch, T, count, D]."""
    kv_heads = x.shape[0] // batch
    group = count // kv_heads
    grouped = x.view(batch, kv_heads, -1, group, x.shape[-1]).transpose(1, 2)
    return grouped.reshape(batch, -1, count, x.shape[-1])


def attend(q: Tensor, k: Tensor, v: Tensor, at: Positions) -> Tensor:  # noqa: ARG001
    """Attend causally by torch's own kernel; queries come scaled.

    Args:
        q: [B, T, H, D], scaled.
        k: [B, T, K, D].
        v: [B, T, K, D].
        at: not used.

    Returns:
        [B, T, H, D].
    """
    y = functional.scaled_dot_product_attention(
        q.transpose(1, 2),
        k.transpose(1, 2),
        v.transpose(1, 2),
        is_causal=True,
        scale=1.0,
        enable_gqa=q.shape[2] != k.shape[2],
    )
    return y.transpose(1, 2)
