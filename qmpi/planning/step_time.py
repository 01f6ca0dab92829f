"""Time of a step of any layout on GPUs: a roofline with exposed communication and the bubble.

Theory of operation. A token passes a layer of one stage in the time that its products take at the
attainable rate, plus its attention, plus its bytes through the GPU's memory (norms, activations,
residuals, casts), plus what communication cannot hide behind them. The slowest stage sets the pace;
the pipeline fills and drains by its bubble. Then the gradient is reduced, as far as the last
backward pass did not hide it, and the optimizer sweeps over its share of the state.

Hidden communication is not free: while it lasts it occupies `carriers` of the GPU.

Bytes of the sweeps are counted from what a fused implementation reads and writes; latencies of
collective operations are added where their number is large.
"""

from math import ceil

from msgspec import Struct

from qmpi.planning.layout import Layout
from qmpi.planning.rates import Links
from qmpi.planning.shape import (
    Shape,
    attention_flops,
    ffn_matrices,
    further_matrices,
    head_matrix,
    hidden_features,
    layer_matrices,
    parameters,
)

HALF = 2
"""Bytes of an activation, and of a weight that is multiplied."""

FLOAT = 4
"""Bytes of a gradient that is summed, a master weight and a moment."""

OPTIMIZER_BYTES = 30
"""Read gradient, master and moments, write the last three and the half-precision weight."""

HEAD_BYTES = 26
"""A logit in half and single precision, read and written by the loss and its backward."""

SCORE_FORWARD, SCORE_BACKWARD = 13, 20
"""Bytes a score, where attention keeps scores: softmax, mask and dropout, read and written."""

CAST_BYTES = 6
"""A value cast to FP8: read for its scale, read again, written in two layouts."""

FLASH_BACKWARD = 2.5
"""Backward of fused attention in forward passes: five products against two."""

FORWARD_AGAIN = {"none": 0.0, "attention": 0.0, "half": 0.5, "full": 1.0}


class StepTime(Struct, frozen=True, kw_only=True):
    """Seconds of a step by cause.

    Attributes:
        products: matrix products of layers and head.
        attention: scores and sums.
        sweeps: bytes through memory, optimizer apart.
        exposed: communication along tensor, context, expert and pipeline axes that is not hidden.
        bubble: waiting for the pipeline to fill and drain, and for its slowest stage.
        gradient: data-axis communication that is not hidden, and what the hidden part occupies.
        optimizer: its sweep.
        utilisation: share of the bfloat16 peak, by the operations of `flops_per_token`.
    """

    products: float
    attention: float
    sweeps: float
    exposed: float
    bubble: float
    gradient: float
    optimizer: float

    @property
    def total(self) -> float:
        """Seconds of the step."""
        busy = self.products + self.attention + self.sweeps
        return busy + self.exposed + self.bubble + self.gradient + self.optimizer


class _Cost(Struct, frozen=True, kw_only=True):
    """Seconds by cause, of one token on one rank of a stage."""

    products: float = 0.0
    attention: float = 0.0
    sweeps: float = 0.0
    exposed: float = 0.0

    @property
    def total(self) -> float:
        return self.products + self.attention + self.sweeps + self.exposed

    def times(self, factor: float) -> "_Cost":
        return _Cost(
            products=self.products * factor,
            attention=self.attention * factor,
            sweeps=self.sweeps * factor,
            exposed=self.exposed * factor,
        )

    def plus(self, other: "_Cost") -> "_Cost":
        return _Cost(
            products=self.products + other.products,
            attention=self.attention + other.attention,
            sweeps=self.sweeps + other.sweeps,
            exposed=self.exposed + other.exposed,
        )


def step_time(shape: Shape, layout: Layout, at: Links) -> StepTime:
    """Return the time of a step.

    Args:
        shape: of the model.
        layout: over GPUs.
        at: the machine.

    Returns:
        Seconds by cause.
    """
    layer, head = _layer(shape, layout, at), _head(shape, layout, at)
    ours = layout.microbatch_tokens
    work = layer.times(shape.layers / layout.pipeline).plus(head.times(1 / layout.pipeline))
    slowest = _slowest(shape, layout, layer.total, head.total) * ours
    steps, passes = layout.microbatches, _bubble(layout)
    bubble = slowest * (steps + passes) - work.total * ours * steps
    gradient = _gradient(shape, layout, at, slowest)
    state = parameters(shape) / (layout.tensor * layout.pipeline)
    share = state / (layout.data * layout.context if layout.sharded != "none" else 1)
    done = work.times(ours * steps)
    return StepTime(
        products=done.products,
        attention=done.attention,
        sweeps=done.sweeps,
        exposed=done.exposed,
        bubble=bubble,
        gradient=gradient,
        optimizer=share * OPTIMIZER_BYTES / at.memory,
    )


def _layer(shape: Shape, layout: Layout, at: Links) -> _Cost:
    again = FORWARD_AGAIN[layout.recompute]
    rate = at.fp8 if layout.precision == "fp8" else at.products
    weights = layer_matrices(shape, active=True) / layout.tensor
    products = 2 * weights * (3 + again) / rate
    attention = _attention_seconds(shape, layout, at)
    sweeps = _sweep_bytes(shape, layout) / at.memory
    seen, hidden = _travel(shape, layout, at)
    busy = products + attention + sweeps
    # What is hidden slows what hides it, and shows where it lasts longer than that.
    slowed = busy + at.carriers * min(hidden, busy)
    exposed = seen + max(slowed, hidden) - busy
    return _Cost(products=products, attention=attention, sweeps=sweeps, exposed=exposed)


def _attention_seconds(shape: Shape, layout: Layout, at: Links) -> float:
    once = attention_flops(shape, layout.sequence_tokens) / layout.tensor
    again = 1.0 if layout.recompute in {"attention", "full"} else 0.0
    if layout.flash:
        return once * (1 + FLASH_BACKWARD + again) / at.attention
    # Without fusion the masked half is computed too, and every score passes through memory.
    scores = shape.heads * layout.sequence_tokens / layout.tensor
    moved = scores * (SCORE_FORWARD * (1 + again) + SCORE_BACKWARD)
    return 2 * once * (3 + again) / at.attention + moved / at.memory


def _sweep_bytes(shape: Shape, layout: Layout) -> float:
    """Return the bytes that one token of a layer moves through memory, attention's apart."""
    width, hidden = shape.width, hidden_features(shape)
    passes = 3 + FORWARD_AGAIN[layout.recompute]
    stream = HALF * width * (2 * 2 + 2 * 3) + (10 * width if layout.dropout else 0)
    shared = HALF * (2 * (shape.query + shape.key) + (3 if shape.gated else 2) * hidden)
    spread = 1 if layout.dropout else layout.tensor
    moved = passes * (stream / spread + shared / layout.tensor)
    if shape.experts is not None:
        moved += passes * HALF * 4 * shape.experts.active * width
    if layout.precision == "fp8":
        inputs = 2 * width + shape.value + hidden
        grads = shape.query + 2 * shape.key + 2 * width + (2 if shape.gated else 1) * hidden
        moved += CAST_BYTES * (inputs + grads) / layout.tensor
    return moved


def _travel(shape: Shape, layout: Layout, at: Links) -> tuple[float, float]:
    """Return the seconds that one token's bytes travel a layer: those seen, those hidden."""
    seen = hidden = 0.0
    passes = 2 + (1 if layout.recompute == "full" else 0)
    if layout.tensor > 1:
        share = (layout.tensor - 1) / layout.tensor
        seconds = passes * 4 * share * HALF * shape.width / at.over(1, layout.tensor)
        # Products are cut in as many pieces as there are ranks; the first piece waits.
        part = 1 / layout.tensor if "tensor" in layout.hides else 1.0
        seen, hidden = seen + seconds * part, hidden + seconds * (1 - part)
    if layout.context > 1:
        share = layout.context - 1
        moved = (passes + 1) * 2 * share * HALF * shape.key / layout.tensor
        hidden += moved / at.over(layout.tensor, layout.context)
    if shape.experts is not None and layout.expert > 1:
        reach = min(shape.experts.active, shape.experts.most_nodes or shape.experts.active)
        moved = 2 * reach * shape.width * (HALF + (1 if layout.precision == "fp8" else HALF))
        hidden += moved / at.across
    return seen, hidden


def _head(shape: Shape, layout: Layout, at: Links) -> _Cost:
    heads = 1 + shape.further_heads
    extra = further_matrices(shape, active=True)
    products = 6 * (heads * head_matrix(shape) + extra) / layout.tensor / at.products
    sweeps = heads * HEAD_BYTES * shape.vocab_size / layout.tensor / at.memory
    return _Cost(products=products, sweeps=sweeps)


def _slowest(shape: Shape, layout: Layout, layer: float, head: float) -> float:
    """Return the seconds of a token in the slowest stage."""
    stages = layout.pipeline
    if stages == 1:
        return shape.layers * layer + head
    if layout.schedule == "dualpipe":
        # Each rank holds a stage from either end, so the head's load is shared with an early one.
        return (shape.layers * layer + head) / stages
    most = ceil(shape.layers / stages)
    if shape.layers % stages == 0:
        return most * layer + head
    ends = (shape.layers - most * (stages - 2)) / 2
    return max(most * layer, ends * layer + head)


def _bubble(layout: Layout) -> float:
    """Return the passes of a microbatch through a stage that a rank waits in a step."""
    stages = layout.pipeline
    if layout.schedule == "dualpipe":
        # (PP/2 - 1)(F&B + B - 3W) with B = 2F and W = F, in units of F + B.
        return max(0.0, stages / 2 - 1) * 2 / 3
    return (stages - 1) / layout.interleaved


def _gradient(shape: Shape, layout: Layout, at: Links, slowest: float) -> float:
    """Return what reducing gradients and handing out weights adds to a step."""
    ranks = layout.data * layout.context
    if ranks == 1:
        return 0.0
    inner, share = layout.tensor * layout.pipeline, (ranks - 1) / ranks
    ours = _reduced_parameters(shape, layout)
    times = layout.microbatches if layout.sharded == "all" else 1.0
    gathers = 2 * HALF if layout.sharded == "all" else HALF
    summed = HALF if layout.sharded == "all" or layout.dropout else FLOAT
    seconds = times * share * ours * (gathers + summed) / at.over(inner, ranks)
    if "data" not in layout.hides:
        return seconds
    # The last backward pass and the next forward one hide it; with shards, each pass does.
    window = slowest * times
    hidden = min(seconds, window)
    return seconds - hidden + at.carriers * hidden


def _reduced_parameters(shape: Shape, layout: Layout) -> float:
    """Return the parameters of one rank that the data axis reduces."""
    whole = parameters(shape)
    if shape.experts is None:
        return whole / (layout.tensor * layout.pipeline)
    experts = shape.experts
    mixed = (shape.layers - experts.dense_layers) * experts.number
    routed = mixed * ffn_matrices(shape, experts.width)
    return ((whole - routed) / layout.tensor + routed / layout.expert) / layout.pipeline
