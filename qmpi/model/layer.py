"""One layer as a function of its weights, for training; the same formula as `transformer.Block`.

Theory of operation. The function takes its parts as arguments: fused nodes where it runs as it is,
and, where a compiler does better with them, plain expressions if it is compiled. Weights come in
merged, q with k and v, gate with up, so that each pair of products over the same features is one.
Layers of one kind share one function and one set of shapes, thus one compiled graph.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from qmpi.config.model import ModelSettings
from qmpi.model import plain
from qmpi.model.bands import Band
from qmpi.model.experts.mix import HERE, Exchange, ExpertWeights, Mix, make_mix
from qmpi.model.fused.banded import Bands, KeptBands
from qmpi.model.fused.heads import Heads
from qmpi.model.fused.norm import Norm
from qmpi.model.fused.query_blocks import QueryBlocks
from qmpi.model.fused.swiglu import SwiGlu
from qmpi.model.plain import Positions, Split, keeps_chances
from qmpi.model.shape import LayerKind, block_kinds


class LayerWeights(NamedTuple):
    """Weights of one layer; matrices in the compute type as [out, in], vectors in float32.

    Attributes:
        attention_norm: [width]; before attention, or behind it.
        qkv: [(H + 2 K) * D, width].
        q_norm: [D], or [H * D] over all heads together, or None.
        k_norm: [D], or [K * D], or None.
        output: [width, H * D].
        mlp_norm: [width]; before the feed-forward part, or behind it.
        gate_up: [2 * hidden, width]; of a layer with experts theirs, one below the other.
        down: [width, hidden]; likewise.
        experts: what else a layer with experts has; None: it has none.
    """

    attention_norm: Tensor
    qkv: Tensor
    q_norm: Tensor | None
    k_norm: Tensor | None
    output: Tensor
    mlp_norm: Tensor
    gate_up: Tensor
    down: Tensor
    experts: ExpertWeights | None = None


def merged_names(settings: ModelSettings, kind: LayerKind) -> dict[str, tuple[str, ...]]:
    """Return which parameters each field of `LayerWeights` holds, one below the other.

    What is particular to experts is not among them: `ExpertWeights` holds it.

    Args:
        settings: shape of the model.
        kind: of the layer.

    Returns:
        Names within the layer, as of `layer_shapes`, by field; none: the layer lacks the field.
    """
    gates, downs = ["mlp.gate_proj.weight", "mlp.up_proj.weight"], ["mlp.down_proj.weight"]
    if kind.experts:
        each = [f"mlp.experts.{number}" for number in range(settings.experts)]
        gates = [f"{expert}.{name}_proj.weight" for expert in each for name in ("gate", "up")]
        downs = [f"{expert}.down_proj.weight" for expert in each]
    norms = ["input_layernorm.weight", "post_attention_layernorm.weight"]
    if settings.norm_place == "post":
        norms = ["post_attention_layernorm.weight", "post_feedforward_layernorm.weight"]
    fields = {
        "attention_norm": norms[:1],
        "qkv": [f"self_attn.{name}_proj.weight" for name in "qkv"],
        "q_norm": ["self_attn.q_norm.weight"] if settings.qk_norm else [],
        "k_norm": ["self_attn.k_norm.weight"] if settings.qk_norm else [],
        "output": ["self_attn.o_proj.weight"],
        "mlp_norm": norms[1:],
        "gate_up": gates,
        "down": downs,
    }
    return {field: tuple(names) for field, names in fields.items()}


Attend = Callable[[Tensor, Tensor, Tensor, Positions], Tensor]
"""(scaled q [B, S, H, D], k and v [B, T, K, D], positions) to attention [B, S, H, D]; the S queries
are all T, or those of some pieces."""


def as_it_is(x: Tensor) -> Tensor:
    """Return `x`: what a rank that computes whole layers has of the stream is all of it."""
    return x


def as_they_are(k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Return `k` and `v`: a rank that has whole sequences has all keys and values of them."""
    return k, v


class Kernels(NamedTuple):
    """The parts of a layer.

    Attributes:
        norm: (x, weight, epsilon, type) to RMSNorm.
        heads: (merged, q_norm, k_norm, positions, split) to scaled q, k, v.
        attend: (q, k, v, positions) to their attention.
        swiglu: merged gate and up to hidden features.
        product: (features [rows, in], weight [out, in]) to [rows, out].
        gather: rows of the stream that this rank has, to all that its part of the layer reads.
        scatter: what its part writes, to what all parts together add to the rows that it has.
        exchange: brings tokens to the experts.
        whole: keys and values [B, S, K, D] of the tokens that this rank has, to those of all.
    """

    norm: Callable[[Tensor, Tensor, float, torch.dtype], Tensor]
    heads: Callable[..., tuple[Tensor, Tensor, Tensor]]
    attend: Attend
    swiglu: Callable[[Tensor], Tensor]
    product: Callable[[Tensor, Tensor], Tensor] = functional.linear
    gather: Callable[[Tensor], Tensor] = as_it_is
    scatter: Callable[[Tensor], Tensor] = as_it_is
    exchange: Exchange = HERE
    whole: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = as_they_are


Layer = Callable[[Tensor, Positions, LayerWeights], Tensor]
"""(residual stream float32 [B * T, width], positions, weights) to the residual stream behind it."""

Layers = tuple[Layer, ...]
"""The function of each block of a model; blocks of one kind share theirs."""


def choose_kernels(device: torch.device, tokens: int, *, compiled: bool) -> Kernels:
    """Choose the parts of a layer.

    Args:
        device: where it computes.
        tokens: of a sequence.
        compiled: a compiler will fuse what is plain.

    Returns:
        The parts.
    """
    attend = QueryBlocks.apply if keeps_chances(tokens, device) else plain.attend
    if compiled:
        # Gradients that a compiler derives of cut heads and blocks are sums of padded parts, which
        # it does not merge: 7 % of a layer in bfloat16. Those written by hand it fuses as they are.
        return Kernels(plain.norm, Heads.apply, attend, plain.swiglu)
    return Kernels(Norm.apply, Heads.apply, attend, SwiGlu.apply)


class ExpertLayer:
    """A layer with experts, in two parts, of which attention can be compiled.

    What depends on where tokens go has other shapes each time.
    """

    def __init__(
        self,
        attend: Callable[..., tuple[Tensor, Tensor]],
        mix: Mix,
        scatter: Callable[[Tensor], Tensor] = as_it_is,
    ) -> None:
        """Put a layer together.

        Args:
            attend: (residual stream, positions, weights) to the stream behind attention, and to
                what the experts read of its norm in float32.
            mix: the feed-forward part.
            scatter: as of `Kernels`.
        """
        self.attend, self.mix, self.scatter = attend, mix, scatter

    def __call__(self, x: Tensor, at: Positions, weights: LayerWeights) -> Tensor:
        """Return the residual stream behind the layer; arguments as of `Layer`."""
        x, y = self.attend(x, at, weights)
        mixed = self.mix(y, weights.gate_up, weights.down, weights.experts)
        return x + self.scatter(mixed)


def make_layers(
    settings: ModelSettings, batch: int, kernels: Kernels, microbatches: int = 1
) -> Layers:
    """Make the functions of all layers, and of the blocks of ahead modules behind them.

    Args:
        settings: shape of the model.
        batch: sequences of a microbatch.
        kernels: parts of a layer.
        microbatches: of a lane.

    Returns:
        One for each block; the same object for those of one kind.
    """
    kinds = block_kinds(settings)
    made = {kind: make_layer(settings, kind, batch, kernels, microbatches) for kind in set(kinds)}
    return tuple(made[kind] for kind in kinds)


def attention(kernels: Kernels, window: int, sinks: int) -> Attend:
    """Return how a layer attends: over what its window and the documents leave of a sequence.

    Args:
        kernels: parts of a layer; theirs attends to all that came before.
        window: of the layer; 0: none.
        sinks: of the model.

    Returns:
        (q, k, v, positions) to their attention. What it chooses by is known when it is compiled.
    """

    def attend(q: Tensor, k: Tensor, v: Tensor, at: Positions) -> Tensor:
        k, v = kernels.whole(k, v)
        tokens = k.shape[1]
        if at.first is None and not 0 < window < tokens:
            return kernels.attend(q, k, v, at)
        tables = at.near if window else at.far
        if tables:
            return KeptBands.apply(q, k, v, tables)
        band = Band(min(window or tokens, tokens), sinks if window else 0)
        return Bands.apply(q, k, v, at.first, band, at.pieces)

    return attend


def make_layer(
    settings: ModelSettings, kind: LayerKind, batch: int, kernels: Kernels, microbatches: int = 1
) -> Layer:
    """Make the function of a layer.

    Args:
        settings: shape of the model.
        kind: of the layer.
        batch: sequences of a microbatch.
        kernels: its parts.
        microbatches: of a lane.

    Returns:
        The function.
    """
    epsilon = settings.norm_eps
    split = Split(batch, settings.heads, settings.kv_heads, epsilon)
    attend = attention(kernels, kind.window, settings.sinks)

    def attended(y: Tensor, at: Positions, weights: LayerWeights) -> Tensor:
        merged = kernels.product(kernels.gather(y), weights.qkv)
        q, k, v = kernels.heads(merged, weights.q_norm, weights.k_norm, at, split)
        seen = attend(q, k, v, at).flatten(2).flatten(0, 1)
        return kernels.scatter(kernels.product(seen, weights.output))

    def fed(y: Tensor, weights: LayerWeights) -> Tensor:
        hidden = kernels.swiglu(kernels.product(kernels.gather(y), weights.gate_up))
        return kernels.scatter(kernels.product(hidden, weights.down))

    def pre(x: Tensor, at: Positions, weights: LayerWeights) -> Tensor:
        y = kernels.norm(x, weights.attention_norm, epsilon, weights.qkv.dtype)
        x = x + attended(y, at, weights)
        y = kernels.norm(x, weights.mlp_norm, epsilon, weights.qkv.dtype)
        return x + fed(y, weights)

    def post(x: Tensor, at: Positions, weights: LayerWeights) -> Tensor:
        y = attended(x.to(weights.qkv.dtype), at, weights)
        x = x + kernels.norm(y, weights.attention_norm, epsilon, torch.float32)
        y = fed(x.to(weights.qkv.dtype), weights)
        return x + kernels.norm(y, weights.mlp_norm, epsilon, torch.float32)

    def before_experts(x: Tensor, at: Positions, weights: LayerWeights) -> tuple[Tensor, Tensor]:
        y = kernels.norm(x, weights.attention_norm, epsilon, weights.qkv.dtype)
        x = x + attended(y, at, weights)
        return x, kernels.gather(kernels.norm(x, weights.mlp_norm, epsilon, torch.float32))

    if kind.experts:
        mix = make_mix(settings, kernels.swiglu, microbatches, kernels.exchange)
        return ExpertLayer(before_experts, mix, kernels.scatter)
    return post if settings.norm_place == "post" else pre
