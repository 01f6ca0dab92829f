"""Memory of a trainer by kind, for this system's engine as it is, and roughly for other layouts.

Theory of operation. The flat state holds weights and moments in float32; beside it stands the sum
that is reduced, whose memory the gradient takes over; the exact one has tables a second time, on
finer grids, and twice room for some rows more: what a trainer keeps, and what is sent. Where lanes
send less than they have, each keeps the rest, in two copies. Activations
are what autograd saves: counted tensor by tensor over the nodes of `qmpi.model.fused`, for one
microbatch, less what checkpointed layers let go.
Weights are cast once a step, and the casts stay. Of the logits one chunk of rows is there at once.

Systems of others, of which `layout_memory` speaks, keep what plain modules save.
"""

from qmpi.config.attention import keys_twice
from qmpi.config.compression_checks import sends_less
from qmpi.planning.engine_time import is_compiled
from qmpi.planning.evaluating import evaluation_bytes
from qmpi.planning.layout import Layout
from qmpi.planning.muon_work import direction_bytes
from qmpi.planning.offload import Apart, apart
from qmpi.planning.savers import kept_by_layers
from qmpi.planning.shape import (
    Shape,
    head_matrix,
    hidden_features,
    layer_matrices,
    parameters,
)
from qmpi.planning.sweeps import (
    CHUNK_LOGITS,
    LEAST_ROWS,
    LOSS_ROWS,
    hidden_elements,
    table_elements,
)
from qmpi.planning.workload import Workload

FLOAT, HALF = 4, 2

ROWS_A_PLACE = 4
"""Rows of a table for each row that may lie outside its scale."""

MOST_TOKENS, BLOCK, MOST_BLOCKS = 1024, 64, 16
"""Attention on a CPU goes by blocks of queries up to so many tokens, and keeps probabilities."""

GIVEN_BYTES = 8 * 2**20
"""Gradients that wait for each other, to be sent to the ranks that hold the parameters."""

PROGRAM_BYTES = 385 * 2**20
"""Resident memory of a trainer before it has a model: Python, torch, MPI, gloo."""

COMPILER_BYTES = 110 * 2**20
"""Resident besides, once layers were compiled: torch's compiler stays in the process. Measured: 608
and 623 MiB with it against 497 and 519 without (laptop's job with one and with two trainers,
docs/benchmarks/plan_epyc-avx512-2core_2026-11-29.md)."""

CONTEXT_BYTES = 500 * 2**20
"""What CUDA and its libraries take of a GPU before anything is allocated."""


def trainer_memory(job: Workload) -> dict[str, int]:
    """Return the bytes of a trainer by kind.

    Args:
        job: the job.

    Returns:
        Bytes where it computes: on its GPU if it has one.
    """
    count, half = job.held, _is_half(job)
    tokens, lanes = job.rows, job.team_lanes
    matrices = hidden_elements(job.shape) + head_matrix(job.shape)
    block = job.lane_tokens * (HALF if job.shape.vocab_size <= 65_536 else FLOAT)
    there = on_host(job)
    return {
        "weights": job.weight_bytes,
        "moments": job.moment_bytes - there.moments + there.rooms,
        "gradient": _transient(job),
        "sum": FLOAT * count + _tables(job),
        # Before the step, and in hand.
        "residuals": 2 * lanes * job.kept_bytes,
        "directions": _directions(job, half=half),
        "casts": 0 if job.shared_axis else _casts(job, matrices, half=half),
        "activations": _activations(job, half=half) - there.activations,
        "logits": _chunk_bytes(job, tokens, half=half),
        "borrowed": _borrowed(job, half=half) + _brought(job, half=half),
        "blocks": block * lanes * (job.settings.data.prefetch_steps + 1),
        "program": CONTEXT_BYTES if job.on_gpus else PROGRAM_BYTES,
        "compiler": COMPILER_BYTES if is_compiled(job) and not job.on_gpus else 0,
        "evaluation": evaluation_bytes(job),
    }


def on_host(job: Workload) -> Apart:
    """Return what of a trainer waits in the host's memory.

    Args:
        job: the job.
    """
    half = _is_half(job)
    return apart(job, kept_bytes(job, half=half), HALF if half else FLOAT)


def _is_half(job: Workload) -> bool:
    if job.speeds is not None:
        return job.speeds.half
    return job.settings.train.precision in ("bfloat16", "float16", "float8")


def _casts(job: Workload, matrices: int, *, half: bool) -> int:
    """Return the copies of weights in the compute type, if that is not the state's."""
    narrow = job.settings.train.masters == "bfloat16"
    if half:
        return 0 if narrow and job.settings.train.precision != "float16" else HALF * matrices
    return FLOAT * matrices * narrow


def _tables(job: Workload) -> int:
    """Return what the exact sum holds for embedding and head beside the sum itself, at most."""
    train = job.settings.train
    if train.reduction != "exact" or sends_less(train):
        return 0
    elements = table_elements(job.shape)
    return FLOAT * (elements + 2 * elements // ROWS_A_PLACE)


def _transient(job: Workload) -> int:
    """Return gradients that stand beside the sum while a lane is computed."""
    if job.settings.train.microbatches > 1:
        return FLOAT * job.parameters
    return FLOAT * table_elements(job.shape)


def _directions(job: Workload, *, half: bool) -> int:
    if job.settings.optimizer.kind != "muon":
        return 0
    # Muon computes in float32 where products are in float16.
    narrow = half and job.settings.train.precision != "float16"
    size, shape = HALF if narrow else FLOAT, job.uncut or job.shape
    turned = hidden_elements(shape) * job.held // job.parameters
    held = direction_bytes(shape, turned, size, on_gpus=job.on_gpus)
    # Of cut matrices the ranks bring the momentum together first.
    return held + size * turned * (job.uncut is not None)


def _borrowed(job: Workload, *, half: bool) -> int:
    """Return what a head that is tied to another stage's embedding takes: values, gradients."""
    shape = job.shape
    return head_matrix(shape) * ((HALF if half else FLOAT) + 2 * FLOAT) * shape.borrows_head


def _brought(job: Workload, *, half: bool) -> int:
    """Return what a rank takes of weights that others hold, and of gradients on their way."""
    if not job.shared_axis:
        return 0
    size, shape = HALF if half else FLOAT, job.shape
    masters = HALF if job.settings.train.masters == "bfloat16" else FLOAT
    # What is sent to each of the others, and what comes, beside what is made of it.
    ways = 1 + 2 * (job.holders - 1) / job.holders
    layer = size * layer_matrices(shape, active=False) * ways
    ends = masters * table_elements(shape) + size * head_matrix(shape) * half
    return round(layer + ends + ways * min(GIVEN_BYTES, FLOAT * job.lent))


def _activations(job: Workload, *, half: bool) -> int:
    """Return what all microbatches that are under way keep."""
    return round(job.kept_microbatches * job.rows * _kept_by_layers(job, half=half))


def _kept_by_layers(job: Workload, *, half: bool) -> float:
    whole, size = kept_bytes(job, half=half), HALF if half else FLOAT
    # Around a further block: the embedding, what norms give, the stream before the last of them.
    ends = job.shape.further_heads * (2 * FLOAT + 3 * size) * job.shape.width
    return kept_by_layers(job.settings.train, job.shape, whole, size) + ends


def kept_bytes(job: Workload, *, half: bool) -> float:
    """Return what one layer of the engine keeps for backward, bytes a token.

    Args:
        job: its shape, and the length of its sequences.
        half: products are in bfloat16; the residual stream stays in float32.
    """
    size, shape, tokens = HALF if half else FLOAT, job.shape, job.settings.train.sequence_tokens
    # Each norm keeps what it is given, and the products what they are: the stream and its norm; or,
    # with norms behind, a product's result, and the stream in their type. Along the tensor axis a
    # norm has some rows, and the products all.
    normed = (size if shape.norms_behind else FLOAT) / shape.row_shares
    stream = 2 * (normed + size) * shape.width
    # The merged product, queries, keys and values made of it, what they attend to.
    heads = size * (2 * (shape.query + 2 * shape.key) + shape.query)
    # Along the context axis the keys and values of the other ranks too.
    heads += size * 2 * shape.key * (job.settings.parallel.context - 1)
    if job.on_gpus or tokens > MOST_TOKENS:
        seen = size * shape.query
    else:
        seen = size * shape.heads * _chances(shape, tokens)
    return stream + heads + seen + 3 * size * hidden_features(shape)


def _chances(shape: Shape, tokens: int) -> float:
    """Return the probabilities that a query's block keeps for it, the mean of layers."""
    length = max(BLOCK, tokens / MOST_BLOCKS)
    full = (tokens + length) / 2
    kept = [
        (keys_twice(tokens, window, shape.sinks) + length) / 2 if 0 < window < tokens else full
        for window in shape.windows
    ]
    return sum(kept) / len(kept) if kept else full


def _chunk_bytes(job: Workload, tokens: int, *, half: bool) -> int:
    """Return what the loss holds: logits of a chunk, some rows in float32, the head's gradient."""
    shape, size = job.shape, HALF if half else FLOAT
    rows = min(tokens, max(LEAST_ROWS, CHUNK_LOGITS // shape.vocab_size))
    wide = 2 * FLOAT * min(tokens, LOSS_ROWS)
    features = (1 + shape.further_heads) * (2 * size + 2 * FLOAT) * tokens * shape.width
    logits = shape.vocab_size * (size * rows + wide + half * size * shape.width) + features
    return logits * shape.has_head


def saved_bytes(shape: Shape, *, half: bool) -> float:
    """Return what one layer of plain modules saves for backward, bytes a token.

    Args:
        shape: of the model.
        half: products are in bfloat16; norms stay in float32.
    """
    size, width, hidden = (HALF if half else FLOAT), shape.width, hidden_features(shape)
    # A norm saves what it is given and that scaled; what it gives is saved by the products, as a
    # cast of its own in bfloat16.
    stream = 2 * (2 * FLOAT + size) * width
    queries = 2 * FLOAT * (shape.query + shape.key) * shape.qk_norm
    # Turned queries, keys, values, the sum, and the copy of it that the last product reads.
    attention = size * (2 * shape.query + 2 * shape.key) + half * size * shape.query
    gates = size * (4 if shape.gated else 2) * hidden
    return stream + queries + attention + gates


def logit_bytes(shape: Shape, *, half: bool) -> float:
    """Return what head and loss keep at their peak, bytes a token.

    The last norm and its cast; logits, their copy in float32, its softmax and its gradient.
    """
    last = (2 * FLOAT + (HALF if half else FLOAT)) * shape.width
    return last + shape.vocab_size * ((HALF + FLOAT if half else FLOAT) + 2 * FLOAT)


def layout_memory(shape: Shape, layout: Layout) -> float:
    """Return the bytes of a GPU under a layout, as trained elsewhere.

    Args:
        shape: of the model.
        layout: over GPUs.

    Returns:
        Weights in bfloat16, gradient and three float32 values a parameter, activations in flight.
    """
    ours = parameters(shape) / (layout.tensor * layout.pipeline)
    share = layout.data * layout.context if layout.sharded != "none" else 1
    state = ours * (HALF + FLOAT + 3 * FLOAT / share)
    if layout.sharded == "all":
        whole = HALF * layer_matrices(shape, active=False) / layout.tensor
        state = ours * (HALF + FLOAT + 3 * FLOAT) / share + 2 * whole
    layers = shape.layers / layout.pipeline
    kept = saved_bytes(shape, half=True) / layout.tensor * layers
    if layout.recompute == "full":
        kept = HALF * shape.width * layers / layout.tensor
    flight = min(layout.pipeline, layout.microbatches)
    logits = logit_bytes(shape, half=True) / layout.tensor
    return state + layout.microbatch_tokens * (kept * flight + logits) + CONTEXT_BYTES * 4
