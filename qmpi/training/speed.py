"""How fast this machine computes a job's kinds of work: a measurement in place, under two seconds.

Theory of operation. Four kinds of work, each on tensors of the job's own sizes, forward and
backward, since small ones do not reach the rate of large ones: matrix products of a feed-forward
layer; attention; the element-by-element kernels of a layer (a norm, an activation); and the loss.
The rate of the last two is given in the bytes that they would move if each tensor passed once. Each
batch of work is timed alone, and usually the fastest counts: what else the machine does can only
slow it. With a clock of the thread's own time the figures are those of a core that it has for
itself.
"""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from qmpi.config.settings import Settings
from qmpi.model.shape import ffn_width, head_dim
from qmpi.training.precision import choose_precision

SECONDS = 0.3
"""Time given to each kind of work; the hash gets a sixth of it."""

PEAK_SECONDS = 0.05
"""Time given to the peak: it is measured while a rank warms up, and others wait for that."""

PEAK_SIZES = {"cpu": 512, "cuda": 8192}
"""Rows and columns of the matrices whose product comes near the peak of a device."""

HASHED_BYTES = 1 << 22
MOST_LOGITS = 1 << 22
MOST_ROWS = 4096
TINY = 20


class CoreSpeed(NamedTuple):
    """What a trainer's threads do.

    Attributes:
        products: FLOP/s of a feed-forward layer's products.
        attention: FLOP/s of causal attention.
        sweeps: bytes/s of element-by-element kernels in layers.
        loss: bytes/s of the loss over a row of logits.
        hashing: bytes/s of SHA-256.
        call: seconds that a kernel takes which has nothing to do.
        half: products are in bfloat16.
    """

    products: float
    attention: float
    sweeps: float
    loss: float
    hashing: float
    call: float
    half: bool


class Timer(NamedTuple):
    """How times are taken.

    Attributes:
        clock: seconds, monotonic.
        pick: which of the times of equal batches counts.
    """

    clock: Callable[[], float]
    pick: Callable[[list[float]], float]


def measure(
    settings: Settings,
    clock: Callable[[], float],
    pick: Callable[[list[float]], float] = min,
) -> CoreSpeed:
    """Measure the cores that a trainer would compute on.

    Args:
        settings: the job: its shape, its threads, its compute type.
        clock: seconds, monotonic.
        pick: which of the times of equal batches counts: the least, as on a machine that one has
            for oneself, or the median, as on a shared one.

    Returns:
        The rates.
    """
    timer = Timer(clock, pick)
    torch.set_num_threads(settings.train.threads)
    kind = choose_precision(settings.train, torch.device("cpu"))
    data = bytes(HASHED_BYTES)
    hashed = _seconds(lambda: hashlib.sha256(data), timer, SECONDS / 6)
    return CoreSpeed(
        products=_products(settings, kind, timer),
        attention=_attention(settings, kind, timer),
        sweeps=_sweeps(settings, kind, timer),
        loss=_loss(settings, kind, timer),
        hashing=HASHED_BYTES / hashed,
        call=_call(timer),
        half=kind == torch.bfloat16,
    )


def peak(kind: torch.dtype, device: torch.device, clock: Callable[[], float]) -> float:
    """Measure the most that a device multiplies: one large product of square matrices.

    Args:
        kind: type that matrices are multiplied in.
        device: where.
        clock: seconds; on a CPU those of the calling thread alone, since a core that is shared with
            others for a moment shows nothing of what it can do.

    Returns:
        FLOP/s of the fastest product, with as many threads as torch is set to.
    """
    size = PEAK_SIZES.get(device.type, PEAK_SIZES["cpu"])
    left = torch.ones(size, size, dtype=kind, device=device)
    right, out = torch.ones_like(left), torch.empty_like(left)

    def work() -> None:
        torch.mm(left, right, out=out)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return 2.0 * size**3 / _seconds(work, Timer(clock, min), PEAK_SECONDS)


def _products(settings: Settings, kind: torch.dtype, timer: Timer) -> float:
    width, hidden, rows = settings.model.width, ffn_width(settings.model), _rows(settings)
    features = torch.randn(rows, width, dtype=kind)
    weight = torch.randn(hidden, width, dtype=kind)
    gradient = torch.randn(rows, hidden, dtype=kind)

    def work() -> None:
        functional.linear(features, weight)
        torch.mm(gradient, weight)
        torch.mm(gradient.t(), features)

    return 6.0 * rows * width * hidden / _seconds(work, timer, SECONDS)


def _attention(settings: Settings, kind: torch.dtype, timer: Timer) -> float:
    model, tokens = settings.model, min(MOST_ROWS, settings.train.sequence_tokens)
    size = head_dim(model)

    def heads(count: int) -> Tensor:
        return torch.randn(1, count, tokens, size, dtype=kind).requires_grad_()

    query, key, value = heads(model.heads), heads(model.kv_heads), heads(model.kv_heads)
    grouped = model.kv_heads != model.heads

    def work() -> None:
        out = functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, enable_gqa=grouped
        )
        torch.autograd.grad(out.float().sum(), (query, key, value))

    # Causal: half of the scores; 2 products forward, 5 backward.
    flops = 3.5 * 2.0 * model.heads * size * tokens * tokens
    return flops / _seconds(work, timer, SECONDS)


def _sweeps(settings: Settings, kind: torch.dtype, timer: Timer) -> float:
    model, rows = settings.model, _rows(settings)
    width, hidden = model.width, ffn_width(model)
    stream = torch.randn(rows, width, requires_grad=True)
    scale = torch.ones(width, requires_grad=True)
    gate = torch.randn(rows, hidden, dtype=kind, requires_grad=True)
    up = torch.randn(rows, hidden, dtype=kind, requires_grad=True)

    def work() -> None:
        normed = functional.rms_norm(stream, (width,), scale, model.norm_eps)
        torch.autograd.grad(normed.sum(), (stream, scale))
        torch.autograd.grad((functional.silu(gate) * up).sum(), (gate, up))

    moved = rows * (3 * 4 * 2 * width + 3 * gate.element_size() * 5 * hidden)
    return moved / _seconds(work, timer, SECONDS)


def _loss(settings: Settings, kind: torch.dtype, timer: Timer) -> float:
    vocabulary = settings.model.vocab_size
    few = max(1, min(_rows(settings), MOST_LOGITS // vocabulary))
    logits = torch.randn(few, vocabulary, dtype=kind, requires_grad=True)
    targets = torch.zeros(few, dtype=torch.int64)

    def work() -> None:
        loss = functional.cross_entropy(logits.to(torch.float32), targets)
        torch.autograd.grad(loss, logits)

    moved = few * vocabulary * (3 * logits.element_size() + 8 * 4)
    return moved / _seconds(work, timer, SECONDS)


def _call(timer: Timer) -> float:
    tiny = torch.ones(1, requires_grad=True)

    def work() -> None:
        # One kernel forward, two backward, and the filling of the first gradient.
        for _ in range(TINY):
            torch.autograd.grad(tiny * tiny, tiny)

    return _seconds(work, timer, SECONDS / 6) / (4 * TINY)


def _rows(settings: Settings) -> int:
    return min(MOST_ROWS, settings.train.sequences * settings.train.sequence_tokens)


def _seconds(work: Callable[[], object], timer: Timer, seconds: float) -> float:
    work()
    times: list[float] = []
    started = before = timer.clock()
    while before - started < seconds:
        work()
        now = timer.clock()
        times.append(now - before)
        before = now
    return timer.pick(times)
