"""The decoder-only transformer, with the parameter names of Hugging Face's Qwen3."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from qmpi.config.model import ModelSettings
from qmpi.model.attention import Attention, Norm, rotary_table
from qmpi.model.experts.module import FeedForward, Mixture
from qmpi.model.shape import LayerKind, ffn_width, head_dim, layer_kinds


class Block(nn.Module):
    """Pre-norm residual block: attention, then feed-forward."""

    def __init__(self, settings: ModelSettings, kind: LayerKind = LayerKind()) -> None:  # noqa: B008 - a constant
        """Make one block.

        Args:
            settings: shape of the model.
            kind: of the layer.
        """
        super().__init__()
        self.input_layernorm = Norm(settings.width, settings.norm_eps)
        self.self_attn = Attention(settings)
        self.post_attention_layernorm = Norm(settings.width, settings.norm_eps)
        self.mlp = (
            Mixture(settings) if kind.experts else FeedForward(settings.width, ffn_width(settings))
        )

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Map [B, T, width] to the same shape.

        Args:
            x: residual stream.
            cos: rotary cosines [T, D].
            sin: rotary sines [T, D].

        Returns:
            The residual stream after this block.
        """
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """Embedding, blocks and final norm."""

    def __init__(self, settings: ModelSettings) -> None:
        """Make the stack.

        Args:
            settings: shape of the model.
        """
        super().__init__()
        self.embed_tokens = nn.Embedding(settings.vocab_size, settings.width)
        self.layers = nn.ModuleList([Block(settings, kind) for kind in layer_kinds(settings)])
        self.norm = Norm(settings.width, settings.norm_eps)
        self._rotary = (head_dim(settings), settings.rope_theta)
        self._tables: dict[int, tuple[Tensor, Tensor]] = {}

    def forward(self, ids: Tensor) -> Tensor:
        """Return normed features [B, T, width] of token ids [B, T]."""
        tokens = ids.shape[1]
        if tokens not in self._tables:
            # One length at a time: sampling walks through many, training uses one.
            self._tables = {tokens: rotary_table(tokens, *self._rotary, device=ids.device)}
        cos, sin = self._tables[tokens]
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, cos, sin)
        return self.norm(x)


class Transformer(nn.Module):
    """Decoder with its output head."""

    def __init__(self, settings: ModelSettings) -> None:
        """Make the model; `qmpi.model.initial.initialise` gives it its weights.

        Args:
            settings: shape of the model.
        """
        super().__init__()
        self.settings = settings
        self.model = Decoder(settings)
        if not settings.tied_head:
            self.lm_head = nn.Linear(settings.width, settings.vocab_size, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Return logits [B, T, vocab] of token ids [B, T]."""
        features = self.model(ids)
        if self.settings.tied_head:
            return functional.linear(features, self.model.embed_tokens.weight)
        return self.lm_head(features)

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
