"""The decoder-only transformer, with the parameter names of Hugging Face's Qwen3 and OLMo 2."""

from collections.abc import Callable
from itertools import islice
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from qmpi.config.model import ModelSettings
from qmpi.config.widths import ffn_width
from qmpi.model.attention import Attention, Norm
from qmpi.model.bands import starts
from qmpi.model.experts.module import FeedForward, Mixture
from qmpi.model.rotary import rotary_table
from qmpi.model.shape import LayerKind, block_kinds, layer_kinds


class Block(nn.Module):
    """Residual block: attention, then feed-forward; each with a norm before it or behind it."""

    def __init__(self, settings: ModelSettings, kind: LayerKind) -> None:
        """Make one block.

        Args:
            settings: shape of the model.
            kind: of the layer.
        """
        super().__init__()
        self._behind = settings.norm_place == "post"
        if not self._behind:
            self.input_layernorm = Norm(settings.width, settings.norm_eps)
        self.self_attn = Attention(settings, kind.window)
        self.post_attention_layernorm = Norm(settings.width, settings.norm_eps)
        if self._behind:
            self.post_feedforward_layernorm = Norm(settings.width, settings.norm_eps)
        self.mlp = (
            Mixture(settings) if kind.experts else FeedForward(settings.width, ffn_width(settings))
        )

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, first: Tensor | None = None) -> Tensor:
        """Map [B, T, width] to the same shape.

        Args:
            x: residual stream.
            cos: rotary cosines [T, D], or [B, 1, T, D].
            sin: rotary sines, likewise.
            first: int64 [B, T], first token of each token's document; None: there is one.

        Returns:
            The residual stream after this block.
        """
        return self.around(x, lambda y: self.self_attn(y, cos, sin, first))

    def around(self, x: Tensor, attend: Callable[[Tensor], Tensor]) -> Tensor:
        """Map [B, T, width] to the same shape, with attention computed by another.

        Args:
            x: residual stream.
            attend: features [B, T, width] to what attention makes of them; a cache knows more keys
                than are given here.

        Returns:
            The residual stream after this block.
        """
        if self._behind:
            x = x + self.post_attention_layernorm(attend(x))
            return x + self.post_feedforward_layernorm(self.mlp(x))
        x = x + attend(self.input_layernorm(x))
        return x + self.mlp(self.post_attention_layernorm(x))


class AheadBlock(Block):
    """A block of an ahead module, with what leads to it and from it (see `qmpi.model.ahead`)."""

    def __init__(self, settings: ModelSettings, kind: LayerKind) -> None:
        """Make one module.

        Args:
            settings: shape of the model.
            kind: of its block.
        """
        super().__init__(settings, kind)
        width = settings.width
        self.enorm, self.hnorm = (Norm(width, settings.norm_eps) for _ in range(2))
        self.eh_proj = nn.Linear(2 * width, width, bias=False)
        self.shared_head = nn.ModuleDict({"norm": Norm(width, settings.norm_eps)})


class Decoder(nn.Module):
    """Embedding, blocks and final norm."""

    def __init__(self, settings: ModelSettings, divider: int | None) -> None:
        """Make the stack.

        Args:
            settings: shape of the model.
            divider: id of the token that ends a document; None: documents see one another.
        """
        super().__init__()
        self.embed_tokens = nn.Embedding(settings.vocab_size, settings.width)
        blocks = [Block(settings, kind) for kind in layer_kinds(settings)]
        # They hold weights; what the model computes knows nothing of them.
        further = [AheadBlock(settings, kind) for kind in block_kinds(settings)[len(blocks) :]]
        self.layers = nn.ModuleList([*blocks, *further])
        self.norm = Norm(settings.width, settings.norm_eps)
        self._settings, self._divider = settings, divider
        self._tables: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The layers, in order; ahead modules come after them."""
        count = self._settings.layers
        return tuple(cast("Block", layer) for layer in islice(self.layers, count))

    def forward(self, ids: Tensor) -> Tensor:
        """Return normed features [B, T, width] of token ids [B, T]."""
        tokens = ids.shape[1]
        if tokens not in self._tables:
            # One length at a time: sampling walks through many, training uses one.
            self._tables = {tokens: rotary_table(self._settings, tokens, ids.device)}
        cos, sin = self._tables[tokens]
        first = None
        if self._divider is not None:
            first = starts(ids, self._divider)
            place = (torch.arange(tokens, device=ids.device) - first).unsqueeze(1)
            cos, sin = cos[place], sin[place]
        x = self.embed_tokens(ids)
        for layer in islice(self.layers, self._settings.layers):
            x = layer(x, cos, sin, first)
        return self.norm(x)


class Transformer(nn.Module):
    """Decoder with its output head."""

    def __init__(self, settings: ModelSettings, divider: int | None = None) -> None:
        """Make the model; `qmpi.model.initial.initialise` gives it its weights.

        Args:
            settings: shape of the model.
            divider: id of the token that ends a document; None: documents see one another.
        """
        super().__init__()
        self.settings, self.divider = settings, divider
        self.model = Decoder(settings, divider)
        if not settings.tied_head:
            self.lm_head = nn.Linear(settings.width, settings.vocab_size, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Return logits [B, T, vocab] of token ids [B, T]."""
        return self.logits(self.model(ids))

    def logits(self, features: Tensor) -> Tensor:
        """Return logits [..., vocab] of normed features [..., width]."""
        if self.settings.tied_head:
            logits = functional.linear(features, self.model.embed_tokens.weight)
        else:
            logits = self.lm_head(features)
        cap = self.settings.logit_softcap
        return torch.tanh(logits / cap) * cap if cap else logits

    def loss(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Compute the mean cross-entropy per token, in nats.

        Args:
            ids: inputs [B, T].
            targets: next tokens [B, T].

        Returns:
            A float32 scalar.
        """
        logits = self(ids).flatten(0, 1).to(torch.float32)
        return functional.cross_entropy(logits, targets.flatten())
