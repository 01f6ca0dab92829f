"""Time of a step of this system's engine, as it is: data parallel, exact sum, gloo on all devices.

Theory of operation. A trainer computes its lanes one after the other: products, attention, what is
swept between these, and for each lane one sweep that adds the gradient to the sum. Then the sum of
all ranks is taken by gloo through host memory, with nothing to hide it; trainers on CPUs share the
making of Muon's directions and sum these likewise; then every rank applies the whole update. A team
takes a snapshot while the others wait for it at the next vote, so its share stands in the step.

Kernels and bytes of the sweeps are counted in `qmpi.planning.sweeps`.
"""

from msgspec import Struct

from qmpi.config.compiling import is_worth_compiling
from qmpi.planning.evaluating import evaluation_seconds, evaluations
from qmpi.planning.muon_work import muon_share
from qmpi.planning.savers import done_again
from qmpi.planning.sent_less import sends_whole, sum_bytes
from qmpi.planning.shape import all_attention_flops, flops_per_token, matrices_a_token, muon_flops
from qmpi.planning.sweeps import (
    CHUNK,
    Sweeps,
    added_sweeps,
    direction_sweeps,
    end_sweeps,
    further_sweeps,
    gathered_sweeps,
    hidden_elements,
    layer_sweeps,
    loss_sweeps,
    pass_sweeps,
    update_sweeps,
)
from qmpi.planning.workload import HOST_LINK_BYTES, Speeds, Workload

FLOAT, HALF = 4, 2

FACTS_BYTES, NUMBER_BYTES = 48, 16
"""What is told of a lane, and of each loss beyond the next token's."""


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
        evaluation: measuring on held-out text and problems, spread likewise.
        offload: copies from and to the host's memory that nothing hides; the caller's.
        exchange: what ranks of a team send each other, which nothing hides; the caller's.
        waiting: for a pipeline to fill and drain, and for its slowest stage; the caller's.
    """

    products: float
    attention: float
    sweeps: float
    calls: float
    reduce: float
    apply: float
    digest: float
    snapshot: float
    evaluation: float
    offload: float = 0.0
    exchange: float = 0.0
    waiting: float = 0.0

    @property
    def lanes(self) -> float:
        """Seconds of a trainer's lanes, forward and backward."""
        return self.products + self.attention + self.sweeps + self.calls

    @property
    def total(self) -> float:
        """Seconds of a step."""
        beside = self.digest + self.snapshot + self.evaluation + self.offload
        return self.lanes + self.exchange + self.waiting + self.reduce + self.apply + beside


def engine_time(job: Workload, speeds: Speeds) -> EngineTime:
    """Return the time of a step, failures apart.

    Args:
        job: the job on its machine.
        speeds: of a trainer, alone on its core or GPU.

    Returns:
        Seconds by cause, of the trainer with the most lanes. Of a job as a position sees it, what
        it does itself; `qmpi.planning.team` adds what it waits for.
    """
    train, shape = job.settings.train, job.shape
    lanes = job.team_lanes
    crowd, tokens = crowding(job), lanes * train.microbatches * job.rows
    weights = 6 * matrices_a_token(shape)
    again = done_again(train, shape)
    scores = all_attention_flops(shape, train.sequence_tokens)
    attended = (1 + again.attention) * 3.5 * scores
    through, cached = _step(job, speeds, lanes)
    updated, muon = _update(job, speeds)
    hashed = FLOAT * job.held / train.digest_every
    copied = job.copy_bytes / job.settings.snapshot.every_steps
    calls = through.kernels + cached.kernels + updated.kernels
    return EngineTime(
        products=crowd * tokens * (weights + again.products) / speeds.products,
        attention=crowd * tokens * attended / speeds.attention,
        sweeps=crowd * (through.bytes / speeds.sweeps + cached.bytes / speeds.in_cache),
        calls=crowd * calls * speeds.call,
        reduce=_reduce(job, speeds),
        apply=crowd * (updated.bytes / speeds.sweeps + muon / speeds.products),
        digest=hashed / speeds.hashing,
        snapshot=copied / speeds.hashing,
        evaluation=crowd * evaluations(job) * evaluation_seconds(job, speeds) / job.steps,
    )


def crowding(job: Workload) -> float:
    """Return how many trainers' threads share a core; at least 1."""
    if job.on_gpus:
        return 1.0
    busy = job.counts.trainers * job.settings.train.threads / job.nodes
    return max(1.0, busy / job.machine.node.cores)


def is_compiled(job: Workload) -> bool:
    """Return whether the engine compiles the job's layers, where it finds a compiler."""
    flops = flops_per_token(job.shape, job.settings.train.sequence_tokens)
    return is_worth_compiling(job.settings.train, flops, "cuda" if job.on_gpus else "cpu")


def uses_muon(job: Workload) -> bool:
    """Return whether the matrices of the blocks are moved by Muon."""
    return job.settings.optimizer.kind == "muon"


def _step(job: Workload, speeds: Speeds, lanes: int) -> tuple[Sweeps, Sweeps]:
    """Return what a step moves but for the update: through memory, and block by block in cache."""
    train, shape, half = job.settings.train, job.shape, speeds.half
    rows, exact = job.rows, train.reduction == "exact"
    layer = layer_sweeps(shape, rows, half=half, compiled=is_compiled(job))
    swept = shape.blocks * (1 + done_again(train, shape).sweeps)
    batch = layer.times(swept) + end_sweeps(shape, rows, half=half)
    batch += further_sweeps(shape, rows, half=half)
    lost = loss_sweeps(shape, rows, half=half).times(1 + shape.further_heads)
    gathered = gathered_sweeps(shape, job.parameters, train.microbatches, half=half)
    single = half and train.microbatches == 1
    loops = is_compiled(job) and not job.on_gpus
    added = added_sweeps(shape, job.parameters, lanes, half=single, exact=exact, compiled=loops)
    once = pass_sweeps(shape, job.parameters, half=half, exact=exact, compiled=loops)
    through = (batch.times(train.microbatches) + gathered).times(lanes) + once
    cached = lost.times(train.microbatches * lanes)
    if exact and not loops:
        return through, cached + added
    return through + added, cached


def _update(job: Workload, speeds: Speeds) -> tuple[Sweeps, float]:
    """Return what a trainer moves to clip and update, and the operations of Muon's products."""
    shape, half, muon = job.shape, speeds.half, uses_muon(job)
    swept = update_sweeps(shape, job.parameters, half=half, muon=muon)
    swept = swept.times(job.held / job.parameters)
    if not muon:
        return swept, 0.0
    # Matrices that the tensor axis cuts are turned whole, each by one of all its ranks.
    ranks = job.teams * job.settings.parallel.tensor * job.holders if _shares_muon(job) else 1
    whole = job.uncut or shape
    share = muon_share(whole, ranks, on_gpus=job.on_gpus)
    return swept + direction_sweeps(whole, half=half).times(share), share * muon_flops(whole)


def _reduce(job: Workload, speeds: Speeds) -> float:
    ranks = job.teams
    if ranks == 1:
        return 0.0
    told = _told_bytes(job) + direction_bytes_told(job, speeds)
    sent = sum_bytes(job, job.held) + 2 * told * (ranks - 1) / ranks
    buffer, ring = FLOAT * job.held + told, sent / speeds.reduce
    hops = 2 * (ranks - 1) * job.machine.network.latency_us * 1e-6
    staged = 2 * buffer / HOST_LINK_BYTES if job.on_gpus else 0.0
    return ring + hops + staged


def direction_bytes_told(job: Workload, speeds: Speeds) -> int:
    """Return what trainers on CPUs tell each other of Muon's directions.

    Args:
        job: the job.
        speeds: of a trainer.
    """
    if job.on_gpus or not uses_muon(job) or not _shares_muon(job):
        return 0
    narrow = speeds.half and job.settings.train.precision != "float16"
    turned = hidden_elements(job.uncut or job.shape) * job.held // job.parameters
    return turned * (HALF if narrow else FLOAT)


def _shares_muon(job: Workload) -> bool:
    """Return whether trainers share Muon's work; where lanes send less it would travel too."""
    return sends_whole(job) or job.settings.parallel.shares_moments


def _told_bytes(job: Workload) -> int:
    """Return what travels beside the gradients: facts of lanes, needs of chunks and of rows."""
    train, shape = job.settings.train, job.shape
    rows = shape.vocab_size * shape.tables
    needs = rows + job.parameters // CHUNK if train.reduction == "exact" else 0
    told = FACTS_BYTES + NUMBER_BYTES * shape.further_heads
    return told * train.lanes + FLOAT * needs
