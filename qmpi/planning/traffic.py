"""What ranks of a team send each other in a step: bytes and operations along each axis, and time.

Theory of operation. The formulas are those of docs/decisions/0052, 0055 and 0056, of what this
version does: everything goes by gloo, through host memory on GPUs, and nothing hides it. Ranks of a
team lie on hosts as `qmpi.policy.placement` lays them, tensor neighbours next to each other: an
axis whose ranks lie on one node runs at the rate of a core's time, one that leaves it at that of
the node's adapters, which the ranks there share.
"""

from collections.abc import Iterator

from msgspec import Struct

from qmpi.planning.engine_time import direction_bytes_told
from qmpi.planning.rates import Rates, links
from qmpi.planning.shape import Shape, expert_elements
from qmpi.planning.sweeps import table_elements
from qmpi.planning.workload import GLOO_BYTES, HOST_LINK_BYTES, Speeds, Workload

FLOAT, HALF = 4, 2

CALL_SECONDS = 2.5e-4
"""An operation of gloo with little to send: a round figure, not measured."""

AXES = ("tensor", "expert", "context", "pipeline")
"""Of a team, innermost first."""


class Traffic(Struct, frozen=True, kw_only=True):
    """What one rank does along one axis in a step.

    Attributes:
        axis: its name.
        inner: ranks of the axes inside it.
        size: ranks of the axis.
        bytes: that the rank sends in the lanes, which a pipeline waits for.
        calls: operations of these.
        summed_bytes: that it sends behind the lanes: sums of what is common, and directions.
    """

    axis: str
    inner: int
    size: int
    bytes: float
    calls: int
    summed_bytes: float = 0.0


def traffic(job: Workload, speeds: Speeds) -> tuple[Traffic, ...]:
    """Return what a position sends within its team in a step.

    Args:
        job: the job as the position sees it.
        speeds: of a trainer.

    Returns:
        One entry for each axis of more than one rank, innermost first.
    """
    parallel = job.settings.parallel
    makers = {"tensor": _tensor, "expert": _expert, "context": _context, "pipeline": _pipeline}
    found: list[Traffic] = []
    inner = 1
    for axis in AXES:
        size = getattr(parallel, axis)
        if size > 1:
            sent, calls, summed = makers[axis](job, speeds, size)
            found.append(
                Traffic(
                    axis=axis, inner=inner, size=size, bytes=sent, calls=calls, summed_bytes=summed
                )
            )
        inner *= size
    return tuple(found)


def lane_seconds(job: Workload, along: tuple[Traffic, ...]) -> float:
    """Return the time that a position sends and receives while it computes its lanes.

    Args:
        job: the job as the position sees it.
        along: from `traffic`.
    """
    return sum(_seconds(job, one, one.bytes, one.calls) for one in along)


def sum_seconds(job: Workload, along: tuple[Traffic, ...]) -> float:
    """Return the time of sums within the team behind the lanes; arguments as of `lane_seconds`."""
    return sum(_seconds(job, one, one.summed_bytes, 4) for one in along if one.summed_bytes)


def _seconds(job: Workload, one: Traffic, sent: float, calls: int) -> float:
    latency = 0.0 if _is_inside(job, one) else job.machine.network.latency_us * 1e-6
    staged = 2 * sent / HOST_LINK_BYTES if job.on_gpus else 0.0
    return sent / rate(job, one) + staged + calls * (CALL_SECONDS + (one.size - 1) * latency)


def rate(job: Workload, one: Traffic) -> float:
    """Return the bytes a second that a rank sends along an axis.

    Args:
        job: the job.
        one: from `traffic`.
    """
    across = links(job.machine, Rates()).across
    if _is_inside(job, one) or not across:
        return GLOO_BYTES
    if not job.on_gpus:
        # The machine file tells of the node: all its ranks share that.
        across *= max(1, job.machine.node.gpus) / job.places
    return min(GLOO_BYTES, across)


def _is_inside(job: Workload, one: Traffic) -> bool:
    return job.nodes == 1 or one.inner * one.size <= job.places


def _size(speeds: Speeds) -> int:
    return HALF if speeds.half else FLOAT


def _again(job: Workload) -> int:
    """Return how often a layer's way forward is done again."""
    return int(job.settings.train.checkpointing == "full")


def _tensor(job: Workload, speeds: Speeds, size: int) -> tuple[float, int, float]:
    """Return bytes, calls, summed bytes: rows gathered before each half of a layer, and back."""
    shape, share = job.shape, (size - 1) / size
    passes, stream = 8 + 4 * _again(job), job.rows * shape.width * _size(speeds) * share
    ends = 2 * (shape.has_embedding + shape.has_head)
    # A router takes its features in float32, and gives their gradient so.
    wide = _mixed_layers(shape) * 2 * (FLOAT / _size(speeds) - 1)
    many = job.team_microbatches
    calls = round(many * (passes * shape.layers + ends + shape.has_head))
    vectors = shape.layers * shape.plain_vectors * shape.width + shape.width * shape.has_head
    common = FLOAT * (vectors + _mixed_layers(shape) * shape.width * _scored(shape))
    whole = 2 * direction_bytes_told(job, speeds)
    return (
        many * stream * (passes * shape.layers + ends + wide),
        calls,
        2 * share * (common + whole),
    )


def _context(job: Workload, speeds: Speeds, size: int) -> tuple[float, int, float]:
    """Return the same: keys and values are gathered, sums of their gradients scattered."""
    shape, many = job.shape, job.team_microbatches
    passes = 2 + _again(job)
    # Of the keys of whole sequences a rank sends its own to each of the others.
    sent = passes * (size - 1) * 2 * job.rows * shape.key * _size(speeds)
    calls = many * shape.layers * passes * 2
    if job.shared_axis == "context":
        lent, brought = lent_traffic(job, speeds)
        return many * shape.layers * sent + lent, calls + brought, 0.0
    return many * shape.layers * sent, calls, 2 * (size - 1) / size * FLOAT * job.parameters


def _expert(job: Workload, speeds: Speeds, size: int) -> tuple[float, int, float]:
    """Return the same: tokens go to their experts and back, their gradients likewise."""
    shape, many, layers = job.shape, job.team_microbatches, _mixed_layers(job.shape)
    active = 0 if shape.experts is None else shape.experts.active
    moved = job.rows * active * (size - 1) / size
    ways = 4 + 2 * _again(job)
    sent = moved * (ways * shape.width * _size(speeds) + 2 * FLOAT) + 8 * _scored(shape)
    sent, calls = many * layers * sent, round(many * layers * (ways + 1))
    if job.shared_axis == "expert":
        lent, brought = lent_traffic(job, speeds)
        return sent + lent, calls + brought, 0.0
    common = FLOAT * (job.parameters - expert_elements(shape)) / job.holders
    return sent, calls, 2 * (size - 1) / size * common


def lent_traffic(job: Workload, speeds: Speeds) -> tuple[float, int]:
    """Return bytes and calls of a rank that shares out with others what they compute with.

    A layer's weights are brought for its forward and for its backward pass, those of the ends once
    a step; gradients go to their holders once a lane, in float32 if they are sums of microbatches.

    Args:
        job: the job as the position sees it.
        speeds: of a trainer.
    """
    shape, share, many = job.shape, (job.holders - 1) / job.holders, job.team_microbatches
    single = job.settings.train.microbatches == 1
    ends = FLOAT * table_elements(shape)
    of_layers = job.lent - table_elements(shape)
    brought = 2 * many * of_layers * _size(speeds) + ends
    given = job.team_lanes * job.lent * (_size(speeds) if single else FLOAT)
    calls = 2 * many * shape.layers + job.team_lanes + 1
    return share * (brought + given), round(calls)


def _pipeline(job: Workload, speeds: Speeds, _size_of: int) -> tuple[float, int, float]:
    """Return the same: activations go up the chain in float32, their gradients down."""
    shape, many = job.shape, job.team_microbatches
    chunks = job.settings.parallel.chunks
    stream = FLOAT * job.rows / shape.row_shares * shape.width
    # A chunk in the middle sends on, and back: each end of the chain has one of both.
    sends = 2 * chunks - shape.has_embedding - shape.has_head
    lent = table_elements(shape) * shape.tied_head * shape.has_embedding * _size(speeds)
    given = shape.borrows_head * shape.vocab_size * shape.width * FLOAT * job.team_lanes
    return many * sends * stream + lent + given, many * 2 * sends, 0.0


def _mixed_layers(shape: Shape) -> int:
    return 0 if shape.experts is None else shape.layers - shape.experts.dense_layers


def _scored(shape: Shape) -> int:
    return 0 if shape.experts is None else shape.experts.scored


def told(along: tuple[Traffic, ...]) -> Iterator[tuple[str, float]]:
    """Yield the axes with the bytes that a rank sends along each in a step.

    Args:
        along: from `traffic`.
    """
    for one in along:
        yield one.axis, one.bytes + one.summed_bytes
