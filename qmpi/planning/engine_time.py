"""Time of a step of this system's engine, as it is: data parallel, exact sum, gloo on all devices.

Theory of operation. A trainer computes its lanes one after the other: products, attention, the
sweeps of eager kernels, and for each lane one sweep that adds the gradient to the sum. Then the
sum of all ranks is taken by gloo through host memory, with nothing to hide it; then every rank
applies the whole update. A team takes a snapshot while the others wait for it at the next vote, so
its share stands in the step.

Bytes of the sweeps are counted over the operations of `qmpi.model` and `qmpi.training`, each of
which reads and writes its tensors once.
"""

from math import ceil

from msgspec import Struct

from qmpi.planning.shape import Shape, attention_flops, matrices_a_token, muon_flops
from qmpi.planning.workload import HOST_LINK_BYTES, Speeds, Workload

FLOAT, HALF = 4, 2

LANE_BYTES = {"exact": 24, "fast": 12}
"""A parameter's gradient added to the sum: looked at, rounded, added; or added alone."""

CHUNK, FACTS_BYTES = 32_768, 48
"""Elements that share a need in the exact sum, but for rows of tables; what is told of a lane."""

APPLY_BYTES = 52
"""A parameter: unpacked, its norm taken, clipped, AdamW over weight, gradient and moments."""

KERNELS_A_LAYER = 230
"""Kernels of a layer's forward and backward, casts included (profile of jobs/laptop.toml)."""


class EngineTime(Struct, frozen=True, kw_only=True):
    """Seconds of a step by cause.

    Attributes:
        products: matrix products of a trainer's lanes.
        attention: scores and sums of these.
        sweeps: element by element: norms, activations, loss, casts, the sum of gradients.
        calls: of kernels, whatever their size.
        reduce: the sum over trainers.
        apply: clipping and the update, Muon's products among it.
        digest: hashing the weights, spread over the steps between two digests.
        snapshot: hashing and copying the state, spread likewise.
    """

    products: float
    attention: float
    sweeps: float
    calls: float
    reduce: float
    apply: float
    digest: float
    snapshot: float

    @property
    def total(self) -> float:
        """Seconds of a step."""
        work = self.products + self.attention + self.sweeps + self.calls
        return work + self.reduce + self.apply + self.digest + self.snapshot


def engine_time(job: Workload, speeds: Speeds) -> EngineTime:
    """Return the time of a step, failures apart.

    Args:
        job: the job on its machine.
        speeds: of a trainer, alone on its core or GPU.

    Returns:
        Seconds by cause, of the trainer with the most lanes.
    """
    train, shape, count = job.settings.train, job.shape, job.parameters
    lanes = ceil(train.lanes / job.counts.trainers)
    crowd = crowding(job)
    tokens = lanes * job.lane_tokens
    weights, scores = 6 * matrices_a_token(shape), attention_flops(shape, train.sequence_tokens)
    swept = tokens * sweep_bytes(shape, half=speeds.half) + lanes * (
        count * LANE_BYTES[train.reduction] + cast_bytes(job) * train.microbatches * speeds.half
    )
    muon = muon_flops(shape) if job.settings.optimizer.kind == "muon" else 0.0
    lost = tokens * loss_bytes(shape, half=speeds.half)
    kernels = KERNELS_A_LAYER * (shape.layers + 1)
    hashed = FLOAT * count / train.digest_every
    copied = job.state_bytes / job.settings.snapshot.every_steps
    return EngineTime(
        products=crowd * tokens * weights / speeds.products,
        attention=crowd * tokens * 3.5 * shape.layers * scores / speeds.attention,
        sweeps=crowd * (swept / speeds.sweeps + lost / speeds.loss),
        calls=crowd * lanes * train.microbatches * kernels * speeds.call,
        reduce=_reduce(job, speeds),
        apply=crowd * (count * APPLY_BYTES / speeds.sweeps + muon / speeds.products),
        digest=hashed / speeds.hashing,
        snapshot=copied / speeds.hashing,
    )


def crowding(job: Workload) -> float:
    """Return how many trainers' threads share a core; at least 1."""
    if job.on_gpus:
        return 1.0
    busy = job.counts.trainers * job.settings.train.threads / job.nodes
    return max(1.0, busy / job.machine.node.cores)


def sweep_bytes(shape: Shape, *, half: bool) -> float:
    """Return the bytes that eager kernels move for a token, forward and backward.

    Args:
        shape: of the model.
        half: products are in bfloat16; the residual stream stays in float32.
    """
    size, width = (HALF if half else FLOAT), shape.width
    heads = shape.query + shape.key
    stream = 2 * FLOAT * (2 * width + 3 * width)
    casts = 3 * (FLOAT + HALF) * width if half else 0
    rotary = size * heads * (2 + 3 + 2 + 3) + 2 * FLOAT * heads * shape.qk_norm
    copies = size * 2 * (shape.query + 2 * shape.key)
    gates = size * 5 * shape.ffn_width
    layer = 3 * (stream + casts + rotary + copies + gates)
    return shape.layers * layer


def loss_bytes(shape: Shape, *, half: bool) -> float:
    """Return the bytes that head and loss move for a token beside the products.

    Args:
        shape: of the model.
        half: logits are in bfloat16 before they are cast.
    """
    return shape.vocab_size * (3 * (HALF if half else FLOAT) + 8 * FLOAT)


def cast_bytes(job: Workload) -> float:
    """Return the bytes of casting all weights once, and their gradients back."""
    return matrices_a_token(job.shape) * 2 * (FLOAT + HALF)


def _reduce(job: Workload, speeds: Speeds) -> float:
    ranks = job.counts.trainers
    if ranks == 1:
        return 0.0
    buffer = FLOAT * job.parameters + _told_bytes(job)
    ring = 2 * buffer * (ranks - 1) / ranks / speeds.reduce
    hops = 2 * (ranks - 1) * job.machine.network.latency_us * 1e-6
    staged = 2 * buffer / HOST_LINK_BYTES if job.on_gpus else 0.0
    return ring + hops + staged


def _told_bytes(job: Workload) -> int:
    """Return what travels beside the gradients: facts of lanes, needs of chunks and of rows."""
    train, shape = job.settings.train, job.shape
    rows = shape.vocab_size * (1 if shape.tied_head else 2)
    needs = rows + job.parameters // CHUNK if train.reduction == "exact" else 0
    return FACTS_BYTES * train.lanes + FLOAT * needs
