"""What of a model's shape costs memory and time: parameters, products a token, bytes moved.

Theory of operation. `Shape` describes this project's transformer and those of published runs that
the model is checked against: GPT with learned positions and biases, mixtures of experts, latent
attention, heads that predict further tokens. For a job, `shape_of` gives the same number of
parameters and operations as `qmpi.model.shape`, which a test holds it to; it stands a floor below
and cannot be called from here.

Operations follow one convention: a multiplication and an addition count two, backward counts twice
forward, causal attention counts the half that it computes, and nothing is counted for operations
that are done again to save memory. Published figures that follow another one are converted where
they are compared.
"""

from collections import Counter

from msgspec import Struct

from qmpi.config.attention import keys_twice, layer_windows
from qmpi.config.model import ModelSettings
from qmpi.config.widths import expert_width, ffn_width

MUON_STEPS = 3
"""Polynomials by which an update is orthogonalised; three products each."""

TRAINING = 3
"""Forward and backward together, in forward passes."""


class Experts(Struct, frozen=True, kw_only=True):
    """A mixture of experts in place of most feed-forward layers.

    `elsewhere` are experts that ranks of the same team hold: the router scores them too.
    """

    number: int
    active: int
    shared: int
    width: int
    dense_layers: int
    most_nodes: int = 0
    elsewhere: int = 0

    @property
    def scored(self) -> int:
        """Experts that a router scores."""
        return self.number + self.elsewhere


class Latent(Struct, frozen=True, kw_only=True):
    """Multi-head latent attention: queries, keys and values through narrow projections."""

    query_rank: int
    key_rank: int
    rotary: int
    value: int


class Shape(Struct, frozen=True, kw_only=True):
    """A decoder-only transformer, or what one rank of a team holds of it.

    Attributes:
        has_embedding: the embedding is there: on all stages of a pipeline but the first it is not.
        has_head: final norm and head are there; a head that is tied to an embedding elsewhere is
            borrowed.
        row_shares: ranks that share out the rows of the residual stream between layers.
    """

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn_width: int
    vocab_size: int
    tied_head: bool = False
    gated: bool = True
    qk_norm: bool = False
    qk_norm_over_all_heads: bool = False
    norms_behind: bool = False
    plain_vectors: int = 2
    positions: int = 0
    experts: Experts | None = None
    latent: Latent | None = None
    further_heads: int = 0
    windows: tuple[int, ...] = ()
    sinks: int = 0
    has_embedding: bool = True
    has_head: bool = True
    row_shares: int = 1

    @property
    def tables(self) -> int:
        """Matrices with a row for each token that are held; a tied head counts once."""
        return self.has_embedding + (self.has_head and not self.tied_head)

    @property
    def borrows_head(self) -> bool:
        """Whether the head is tied to an embedding that another rank holds."""
        return self.has_head and self.tied_head and not self.has_embedding

    @property
    def blocks(self) -> int:
        """Layers, and blocks of further heads."""
        return self.layers + self.further_heads

    @property
    def query(self) -> int:
        """Features of all query heads."""
        return self.heads * self.head_dim

    @property
    def value(self) -> int:
        """Features of all heads' outputs."""
        return self.heads * (self.latent.value if self.latent else self.head_dim)

    @property
    def key(self) -> int:
        """Features of all key heads, and of all value heads."""
        return self.kv_heads * self.head_dim


def shape_of(model: ModelSettings) -> Shape:
    """Return the shape of a job's model.

    Args:
        model: section of the job file.

    Returns:
        The shape.
    """
    return Shape(
        layers=model.layers,
        width=model.width,
        heads=model.heads,
        kv_heads=model.kv_heads,
        head_dim=model.head_dim or model.width // model.heads,
        ffn_width=ffn_width(model),
        vocab_size=model.vocab_size,
        tied_head=model.tied_head,
        qk_norm=model.qk_norm,
        qk_norm_over_all_heads=model.qk_norm_over == "projection",
        norms_behind=model.norm_place == "post",
        windows=layer_windows(model) if model.window else (),
        sinks=model.sinks,
        further_heads=model.predict_ahead,
        experts=_experts(model) if model.experts else None,
    )


def _experts(model: ModelSettings) -> Experts:
    return Experts(
        number=model.experts,
        active=model.experts_per_token,
        shared=model.shared_experts,
        width=expert_width(model),
        dense_layers=model.dense_layers,
    )


def attention_matrices(shape: Shape) -> int:
    """Return the matrix parameters of one layer's attention."""
    if shape.latent is None:
        return shape.width * (2 * shape.query + 2 * shape.key)
    latent, width = shape.latent, shape.width
    down = width * (latent.query_rank + latent.key_rank + latent.rotary)
    plain = shape.head_dim - latent.rotary
    up = latent.query_rank * shape.query + latent.key_rank * shape.heads * (plain + latent.value)
    return down + up + shape.value * width


def ffn_matrices(shape: Shape, hidden: int) -> int:
    """Return the matrix parameters of one feed-forward part of `hidden` features."""
    return (3 if shape.gated else 2) * shape.width * hidden


def layer_matrices(shape: Shape, *, active: bool) -> float:
    """Return the matrix parameters of a layer, on average over the layers.

    Args:
        shape: of the model.
        active: count only experts that a token passes through.
    """
    last, experts = last_layer_matrices(shape, active=active), shape.experts
    if experts is None:
        return last
    dense = attention_matrices(shape) + ffn_matrices(shape, shape.ffn_width)
    mixed = shape.layers - experts.dense_layers
    return (dense * experts.dense_layers + last * mixed) / shape.layers


def last_layer_matrices(shape: Shape, *, active: bool) -> int:
    """Return the matrix parameters of the last layer, which has experts if any has.

    Args:
        shape: of the model.
        active: count only experts that a token passes through.
    """
    attention, experts = attention_matrices(shape), shape.experts
    if experts is None:
        return attention + ffn_matrices(shape, shape.ffn_width)
    used = (experts.active if active else experts.number) + experts.shared
    return attention + used * ffn_matrices(shape, experts.width) + shape.width * experts.scored


def expert_elements(shape: Shape) -> int:
    """Return the parameters of the experts that are here, shared ones apart."""
    experts = shape.experts
    if experts is None:
        return 0
    mixed = shape.layers - experts.dense_layers
    return mixed * experts.number * ffn_matrices(shape, experts.width)


def further_matrices(shape: Shape, *, active: bool) -> int:
    """Return the matrix parameters of all further heads, the shared one apart.

    Args:
        shape: of the model.
        active: count only experts that a token passes through.
    """
    block = last_layer_matrices(shape, active=active)
    return shape.further_heads * (block + 2 * shape.width**2)


def matrices_a_token(shape: Shape) -> float:
    """Return the matrix parameters that a token is multiplied with; the look-up is free."""
    heads = (1 + shape.further_heads) * head_matrix(shape)
    layers = shape.layers * layer_matrices(shape, active=True)
    return layers + heads + further_matrices(shape, active=True)


def head_matrix(shape: Shape) -> int:
    """Return the elements of the output head; 0 where another rank has it."""
    return shape.vocab_size * shape.width * shape.has_head


def parameters(shape: Shape) -> int:
    """Return the trained parameters; a tied head counts once."""
    normed = shape.query + shape.key if shape.qk_norm_over_all_heads else 2 * shape.head_dim
    vectors = shape.plain_vectors * shape.width + normed * shape.qk_norm
    layer = layer_matrices(shape, active=False) + vectors
    tables = (shape.tables * shape.vocab_size + shape.positions) * shape.width
    further = shape.further_heads * (vectors + 3 * shape.width)
    further += further_matrices(shape, active=False)
    return round(shape.layers * layer + tables + shape.width * shape.has_head + further)


def attention_flops(shape: Shape, sequence_tokens: int) -> float:
    """Return the forward operations of scores and sums for one token in one layer, causal.

    Args:
        shape: of the model.
        sequence_tokens: length of a sequence.

    Returns:
        The mean of the layers, where some have a window.
    """
    seen = float(sequence_tokens)
    if shape.windows:
        seen = sum(keys_twice(sequence_tokens, w, shape.sinks) for w in shape.windows)
        seen /= len(shape.windows)
    return (shape.query + shape.value) * seen


def all_attention_flops(shape: Shape, sequence_tokens: int) -> float:
    """Return the forward operations of scores and sums for one token in all blocks, causal.

    Args:
        shape: of the model.
        sequence_tokens: length of a sequence.
    """
    last = shape.windows[-1] if shape.windows else 0
    seen = shape.further_heads * keys_twice(sequence_tokens, last, shape.sinks)
    further = (shape.query + shape.value) * seen
    return shape.layers * attention_flops(shape, sequence_tokens) + further


def hidden_features(shape: Shape) -> float:
    """Return the hidden features that a token passes in a layer, on average over the layers."""
    if shape.experts is None:
        return shape.ffn_width
    experts = shape.experts
    mixed = (experts.active + experts.shared) * experts.width
    dense = experts.dense_layers * shape.ffn_width
    return (dense + mixed * (shape.layers - experts.dense_layers)) / shape.layers


def active_parameters(shape: Shape) -> int:
    """Return the parameters that one token meets; of a dense model all of them."""
    layers = [layer_matrices(shape, active=active) for active in (False, True)]
    further = [further_matrices(shape, active=active) for active in (False, True)]
    idle = shape.layers * (layers[0] - layers[1]) + further[0] - further[1]
    return parameters(shape) - round(idle)


def matrix_counts(shape: Shape) -> Counter[tuple[int, int]]:
    """Return how many matrices of which sides all blocks have, without latent attention."""
    width, layers, gates = shape.width, shape.blocks, 3 if shape.gated else 2
    counts = Counter({(shape.query, width): 2 * layers})
    counts[width, 2 * width] += shape.further_heads
    counts[shape.key, width] += 2 * layers
    experts = shape.experts
    if experts is None:
        counts[shape.ffn_width, width] += gates * layers
        return +counts
    mixed = layers - experts.dense_layers
    counts[experts.scored, width] += mixed
    counts[experts.width, width] += gates * experts.number * mixed
    counts[experts.shared * experts.width, width] += gates * mixed * bool(experts.shared)
    counts[shape.ffn_width, width] += gates * experts.dense_layers
    return +counts


def muon_flops(shape: Shape) -> float:
    """Return the operations of one update by Muon: its products over the blocks' matrices."""
    sides = [(min(pair), max(pair), many) for pair, many in matrix_counts(shape).items()]
    products = sum(many * (4.0 * rows * rows * cols + 2.0 * rows**3) for rows, cols, many in sides)
    return MUON_STEPS * products


def flops_per_token(shape: Shape, sequence_tokens: int) -> float:
    """Return the operations of training on a token.

    Args:
        shape: of the model.
        sequence_tokens: length of a sequence.

    Returns:
        6 a matrix parameter, plus causal attention.
    """
    attention = TRAINING * all_attention_flops(shape, sequence_tokens)
    return 2 * TRAINING * matrices_a_token(shape) + attention
