"""Shapes, names and costs of the transformer's parameters, without torch.

Theory of operation. `parameter_shapes` is the one table that the model, the counters and the tests
agree on. Names and orientation are those of Hugging Face's Qwen3, and of its OLMo 2 where norms
stand behind, so that an export is a copy.
"""

from math import prod
from typing import NamedTuple

from msgspec.structs import replace

from qmpi.config.attention import keys_twice, layer_windows
from qmpi.config.model import ModelSettings
from qmpi.config.widths import expert_width, ffn_width

TABLES = frozenset({"model.embed_tokens.weight", "lm_head.weight"})
"""Matrices with a row for each token of the vocabulary: embedding and head."""

MOMENT_BLOCK = 256
"""Elements that share the scale of their moments in eight bits (Dettmers et al.: small blocks keep
one large element from costing many others their digits)."""


def is_matrix(shape: tuple[int, ...]) -> bool:
    """Return whether a parameter is a matrix: Muon's, if it is no table, and decayed.

    All others, vectors and the filters of a convolution, are AdamW's and do not decay.

    Args:
        shape: of the parameter.
    """
    return len(shape) == 2


def head_dim(settings: ModelSettings) -> int:
    """Return the features of one attention head."""
    return settings.head_dim or settings.width // settings.heads


def qk_norm_features(settings: ModelSettings) -> tuple[int, int]:
    """Return the features that the norms of queries and of keys go over, if there are any."""
    head = head_dim(settings)
    if settings.qk_norm_over == "head":
        return head, head
    return settings.heads * head, settings.kv_heads * head


class LayerKind(NamedTuple):
    """What tells layers of one model apart; those of one kind compute one function.

    Attributes:
        window: tokens that a query sees, itself included; 0: all before it.
        experts: the feed-forward part is a mixture of experts.
    """

    window: int = 0
    experts: bool = False


def layer_kinds(settings: ModelSettings) -> tuple[LayerKind, ...]:
    """Return the kind of each layer.

    Args:
        settings: shape of the model.
    """
    return tuple(
        LayerKind(window, bool(settings.experts) and number >= settings.dense_layers)
        for number, window in enumerate(layer_windows(settings))
    )


def block_kinds(settings: ModelSettings) -> tuple[LayerKind, ...]:
    """Return the kind of each block: of the layers, then of the ahead modules, like the last layer.

    Args:
        settings: shape of the model.
    """
    kinds = layer_kinds(settings)
    return kinds + kinds[-1:] * settings.predict_ahead


def layer_shapes(settings: ModelSettings, kind: LayerKind) -> dict[str, tuple[int, ...]]:
    """Return shape by name within one block.

    Args:
        settings: shape of the model.
        kind: of the layer.

    Returns:
        Shapes as [out, in] for matrices, in the order of computation.
    """
    width, head = settings.width, head_dim(settings)
    behind = settings.norm_place == "post"
    shapes: dict[str, tuple[int, ...]] = {} if behind else {"input_layernorm.weight": (width,)}
    shapes |= {
        "self_attn.q_proj.weight": (settings.heads * head, width),
        "self_attn.k_proj.weight": (settings.kv_heads * head, width),
        "self_attn.v_proj.weight": (settings.kv_heads * head, width),
        "self_attn.o_proj.weight": (width, settings.heads * head),
    }
    if settings.qk_norm:
        query, key = qk_norm_features(settings)
        shapes |= {"self_attn.q_norm.weight": (query,), "self_attn.k_norm.weight": (key,)}
    shapes["post_attention_layernorm.weight"] = (width,)
    if behind:
        shapes["post_feedforward_layernorm.weight"] = (width,)
    if kind.experts:
        return shapes | expert_shapes(settings)
    return shapes | feed_forward_shapes("mlp", ffn_width(settings), width)


def feed_forward_shapes(name: str, hidden: int, width: int) -> dict[str, tuple[int, ...]]:
    """Return shape by name of the three projections of a SwiGLU.

    Args:
        name: that theirs begin with.
        hidden: its features.
        width: of the residual stream.
    """
    return {
        f"{name}.gate_proj.weight": (hidden, width),
        f"{name}.up_proj.weight": (hidden, width),
        f"{name}.down_proj.weight": (width, hidden),
    }


def expert_shapes(settings: ModelSettings) -> dict[str, tuple[int, ...]]:
    """Return shape by name of a mixture of experts within a block.

    The names are those of Qwen3-MoE's files, and dots1's for shared experts. The order keeps gates
    and ups of all experts side by side, and downs likewise, so that each is one tensor to multiply.

    Args:
        settings: shape of the model.
    """
    width, hidden = settings.width, expert_width(settings)
    shapes: dict[str, tuple[int, ...]] = {"mlp.gate.weight": (settings.experts, width)}
    for expert in range(settings.experts):
        shapes[f"mlp.experts.{expert}.gate_proj.weight"] = (hidden, width)
        shapes[f"mlp.experts.{expert}.up_proj.weight"] = (hidden, width)
    for expert in range(settings.experts):
        shapes[f"mlp.experts.{expert}.down_proj.weight"] = (width, hidden)
    if settings.shared_experts:
        shared = settings.shared_experts * hidden
        shapes |= feed_forward_shapes("mlp.shared_experts", shared, width)
    return shapes


BIAS = "mlp.gate.e_score_correction_bias"
"""Ending of the names of experts' biases, as dots1 calls them."""


def bias_shapes(settings: ModelSettings) -> dict[str, tuple[int, ...]]:
    """Return shape by name of the biases that balance experts: state, but moved by no gradient.

    Args:
        settings: shape of the model.

    Returns:
        One vector for each layer with experts; empty for a dense model.
    """
    return {
        f"model.layers.{layer}.{BIAS}": (settings.experts,)
        for layer, kind in enumerate(block_kinds(settings))
        if kind.experts
    }


def parameter_shapes(settings: ModelSettings) -> dict[str, tuple[int, ...]]:
    """Return the shape of every parameter by its name.

    Args:
        settings: shape of the model.

    Returns:
        Shapes by name; the head is left out when it is tied.
    """
    table = (settings.vocab_size, settings.width)
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": table}
    for layer, kind in enumerate(layer_kinds(settings)):
        for name, shape in layer_shapes(settings, kind).items():
            shapes[f"model.layers.{layer}.{name}"] = shape
    shapes["model.norm.weight"] = (settings.width,)
    if not settings.tied_head:
        shapes["lm_head.weight"] = table
    return shapes | ahead_shapes(settings)


AHEAD_PARTS = ("enorm.weight", "hnorm.weight", "eh_proj.weight", "shared_head.norm.weight")
"""Names of what an ahead module has beside its block, as DeepSeek-V3's files call them: norms of
embedding and stream, the matrix behind these, and the norm before the head."""


def ahead_shapes(settings: ModelSettings) -> dict[str, tuple[int, ...]]:
    """Return the shape of every parameter of the ahead modules by its name.

    Args:
        settings: shape of the model.

    Returns:
        Shapes by name; modules are numbered on from the last layer.
    """
    width, shapes = settings.width, dict[str, tuple[int, ...]]()
    for layer in range(settings.layers, settings.layers + settings.predict_ahead):
        sizes = ((width,), (width,), (width, 2 * width), (width,))
        own = dict(zip(AHEAD_PARTS, sizes, strict=True))
        block = layer_shapes(settings, layer_kinds(settings)[-1])
        shapes |= {f"model.layers.{layer}.{name}": shape for name, shape in (own | block).items()}
    return shapes


def without_ahead(settings: ModelSettings) -> ModelSettings:
    """Return the shape of the model alone: what samples, is evaluated and is exported."""
    return replace(settings, predict_ahead=0)


def parameter_count(settings: ModelSettings) -> int:
    """Return the number of trained parameters; a tied head counts once."""
    return sum(prod(shape) for shape in parameter_shapes(settings).values())


def active_count(settings: ModelSettings) -> int:
    """Return the parameters that one token meets; of a dense model all of them."""
    return parameter_count(settings) - _idle_elements(settings)


def state_bytes(settings: ModelSettings, kind: str, masters: str = "float32") -> int:
    """Return the bytes of a run's state: weights and moments, biases and padding apart.

    Args:
        settings: shape of the model.
        kind: of optimizer; "muon" keeps one moment of the blocks' matrices instead of two,
            "adamw8" two bytes of each element of a matrix or table.
        masters: type of the weights.
    """
    return state_bytes_of(parameter_shapes(settings), kind, masters)


def state_bytes_of(shapes: dict[str, tuple[int, ...]], kind: str, masters: str = "float32") -> int:
    """Return the bytes of a state of some parameters; as `state_bytes`.

    Args:
        shapes: of the parameters, by name.
        kind: of optimizer.
        masters: type of the weights.
    """
    count = sum(map(prod, shapes.values()))
    vectors = sum(prod(shape) for shape in shapes.values() if not is_matrix(shape))
    weights = (2 if masters == "bfloat16" else 4) * count
    if kind == "adamw8":
        # Two bytes, and four of the scales for each of the two moments of a block.
        return weights + 8 * vectors + (count - vectors) * (2 * MOMENT_BLOCK + 8) // MOMENT_BLOCK
    hidden = sum(
        prod(shape) for name, shape in shapes.items() if is_matrix(shape) and name not in TABLES
    )
    spared = hidden if kind == "muon" else 0
    return weights + 4 * (2 * count - spared)


def flops_per_token(settings: ModelSettings, sequence_tokens: int) -> int:
    """Return the floating-point operations of training on one token, forward and backward.

    Args:
        settings: shape of the model.
        sequence_tokens: length of a sequence; causal attention sees half of it on average, or
            what a window leaves.

    Returns:
        6 for each matrix weight that a token meets (the embedding look-up is free, the head is
        not), plus attention. What is no matrix counts nothing.
    """
    queries = settings.heads * head_dim(settings)
    met = _matrix_elements(settings) - _idle_elements(settings)
    heads = 1 + settings.predict_ahead
    matrices = met + heads * settings.vocab_size * settings.width
    seen = sum(
        keys_twice(sequence_tokens, kind.window, settings.sinks) for kind in block_kinds(settings)
    )
    return 6 * matrices + 6 * queries * seen


def _matrix_elements(settings: ModelSettings) -> int:
    return sum(
        prod(shape)
        for name, shape in parameter_shapes(settings).items()
        if is_matrix(shape) and name not in TABLES
    )


def _idle_elements(settings: ModelSettings) -> int:
    """Return the elements of the experts that a token passes by."""
    mixed = sum(kind.experts for kind in block_kinds(settings))
    idle = settings.experts - settings.experts_per_token
    return mixed * idle * 3 * settings.width * expert_width(settings) if mixed else 0
