"""The transformer one token at a time, with the keys and values of what it has seen.

Theory of operation. A row's keys and values do not change when a token is added, so each new token
costs one pass over itself and a look at what is kept. Rows have lengths of their own: a prompt is
taken in alone, so that its numbers do not depend on its neighbours; then all rows take a token
together, and a mask hides from each what lies beyond its end, and what a window or the end of a
document hides. What a window has left behind stays in the cache.
"""

from collections.abc import Sequence
from itertools import islice

import torch
from torch import Tensor
from torch.nn import functional

from qmpi.model.attention import attend
from qmpi.model.bands import Band, starts
from qmpi.model.rotary import rotary_table
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
        blocks = (layer for layer in model.model.layers if isinstance(layer, Block))
        self._layers = list(islice(blocks, settings.layers))
        self._bands = {layer.self_attn.band for layer in self._layers}
        weight = model.model.embed_tokens.weight
        size = head_dim(settings)
        cos, sin = rotary_table(settings, tokens, weight.device)
        self._cos, self._sin = cos.to(weight.dtype), sin.to(weight.dtype)
        shape = (settings.layers, rows, settings.kv_heads, tokens, size)
        self._keys = torch.zeros(shape, dtype=weight.dtype, device=weight.device)
        self._values = torch.zeros_like(self._keys)
        self.lengths = torch.zeros(rows, dtype=torch.int64, device=weight.device)
        # Where the document begins that each row is in.
        self._first = torch.zeros_like(self.lengths)

    def fill(self, row: int, ids: Sequence[int]) -> Tensor:
        """Let a row be these tokens and nothing before.

        Args:
            row: which.
            ids: at most as many as there is room for.

        Returns:
            Logits of the next token [vocab]; zeros if there are no tokens.
        """
        settings, count = self._model.settings, len(ids)
        self.lengths[row], self._first[row] = count, 0
        if not count:
            return self._cos.new_zeros(settings.vocab_size)
        x = self._embedded(ids).unsqueeze(0)
        cos, sin, first = self._cos[:count], self._sin[:count], None
        if self._model.divider is not None:
            first = starts(self._ids(ids).unsqueeze(0), self._model.divider)
            self._first[row] = first[0, -1]
            place = torch.arange(count, device=first.device) - first[0]
            cos, sin = cos[place], sin[place]
        for number, layer in enumerate(self._layers):
            attention = layer.self_attn
            q, k, v = attention.projected(layer.input_layernorm(x), cos, sin)
            self._keys[number, row, :, :count] = k[0]
            self._values[number, row, :, :count] = v[0]
            y = attend(q, k, v, attention.band, first)
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
        if self._model.divider is not None:
            self._first = torch.where(self._ids(ids) == self._model.divider, at, self._first)
        rows, place = torch.arange(len(ids), device=at.device), at - self._first
        span = int(at.max()) + 1
        masks = {band: self._seen(span, band) for band in self._bands}
        cos, sin = self._cos[place][:, None, None, :], self._sin[place][:, None, None, :]
        x = self._embedded(ids).unsqueeze(1)
        for number, layer in enumerate(self._layers):
            attention = layer.self_attn
            q, k, v = attention.projected(layer.input_layernorm(x), cos, sin)
            keys, values = self._keys[number], self._values[number]
            keys[rows, :, at] = k[:, :, 0]
            values[rows, :, at] = v[:, :, 0]
            y = functional.scaled_dot_product_attention(
                q,
                keys[:, :, :span],
                values[:, :, :span],
                attn_mask=masks[attention.band],
                enable_gqa=q.shape[1] != keys.shape[1],
            )
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
        self.lengths, self._first = self.lengths[chosen], self._first[chosen]

    def _seen(self, span: int, band: Band) -> Tensor:
        """Return which of the first `span` keys each row's next query sees [rows, 1, 1, span]."""
        key, query = torch.arange(span, device=self.lengths.device), self.lengths[:, None]
        first = self._first[:, None]
        seen = (key <= query) & (key >= first)
        if band.window:
            seen &= (query - key < band.window) | (key - first < band.sinks)
        return seen[:, None, None, :]

    def _ids(self, ids: Sequence[int]) -> Tensor:
        return torch.tensor(list(ids), dtype=torch.int64, device=self.lengths.device)

    def _embedded(self, ids: Sequence[int]) -> Tensor:
        return self._model.model.embed_tokens(self._ids(ids))

    def _logits(self, x: Tensor) -> Tensor:
        return self._model.logits(self._model.model.norm(x))
