"""The transformer one token at a time, with the keys and values of what it has seen.

Theory of operation. A row's keys and values do not change when a token is added, so each new token
costs one pass over itself and a look at what is kept. Rows have lengths of their own: a prompt is
taken in alone, so that its numbers do not depend on its neighbours; then all rows take a token
together, and a mask hides from each what lies beyond its end, and what a window or the end of a
document hides. What a window has left behind stays in the cache.

How a layer is put together stands in `Block`; a `LayerCache` is what it keeps, and says what its
attention makes of a prompt and of a token.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from qmpi.model.attention import Attention, attend
from qmpi.model.bands import Band, starts
from qmpi.model.rotary import rotary_table
from qmpi.model.shape import layer_kinds
from qmpi.model.transformer import Block, Transformer


class Prompt(NamedTuple):
    """A prompt that becomes a row.

    Attributes:
        row: which.
        cos: rotary cosines of its tokens [T, D].
        sin: likewise.
        first: int64 [1, T], first token of each token's document; None: there is one.
    """

    row: int
    cos: Tensor
    sin: Tensor
    first: Tensor | None


class NextTokens(NamedTuple):
    """The token that each row takes.

    Attributes:
        place: of the token in its row, int64 [rows].
        first: where the document begins that it is in, int64 [rows].
        cos: rotary cosines [rows, 1, 1, D].
        sin: likewise.
        span: length of the longest row, the token included.
        seen: keys that it sees, by band, bool [rows, 1, 1, span].
    """

    place: Tensor
    first: Tensor
    cos: Tensor
    sin: Tensor
    span: int
    seen: dict[Band, Tensor]


class LayerCache(Protocol):
    """What a layer keeps of the tokens that it has seen."""

    def fill(self, x: Tensor, at: Prompt) -> Tensor:
        """Let a row be a prompt: map features [1, T, width] to what attention makes."""
        ...

    def advance(self, x: Tensor, at: NextTokens) -> Tensor:
        """Let each row take a token; map features [rows, 1, width] likewise."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Forget all rows but these, int64, and number them anew."""
        ...


class KeysValues:
    """Cache of a layer with attention."""

    def __init__(self, attention: Attention, rows: int, tokens: int, kv_heads: int) -> None:
        """Make room.

        Args:
            attention: of the layer.
            rows: that are continued at once.
            tokens: of the longest row.
            kv_heads: key and value heads.
        """
        self._attention = attention
        shape = (rows, kv_heads, tokens, attention.head_dim)
        self._keys = attention.k_proj.weight.new_zeros(shape)
        self._values = torch.zeros_like(self._keys)

    def fill(self, x: Tensor, at: Prompt) -> Tensor:
        """Attend within a prompt, and keep its keys and values.

        Args:
            x: features [1, T, width].
            at: the prompt.

        Returns:
            What attention makes of them, like `x`.
        """
        q, k, v = self._attention.projected(x, at.cos, at.sin)
        count = x.shape[1]
        self._keys[at.row, :, :count] = k[0]
        self._values[at.row, :, :count] = v[0]
        y = attend(q, k, v, self._attention.band, at.first)
        return self._attention.o_proj(y.transpose(1, 2).flatten(2))

    def advance(self, x: Tensor, at: NextTokens) -> Tensor:
        """Attend to what is kept, and keep the tokens' keys and values.

        Args:
            x: features [rows, 1, width].
            at: the tokens.

        Returns:
            What attention makes of them, like `x`.
        """
        q, k, v = self._attention.projected(x, at.cos, at.sin)
        rows = torch.arange(len(x), device=x.device)
        self._keys[rows, :, at.place] = k[:, :, 0]
        self._values[rows, :, at.place] = v[:, :, 0]
        y = functional.scaled_dot_product_attention(
            q,
            self._keys[:, :, : at.span],
            self._values[:, :, : at.span],
            attn_mask=at.seen[self._attention.band],
            enable_gqa=q.shape[1] != self._keys.shape[1],
        )
        return self._attention.o_proj(y.transpose(1, 2).flatten(2))

    def keep(self, rows: Tensor) -> None:
        """Forget all other rows.

        Args:
            rows: to keep, int64, in their new order.
        """
        self._keys, self._values = self._keys[rows], self._values[rows]


def cache_of(layer: Block, rows: int, tokens: int, kv_heads: int) -> LayerCache:
    """Make the cache of a layer.

    Args:
        layer: decides by its kind.
        rows: that are continued at once, >= 1.
        tokens: of the longest row, >= 1.
        kv_heads: key and value heads.

    Returns:
        The cache, which has seen nothing.
    """
    return KeysValues(layer.self_attn, rows, tokens, kv_heads)


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
        blocks = model.model.blocks
        self._layers = [
            (block, cache_of(block, rows, tokens, settings.kv_heads)) for block in blocks
        ]
        self._bands = {Band(kind.window, settings.sinks) for kind in layer_kinds(settings)}
        weight = model.model.embed_tokens.weight
        cos, sin = rotary_table(settings, tokens, weight.device)
        self._cos, self._sin = cos.to(weight.dtype), sin.to(weight.dtype)
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
        at = Prompt(row, cos, sin, first)
        for layer, cache in self._layers:
            x = layer.around(x, partial(cache.fill, at=at))
        return self._logits(x[:, -1])[0]

    def advance(self, ids: Sequence[int]) -> Tensor:
        """Let each row take a token.

        Args:
            ids: one a row.

        Returns:
            Logits of the next token of each row [rows, vocab].
        """
        place = self.lengths
        if self._model.divider is not None:
            self._first = torch.where(self._ids(ids) == self._model.divider, place, self._first)
        turned, span = place - self._first, int(place.max()) + 1
        at = NextTokens(
            place=place,
            first=self._first,
            cos=self._cos[turned][:, None, None, :],
            sin=self._sin[turned][:, None, None, :],
            span=span,
            seen={band: self._seen(span, band) for band in self._bands},
        )
        x = self._embedded(ids).unsqueeze(1)
        for layer, cache in self._layers:
            x = layer.around(x, partial(cache.advance, at=at))
        self.lengths = place + 1
        return self._logits(x[:, -1])

    def keep(self, rows: Sequence[int]) -> None:
        """Forget all other rows; those that are kept are numbered anew.

        Args:
            rows: to keep, in their new order.
        """
        chosen = torch.tensor(list(rows), dtype=torch.int64, device=self.lengths.device)
        for _, cache in self._layers:
            cache.keep(chosen)
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
