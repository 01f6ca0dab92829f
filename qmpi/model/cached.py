"""The transformer one token at a time, with the keys and values of what it has seen.

Theory of operation. A row's keys and values do not change when a token is added, so each new token
costs one pass over itself and a look at what is kept. Rows have lengths of their own: a prompt is
taken in alone, so that its numbers do not depend on its neighbours; then all rows take a token
together, and a mask hides from each what lies beyond its end.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from qmpi.model.attention import Attention, rotary_table, rotate
from qmpi.model.shape import head_dim
from qmpi.model.transformer import Block, Transformer


class CachedModel:
    """A model, and what it has seen of some rows; used under `torch.no_grad`.

    Attributes:
        lengths: tokens seen of each row, int64 [rows].
    """

    def __init__(self, model: Transformer, rows: int, tokens: int) -> None:
        """Make room.

        Args:
            model: for inference.
            rows: that are continued at once, >= 1.
            tokens: of the longest row, >= 1.
        """
        settings = model.settings
        self._model = model
        self._layers = [layer for layer in model.model.layers if isinstance(layer, Block)]
        weight = model.model.embed_tokens.weight
        size = head_dim(settings)
        cos, sin = rotary_table(tokens, size, settings.rope_theta, weight.device)
        self._cos, self._sin = cos.to(weight.dtype), sin.to(weight.dtype)
        shape = (settings.layers, rows, settings.kv_heads, tokens, size)
        self._keys = torch.zeros(shape, dtype=weight.dtype, device=weight.device)
        self._values = torch.zeros_like(self._keys)
        self.lengths = torch.zeros(rows, dtype=torch.int64, device=weight.device)

    def fill(self, row: int, ids: Sequence[int]) -> Tensor:
        """Let a row be these tokens and nothing before.

        Args:
            row: which.
            ids: at most as many as there is room for.

        Returns:
            Logits of the next token [vocab]; zeros if there are no tokens.
        """
        settings, count = self._model.settings, len(ids)
        self.lengths[row] = count
        if not count:
            return self._cos.new_zeros(settings.vocab_size)
        x = self._embedded(list(ids)).unsqueeze(0)
        cos, sin = self._cos[:count], self._sin[:count]
        for number, layer in enumerate(self._layers):
            attention = layer.self_attn
            q, k, v = _projected(attention, layer.input_layernorm(x), cos, sin)
            self._keys[number, row, :, :count] = k[0]
            self._values[number, row, :, :count] = v[0]
            y = functional.scaled_dot_product_attention(
                q, k, v, is_causal=True, enable_gqa=attention.grouped
            )
            x = x + attention.o_proj(y.transpose(1, 2).flatten(2))
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        return self._logits(x[:, -1])[0]

    def advance(self, ids: Sequence[int]) -> Tensor:
        """Let each row take a token.

        Args:
            ids: one a row.

        Returns:
            Logits of the next token of each row [rows, vocab].
        """
        at = self.lengths
        rows = torch.arange(len(ids), device=at.device)
        span = int(at.max()) + 1
        seen = torch.arange(span, device=at.device) <= at[:, None]
        mask = seen[:, None, None, :]
        cos, sin = self._cos[at][:, None, None, :], self._sin[at][:, None, None, :]
        x = self._embedded(list(ids)).unsqueeze(1)
        for number, layer in enumerate(self._layers):
            attention = layer.self_attn
            q, k, v = _projected(attention, layer.input_layernorm(x), cos, sin)
            keys, values = self._keys[number], self._values[number]
            keys[rows, :, at] = k[:, :, 0]
            values[rows, :, at] = v[:, :, 0]
            y = functional.scaled_dot_product_attention(
                q, keys[:, :, :span], values[:, :, :span], attn_mask=mask,
                enable_gqa=attention.grouped,
            )  # fmt: skip
            x = x + attention.o_proj(y.transpose(1, 2).flatten(2))
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        self.lengths = at + 1
        return self._logits(x[:, -1])

    def keep(self, rows: Sequence[int]) -> None:
        """Forget all other rows; those that are kept are numbered anew.

        Args:
            rows: to keep, in their new order.
        """
        chosen = torch.tensor(list(rows), dtype=torch.int64, device=self.lengths.device)
        self._keys, self._values = self._keys[:, chosen], self._values[:, chosen]
        self.lengths = self.lengths[chosen]

    def _embedded(self, ids: list[int]) -> Tensor:
        table = self._model.model.embed_tokens
        return table(torch.tensor(ids, dtype=torch.int64, device=self.lengths.device))

    def _logits(self, x: Tensor) -> Tensor:
        features = self._model.model.norm(x)
        if self._model.settings.tied_head:
            return functional.linear(features, self._model.model.embed_tokens.weight)
        return self._model.lm_head(features)


def _projected(
    attention: Attention, x: Tensor, cos: Tensor, sin: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    split = (*x.shape[:2], -1, attention.head_dim)
    q = attention.q_norm(attention.q_proj(x).view(split)).transpose(1, 2)
    k = attention.k_norm(attention.k_proj(x).view(split)).transpose(1, 2)
    v = attention.v_proj(x).view(split).transpose(1, 2)
    return rotate(q, cos, sin), rotate(k, cos, sin), v
