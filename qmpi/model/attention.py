"""Causal grouped-query attention with rotary positions and optional QK-norm.

Theory of operation. Shapes: B sequences, T tokens, H query heads, K key/value heads, D features a
head. Torch's SDPA picks its flash kernel on CPU and GPU. Rotary angles are computed in float64 once
a length and multiplied in float32: in bfloat16 the angles of far positions lose what tells them
apart. Windows and documents hide keys by a mask of T x T where a sequence is short, and by bands
where it is long.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from qmpi.config.model import ModelSettings
from qmpi.model.bands import Band, dense
from qmpi.model.fused.banded import Bands
from qmpi.model.plain import MOST_TOKENS
from qmpi.model.shape import head_dim, qk_norm_features


class Norm(nn.Module):
    """RMSNorm with a learned scale; the mean square is taken in float32."""

    def __init__(self, features: int, epsilon: float) -> None:
        """Make a norm over the last dimension.

        Args:
            features: size of the last dimension.
            epsilon: added to the mean square.
        """
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` normalised over its last dimension."""
        if x.dtype == torch.float32:
            return functional.rms_norm(x, self.weight.shape, self.weight, self.epsilon)
        return functional.rms_norm(x.float(), self.weight.shape, self.weight, self.epsilon).to(
            x.dtype
        )


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn pairs (i, i + D/2) of the features of `x` [B, H, T, D] by their position's angle.

    Args:
        x: queries or keys.
        cos: [T, D], or [B, 1, T, D] where documents have positions of their own.
        sin: likewise.

    Returns:
        A tensor like `x`.
    """
    low, high = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-high, low), dim=-1) * sin


def attend(q: Tensor, k: Tensor, v: Tensor, band: Band, first: Tensor | None) -> Tensor:
    """Attend causally, within a band and a document.

    Args:
        q: [B, H, T, D], not scaled.
        k: [B, K, T, D].
        v: [B, K, T, D].
        band: of the layer; a window of 0: none.
        first: int64 [B, T], first token of each token's document; None: there is one.

    Returns:
        [B, H, T, D].
    """
    tokens, grouped = q.shape[2], q.shape[1] != k.shape[1]
    if first is None and not 0 < band.window < tokens:
        return functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)
    band = Band(min(band.window or tokens, tokens), band.sinks if band.window else 0)
    if tokens <= MOST_TOKENS:
        mask = dense(tokens, band, first, q.device)
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=grouped)
    scaled = q * q.shape[-1] ** -0.5
    seen: Tensor = Bands.apply(*(x.transpose(1, 2) for x in (scaled, k, v)), first, band)
    return seen.transpose(1, 2)


class Attention(nn.Module):
    """Grouped-query attention; biases are absent."""

    def __init__(self, settings: ModelSettings, window: int = 0) -> None:
        """Make the four projections.

        Args:
            settings: shape of the model.
            window: of the layer; 0: none.
        """
        super().__init__()
        self.band = Band(window, settings.sinks)
        self.head_dim, width = head_dim(settings), settings.width
        query, key = settings.heads * self.head_dim, settings.kv_heads * self.head_dim
        self.q_proj = nn.Linear(width, query, bias=False)
        self.k_proj = nn.Linear(width, key, bias=False)
        self.v_proj = nn.Linear(width, key, bias=False)
        self.o_proj = nn.Linear(query, width, bias=False)
        self._normed = qk_norm_features(settings)
        self.q_norm, self.k_norm = (
            Norm(features, settings.norm_eps) if settings.qk_norm else nn.Identity()
            for features in self._normed
        )

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, first: Tensor | None = None) -> Tensor:
        """Attend causally.

        Args:
            x: [B, T, width].
            cos: [T, D], or [B, 1, T, D].
            sin: likewise.
            first: int64 [B, T], first token of each token's document; None: there is one.

        Returns:
            [B, T, width].
        """
        batch, tokens, _ = x.shape
        q, k, v = self.projected(x, cos, sin)
        y = attend(q, k, v, self.band, first)
        return self.o_proj(y.transpose(1, 2).reshape(batch, tokens, -1))

    def projected(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return normed and turned queries and keys, and values, as [B, heads, T, D].

        Args:
            x: [B, T, width].
            cos: as of `forward`.
            sin: likewise.
        """
        row = (*x.shape[:2], -1)
        split, (query, key) = (*row, self.head_dim), self._normed
        # A norm goes over the last dimension: of a head, or of all heads before they are cut.
        q = self.q_norm(self.q_proj(x).view(*row, query)).view(split).transpose(1, 2)
        k = self.k_norm(self.k_proj(x).view(*row, key)).view(split).transpose(1, 2)
        v = self.v_proj(x).view(split).transpose(1, 2)
        q, k = (rotate(x.float(), cos, sin).to(v.dtype) for x in (q, k))
        return q, k, v
