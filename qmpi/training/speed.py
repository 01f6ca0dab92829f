"""How fast this machine computes a job's kinds of work: a measurement in place, under two seconds.

Theory of operation. The engine's own parts run on tensors of the job's sizes, forward and backward,
since small ones do not reach the rate of large ones: the matrix products of a layer; attention; a
whole layer; and what turns logits into their gradient, block by block in
the cache. What a layer takes beyond its products, its
attention and the calls of its kernels are its sweeps; so their rate holds for data that the parts
before have pushed out of the cache. The rates of sweeps and of the loss are in bytes as
`qmpi.planning.sweeps` counts them. Layers are measured as they run without a compiler.

Each batch of work is timed alone, and usually the fastest counts: what else the machine does can
only slow it. With a clock of the thread's own time the figures are those of a core that it has for
itself.
"""

import hashlib
from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple, cast

import torch
from msgspec.structs import replace
from torch import Tensor
from torch.nn import functional

from qmpi.config.attention import keys_twice, layer_windows
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.model.fused.cross_entropy import ROWS, Loss
from qmpi.model.layer import LayerWeights, attention, choose_kernels, make_layers, merged_names
from qmpi.model.plain import Positions
from qmpi.model.shape import head_dim, is_matrix, layer_kinds, layer_shapes
from qmpi.planning.shape import hidden_features, layer_matrices, shape_of
from qmpi.planning.sweeps import Sweeps, layer_sweeps, loss_sweeps
from qmpi.training.precision import choose_precision

SECONDS = 0.3
"""Time given to each kind of work; the hash gets a sixth of it."""

PEAK_SECONDS = 0.05
"""Time given to the peak: it is measured while a rank warms up, and others wait for that."""

PEAK_SIZES = {"cpu": 512, "cuda": 8192}
"""Rows and columns of the matrices whose product comes near the peak of a device."""

HASHED_BYTES = 1 << 22
MOST_ROWS = 4096
MOST_WORK = 2e10
"""Operations of a batch of products at most, but for so few rows that they would be slow."""

LEAST_ROWS = 128
LEAST_SHARE = 0.05
"""Of a layer's time that its sweeps take: measured times scatter, and large products hide them."""

TINY = 20
CPU = torch.device("cpu")


class CoreSpeed(NamedTuple):
    """What a trainer's threads do.

    Attributes:
        products: FLOP/s of a layer's products.
        attention: FLOP/s of causal attention.
        sweeps: bytes/s of what a layer does beside these.
        in_cache: bytes/s of turning a block of logits into their gradient.
        hashing: bytes/s of SHA-256.
        call: seconds that a kernel takes which has nothing to do.
        half: products are in bfloat16.
    """

    products: float
    attention: float
    sweeps: float
    in_cache: float
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
    kind, data = choose_precision(settings.train, CPU), bytes(HASHED_BYTES)
    work = Sample(stand_in(settings.model), *_batch(settings), kind)
    hashed = _seconds(lambda: hashlib.sha256(data), timer, SECONDS / 6)
    call = _call(timer)
    products, attention = (
        _seconds(part, timer, SECONDS) for part in (work.products(), work.attention())
    )
    layer = _seconds(work.layer(), timer, SECONDS)
    swept = work.sweeps()
    rest = layer - products - attention - swept.kernels * call
    return CoreSpeed(
        products=work.product_flops / products,
        attention=work.attention_flops / attention,
        sweeps=swept.bytes / max(rest, LEAST_SHARE * layer),
        in_cache=_in_cache(settings, kind, timer),
        hashing=HASHED_BYTES / hashed,
        call=call,
        half=kind != torch.float32,
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


def _merged_shapes(model: ModelSettings) -> dict[str, tuple[int, ...]]:
    """Return the shape of each field of a layer's weights; empty: it lacks the field."""
    kind = layer_kinds(model)[0]
    shapes = layer_shapes(model, kind)
    merged: dict[str, tuple[int, ...]] = {}
    for field, names in merged_names(model, kind).items():
        rows = sum(shapes[name][0] for name in names)
        merged[field] = (rows, *shapes[names[0]][1:]) if names else ()
    return merged


class Sample:
    """Work of one layer of the job, on tensors of its sizes."""

    def __init__(self, model: ModelSettings, batch: int, tokens: int, kind: torch.dtype) -> None:
        """Take the sizes.

        Args:
            model: its shape.
            batch: sequences.
            tokens: of each.
            kind: type that matrices are multiplied in.
        """
        self._model, self._batch, self._tokens, self._kind = model, batch, tokens, kind
        self._rows, self._head = batch * tokens, head_dim(model)
        self._kernels = choose_kernels(CPU, tokens, compiled=False)
        self._positions = Positions.of(model, tokens, CPU)
        self._fields = _merged_shapes(model)
        self._shapes = [shape for shape in self._fields.values() if shape and is_matrix(shape)]
        self.product_flops = 6.0 * self._rows * sum(map(prod, self._shapes))
        window, sinks = layer_windows(model)[0], model.sinks
        self._attend = attention(self._kernels, window, sinks)
        # Causal: half of the scores; counted as 2 products forward, 5 backward.
        seen = keys_twice(tokens, window, sinks)
        self.attention_flops = 3.5 * 2.0 * model.heads * self._head * seen * self._rows

    def sweeps(self) -> Sweeps:
        """Return what the layer does beside products and attention."""
        half = self._kind != torch.float32
        return layer_sweeps(shape_of(self._model), self._rows, half=half, compiled=False)

    def products(self) -> Callable[[], None]:
        """Return what multiplies, forward and backward."""
        sides = [
            tuple(self._random(*shape) for shape in ((self._rows, i), (o, i), (self._rows, o)))
            for o, i in self._shapes
        ]

        def work() -> None:
            for features, weight, gradient in sides:
                functional.linear(features, weight)
                torch.mm(gradient, weight)
                torch.mm(gradient.t(), features)

        return work

    def attention(self) -> Callable[[], None]:
        """Return what attends, forward and backward."""
        counts = (self._model.heads, self._model.kv_heads, self._model.kv_heads)
        query, key, value = (
            self._random(self._batch, self._tokens, count, self._head).requires_grad_()
            for count in counts
        )
        gradient = torch.ones_like(query)

        def work() -> None:
            seen = self._attend(query, key, value, self._positions)
            torch.autograd.grad(_end(seen, gradient), (query, key, value))

        return work

    def layer(self) -> Callable[[], None]:
        """Return what computes a whole layer, forward and backward."""
        layer = make_layers(self._model, self._batch, self._kernels)[0]
        stream = torch.randn(self._rows, self._model.width, requires_grad=True)
        gradient, weights = torch.ones_like(stream), self._weights()
        leaves = [stream, *(tensor for tensor in weights if tensor is not None)]

        def work() -> None:
            made = layer(stream, self._positions, weights)
            torch.autograd.grad(_end(made, gradient), leaves)

        return work

    def _weights(self) -> LayerWeights:
        def made(shape: tuple[int, ...]) -> Tensor | None:
            if not shape:
                return None
            values = self._random(*shape).mul_(0.02) if is_matrix(shape) else torch.ones(shape)
            return values.requires_grad_()

        fields: dict[str, Any] = {field: made(shape) for field, shape in self._fields.items()}
        return LayerWeights(**fields)

    def _random(self, *shape: int) -> Tensor:
        return torch.randn(*shape, dtype=self._kind)


class _End(torch.autograd.Function):
    """A scalar whose backward pass begins with a gradient that is given.

    torch loads a library of symbols, half a second's work, to look at a gradient that it is told.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, gradient: Tensor) -> Tensor:  # noqa: ANN401
        """Keep the gradient.

        Returns:
            Zero.
        """
        ctx.gradient = gradient
        return values.new_zeros(())

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        """Return it."""
        return ctx.gradient, None


def _end(values: Tensor, gradient: Tensor) -> Tensor:
    return cast("Tensor", _End.apply(values, gradient))


def stand_in(model: ModelSettings) -> ModelSettings:
    """Return a dense model whose layers multiply a token as often as a model's do on average.

    Args:
        model: dense, or with experts.
    """
    if not model.experts:
        return model
    return replace(model, experts=0, ffn_width=round(hidden_features(shape_of(model))))


def _batch(settings: Settings) -> tuple[int, int]:
    """Return sequences of a batch and tokens of each: those of a microbatch, if not too many."""
    train = settings.train
    matrices = 6 * layer_matrices(shape_of(settings.model), active=True)
    most = min(MOST_ROWS, max(LEAST_ROWS, int(MOST_WORK / matrices)))
    tokens = min(train.sequence_tokens, most)
    return max(1, min(train.sequences, most // tokens)), tokens


def _in_cache(settings: Settings, kind: torch.dtype, timer: Timer) -> float:
    train, vocabulary = settings.train, settings.model.vocab_size
    rows = min(ROWS, train.sequences * train.sequence_tokens)
    loss = Loss(rows, vocabulary, kind, CPU)
    logits, targets = torch.randn(rows, vocabulary, dtype=kind), torch.zeros(rows, dtype=torch.long)
    moved = loss_sweeps(shape_of(settings.model), rows, half=kind != torch.float32).bytes
    return moved / _seconds(lambda: loss.to_errors(logits, targets), timer, SECONDS)


def _call(timer: Timer) -> float:
    tiny = torch.ones(1, requires_grad=True)

    def work() -> None:
        # One kernel forward, two backward, and the filling of the first gradient.
        for _ in range(TINY):
            torch.autograd.grad(tiny * tiny, tiny)

    return _seconds(work, timer, SECONDS / 6) / (4 * TINY)


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
