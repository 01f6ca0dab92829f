"""Kernels of a trainer's step that are no matrix product: how many, and the bytes that they move.

Theory of operation. Counted over the code, operation by operation: each reads its operands and
writes its result once. Eager layers run one kernel after the other (`qmpi.model.fused`); in
compiled ones a loop does what lies between two products or sums, reading and writing at its ends
alone. A test holds the counts to what torch is seen to run.

What attention does between its products is no part of these: it goes with attention's own rate.
"""

from math import ceil

from msgspec import Struct

from qmpi.planning.shape import (
    Shape,
    further_matrices,
    head_matrix,
    hidden_features,
    layer_matrices,
    matrix_counts,
)

FLOAT, HALF = 4, 2

CHUNK = 32_768
"""Elements that the exact sum takes at once, and that share a need, but for rows of tables."""

SUM_BYTES = 24
"""An element of a lane's gradient: looked at, rounded, added."""

TABLE_BYTES = 72
"""The same for embedding and head: looked at twice, rounded and added on two grids."""

LOOP_BYTES, TABLE_LOOP_BYTES = 8, 20
"""The same two in compiled loops, beside the gradient itself and, of a table, a second look."""

UPDATE_BYTES = 28
"""AdamW: gradient, and weight and both moments to and fro."""

LOSS_ROWS, LEAST_ROWS, CHUNK_LOGITS = 128, 512, 1 << 22
"""Rows of logits that are turned at once, rows of a chunk at least, and its logits."""

COMPILED_LOOPS = 40
"""Loops of a compiled layer beside those of blocks of queries: 64 with two of these, 138 with 8."""


class Sweeps(Struct, frozen=True):
    """Work that moves bytes.

    Attributes:
        bytes: read and written.
        kernels: that do it.
    """

    bytes: float = 0.0
    kernels: float = 0.0

    def __add__(self, other: "Sweeps") -> "Sweeps":
        """Return both."""
        return Sweeps(self.bytes + other.bytes, self.kernels + other.kernels)

    def times(self, count: float) -> "Sweeps":
        """Return so many of it."""
        return Sweeps(self.bytes * count, self.kernels * count)


def layer_sweeps(shape: Shape, rows: int, *, half: bool, compiled: bool) -> Sweeps:
    """Return what a layer moves between its products, forward and backward, attention apart.

    Args:
        shape: of the model.
        rows: tokens of a microbatch.
        half: products are in bfloat16; the residual stream stays in float32.
        compiled: the layer is.
    """
    if compiled:
        return _compiled_layer(shape, rows, half=half)
    size = HALF if half else FLOAT
    norms = 2 * (88 if half else 76) * shape.width / shape.row_shares
    residual = (56 if half else 48) * shape.width / shape.row_shares
    turned = (shape.query + shape.key) * _head_bytes(half=half, normed=shape.qk_norm)
    heads = turned + 4 * size * shape.key
    gates = 16 * size * hidden_features(shape) + _sorted_bytes(shape, size)
    kernels = (46 if half else 38) + (56 if half else 52) * (1 if shape.qk_norm else 0.5)
    return Sweeps(rows * float(norms + residual + heads + gates), kernels + _expert_kernels(shape))


def _sorted_bytes(shape: Shape, size: int) -> float:
    """Return what gathering tokens for experts and summing what these make moves, a token."""
    if shape.experts is None:
        return 0.0
    share = 1 - shape.experts.dense_layers / shape.layers
    # Forward: gathered, laid by choices, summed; backward: gathered twice, laid, summed.
    return share * shape.experts.active * shape.width * size * 14


def _expert_kernels(shape: Shape) -> float:
    """Return the kernels of a layer beyond those of a dense one: 6 products for each expert."""
    if shape.experts is None:
        return 0.0
    share = 1 - shape.experts.dense_layers / shape.layers
    return share * (80 + 6 * shape.experts.number)


def _head_bytes(*, half: bool, normed: bool) -> int:
    """Return the bytes for a feature of queries and keys: normed, turned, cast, and back."""
    if normed:
        return 164 if half else 160
    return 96 if half else 80


def _compiled_layer(shape: Shape, rows: int, *, half: bool) -> Sweeps:
    size = HALF if half else FLOAT
    # Forward: a norm reads the stream, the second one adds to it before. Backward: a loop over
    # rows for the stream, one over columns for the norm's weight, and a cast for the products.
    forward = 2 * (FLOAT + size) + 2 * (size + 2 * FLOAT)
    norms = forward + 2 * ((size + 3 * FLOAT) + (size + FLOAT) + half * size)
    heads = size * (3 * (shape.query + 2 * shape.key) + 4 * (shape.query + shape.key))
    gates = size * (3 + 5) * hidden_features(shape) + _sorted_bytes(shape, size)
    loops = COMPILED_LOOPS + _expert_kernels(shape)
    stream = norms * shape.width / shape.row_shares
    return Sweeps(rows * float(stream + heads + gates), loops)


def loss_sweeps(shape: Shape, rows: int, *, half: bool) -> Sweeps:
    """Return what turns a microbatch's logits into their gradient.

    Args:
        shape: of the model.
        rows: tokens of a microbatch.
        half: logits are in bfloat16.
    """
    # Cast, largest, softmax, largest again, and back to the type of the products.
    each = shape.vocab_size * (28 if half else 32)
    return Sweeps(float(rows) * each, 12 * ceil(rows / LOSS_ROWS)).times(shape.has_head)


def end_sweeps(shape: Shape, rows: int, *, half: bool) -> Sweeps:
    """Return what a microbatch moves at both ends of the layers, products and loss apart.

    Args:
        shape: of the model.
        rows: tokens of a microbatch.
        half: products are in bfloat16.
    """
    looked_up = 20 * shape.width * shape.has_embedding
    normed = (88 if half else 76) * shape.width / shape.row_shares * shape.has_head
    ends = 10 * (shape.has_embedding + shape.has_head)
    moved = Sweeps(float(rows) * (looked_up + normed), ends)
    # In float32 the head's gradient is added by the product itself.
    chunks = ceil(rows / max(LEAST_ROWS, CHUNK_LOGITS // shape.vocab_size))
    added = (HALF + 2 * FLOAT) * head_matrix(shape) * chunks if half else 0
    return moved + Sweeps(float(added), chunks * shape.has_head)


def further_sweeps(shape: Shape, rows: int, *, half: bool) -> Sweeps:
    """Return what a microbatch moves around the blocks of further heads, products and loss apart.

    Args:
        shape: of the model.
        rows: tokens of a microbatch.
        half: products are in bfloat16.
    """
    size = HALF if half else FLOAT
    # Two norms more than the model's end has, and what they give laid side by side, and back.
    joined = 2 * (88 if half else 76) * shape.width + 2 * 4 * size * shape.width
    each = end_sweeps(shape, rows, half=half) + Sweeps(float(rows) * joined, 40)
    return each.times(shape.further_heads)


def gathered_sweeps(shape: Shape, count: int, microbatches: int, *, half: bool) -> Sweeps:
    """Return what gathers a lane's gradient before it is added to the sum.

    Args:
        shape: of the model.
        count: its parameters.
        microbatches: of the lane; several are accumulated in float32.
        half: gradients of matrices are in bfloat16.
    """
    tables, size = table_elements(shape), HALF if half else FLOAT
    zeroed = Sweeps(float(FLOAT * tables), 1)
    if microbatches == 1:
        return zeroed
    each = (size + FLOAT) + (microbatches - 1) * (size + 2 * FLOAT)
    leaves = 8 * shape.layers + 1 + 12 * shape.further_heads
    return zeroed + Sweeps(float(each) * (count - tables), microbatches * leaves)


def added_sweeps(
    shape: Shape, count: int, lanes: int, *, half: bool, exact: bool, compiled: bool
) -> Sweeps:
    """Return what adds the gradients of a trainer's lanes to the sum.

    Args:
        shape: of the model.
        count: its parameters.
        lanes: of the trainer.
        half: gradients of matrices come in bfloat16, as those of a single microbatch may.
        exact: by integers, chunk by chunk.
        compiled: the loops of an exact sum are, which they are on CPUs only.
    """
    tables, matrices = table_elements(shape), matrix_counts(shape)
    others, vectors = count - tables, 4 * shape.blocks + 3 * shape.further_heads + 1
    parameters, size = matrices.total() + vectors, HALF if half else FLOAT
    if not exact:
        moved = (size + 2 * FLOAT) * others + 3 * FLOAT * tables
        return Sweeps(float(moved), parameters + 1).times(lanes)
    if compiled:
        moved = (size + LOOP_BYTES) * others + (FLOAT + TABLE_LOOP_BYTES) * tables
        each = Sweeps(float(moved), parameters + 8)
    else:
        moved = (SUM_BYTES + (HALF + FLOAT) * half) * others + TABLE_BYTES * tables
        chunks = sum(many * ceil(rows * cols / CHUNK) for (rows, cols), many in matrices.items())
        kernels = (3 + half) * chunks + 3 * vectors + 6 * tables / CHUNK + 24
        each = Sweeps(float(moved), kernels)
    # The first lane overwrites the sum, and that on the finer grid.
    return each.times(lanes) + Sweeps(-float(FLOAT * (count + tables)))


def pass_sweeps(shape: Shape, count: int, *, half: bool, exact: bool, compiled: bool) -> Sweeps:
    """Return what each trainer moves once a step for all its lanes: weights cast, the sum.

    Args:
        shape: of the model.
        count: its parameters.
        half: weights are cast to bfloat16.
        exact: the sum is of integers.
        compiled: the loops of an exact sum are, which they are on CPUs only.
    """
    cast = (HALF + FLOAT) * (hidden_elements(shape) + head_matrix(shape)) * half
    if not exact:
        # The last one looks whether all is finite, which an exact sum knows beforehand.
        summed = 4 * FLOAT * count
    elif compiled:
        summed = 2 * FLOAT * (count + table_elements(shape))
    else:
        # The right grid of each row is chosen, and the integers are made a gradient.
        summed = 4 * FLOAT * count + 3 * FLOAT * table_elements(shape)
    matrices = matrix_counts(shape).total()
    return Sweeps(float(cast + summed), matrices * (half + 5 * exact) + 100)


def update_sweeps(shape: Shape, count: int, *, half: bool, muon: bool) -> Sweeps:
    """Return what each trainer moves to clip and apply a gradient.

    Args:
        shape: of the model.
        count: its parameters.
        half: Muon's directions are in bfloat16.
        muon: moves the matrices of the blocks; its directions are made already.
    """
    clipped, size = 3 * FLOAT * count, HALF if half else FLOAT
    if not muon:
        return Sweeps(float(clipped + UPDATE_BYTES * count), 10)
    hidden = hidden_elements(shape)
    moved = (7 * FLOAT + size) * hidden + UPDATE_BYTES * (count - hidden)
    return Sweeps(float(clipped + moved), 10 + matrix_counts(shape).total())


def direction_sweeps(shape: Shape, *, half: bool) -> Sweeps:
    """Return what Muon moves to make all directions, products apart.

    Args:
        shape: of the model.
        half: they are made in bfloat16.
    """
    size = HALF if half else FLOAT
    # Momentum, Nesterov's look ahead, cast, norm, scaled, copied out.
    each = 6 * FLOAT + (FLOAT + size) + size + 2 * size + 2 * size
    matrices = matrix_counts(shape).total()
    return Sweeps(float(each) * hidden_elements(shape), 10 * matrices)


def table_elements(shape: Shape) -> int:
    """Return the elements of embedding and head; a tied head counts once."""
    return shape.tables * shape.vocab_size * shape.width


def hidden_elements(shape: Shape) -> int:
    """Return the elements of the matrices of the blocks."""
    layers = shape.layers * layer_matrices(shape, active=False)
    return round(layers) + further_matrices(shape, active=False)
