"""Causal grouped-query attention with rotary positions and optional QK-norm.

Theory of operation. Shapes: B sequences, T tokens, H query heads, K key/value heads, D features a
head. Torch's SDPA picks its flash kernel on CPU and GPU. Rotary angles are computed in float64 once
a length and multiplied in float32: in bfloat16 the angles of far positions lose what tells them
apart.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from qmpi.config.model import ModelSettings
from qmpi.model.shape import head_dim


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


def rotary_table(
    tokens: int, features: int, theta: float, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Compute the rotary cosines and sines.

    Args:
        tokens: T.
        features: D, even.
        theta: base of the frequencies.
        device: where the tables go.

    Returns:
        Two float32 tensors [T, D]; the two halves of D are equal.
    """
    power = torch.arange(0, features, 2, dtype=torch.float64) / features
    angle = torch.outer(torch.arange(tokens, dtype=torch.float64), theta**-power)
    angle = torch.cat((angle, angle), dim=-1)
    return angle.cos().float().to(device), angle.sin().float().to(device)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn pairs (i, i + D/2) of the features of `x` [B, H, T, D] by their position's angle.

    Args:
        x: queries or keys.
        cos: [T, D].
        sin: [T, D].

    Returns:
        A tensor like `x`.
    """
    low, high = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-high, low), dim=-1) * sin


class Attention(nn.Module):
    """Grouped-query attention; biases are absent."""

    def __init__(self, settings: ModelSettings) -> None:
        """Make the four projections.

        Args:
            settings: shape of the model.
        """
        super().__init__()
        self.head_dim, width = head_dim(settings), settings.width
        self.grouped = settings.kv_heads != settings.heads
        query, key = settings.heads * self.head_dim, settings.kv_heads * self.head_dim
        self.q_proj = nn.Linear(width, query, bias=False)
        self.k_proj = nn.Linear(width, key, bias=False)
        self.v_proj = nn.Linear(width, key, bias=False)
        self.o_proj = nn.Linear(query, width, bias=False)
        normed = settings.qk_norm
        self.q_norm = Norm(self.head_dim, settings.norm_eps) if normed else nn.Identity()
        self.k_norm = Norm(self.head_dim, settings.norm_eps) if normed else nn.Identity()

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Attend causally.

        Args:
            x: [B, T, width].
            cos: [T, D].
            sin: [T, D].

        Returns:
            [B, T, width].
        """
        batch, tokens, _ = x.shape
        split = (batch, tokens, -1, self.head_dim)
        q = self.q_norm(self.q_proj(x).view(split)).transpose(1, 2)
        k = self.k_norm(self.k_proj(x).view(split)).transpose(1, 2)
        v = self.v_proj(x).view(split).transpose(1, 2)
        q, k = (rotate(x.float(), cos, sin).to(v.dtype) for x in (q, k))
        y = functional.scaled_dot_product_attention(
            q, k, v, is_causal=True, enable_gqa=self.grouped
        )
        return self.o_proj(y.transpose(1, 2).reshape(batch, tokens, -1))
