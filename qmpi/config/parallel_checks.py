"""Contradictions of [parallel]: what the rest of a job cannot be divided into.

What this version does not compute is refused by name. Once an axis is computed, its line in
`REFUSED` goes, and the check of that axis speaks instead.
"""

from collections.abc import Callable, Iterator, Mapping
from math import gcd

from qmpi.config.parallel import ParallelSettings, PipelineSchedule
from qmpi.config.parallel_gaps import parallel_gaps
from qmpi.config.settings import Settings
from qmpi.config.widths import expert_width, ffn_width

REFUSED: tuple[str, ...] = ()
"""Axes that must be of size 1 in this version."""

MOST_SIZE = 1024
"""Of an axis, as the job file allows."""

MOST_CHUNKS: dict[PipelineSchedule, int] = {
    "gpipe": 1,
    "1f1b": 1,
    "interleaved": MOST_SIZE,
    "zero_bubble": 2,
}

GAPS_SAY: tuple[PipelineSchedule, ...] = ("zero_bubble",)
"""Schedules of whose chunks `parallel_gaps` allows fewer still, and says so."""

MATRICES = 4
"""Of a layer, at least, that all ranks compute with: those of attention."""

SHOWN_SIZES = 8
"""Sizes that a message names at most."""


def parallel_contradictions(settings: Settings) -> Iterator[str]:
    """Say what of [parallel] cannot be.

    Args:
        settings: the job; each field legal by itself.

    Yields:
        One sentence each.
    """
    parallel = settings.parallel
    axes: dict[str, tuple[int, Callable[[Settings], Iterator[str]]]] = {
        "pipeline": (parallel.pipeline, pipeline_faults),
        "context": (parallel.context, context_faults),
        "expert": (parallel.expert, expert_faults),
        "tensor": (parallel.tensor, tensor_faults),
    }
    for axis, (size, faults) in axes.items():
        if size > 1 and axis in REFUSED:
            yield (
                f"parallel.{axis} = {size}: must be 1 in this version; each trainer holds the "
                "whole model, so use more trainers, or a smaller model"
            )
        elif size > 1:
            yield from faults(settings)
    if parallel.shard == "full":
        yield from full_faults(settings)
    if parallel.pipeline == 1:
        yield from _idle(parallel)
    if parallel.team_size > 1:
        yield from parallel_gaps(settings)


def pipeline_faults(settings: Settings) -> Iterator[str]:
    """Say why a model cannot be cut into stages, or its microbatches not pass them as asked.

    Args:
        settings: the job; `parallel.pipeline` > 1.

    Yields:
        One sentence each.
    """
    parallel, model = settings.parallel, settings.model
    stages, chunks, schedule = parallel.pipeline, parallel.chunks, parallel.schedule
    blocks = model.layers + model.predict_ahead
    if stages * chunks > blocks:
        ahead = f" + model.predict_ahead = {model.predict_ahead}" if model.predict_ahead else ""
        asked = f"parallel.pipeline = {stages}" + (
            f" x parallel.chunks = {chunks}" if chunks > 1 else ""
        )
        yield (
            f"{asked} leaves stages without a layer: there are {blocks}, model.layers = "
            f"{model.layers}{ahead}"
        )
    elif schedule == "interleaved":
        yield from _interleaved(settings)
    if chunks > MOST_CHUNKS[schedule] and schedule not in GAPS_SAY:
        yield (
            f"parallel.chunks = {chunks} is more than parallel.schedule = "
            f'"{schedule}" has a use for: {MOST_CHUNKS[schedule]}, or "interleaved"'
        )


def context_faults(settings: Settings) -> Iterator[str]:
    """Say why sequences cannot be cut into parts.

    A rank takes a piece from the front and its mirror image from the back, so that causal attention
    costs all ranks the same.

    Args:
        settings: the job; `parallel.context` > 1.

    Yields:
        One sentence each.
    """
    size, tokens = settings.parallel.context, settings.train.sequence_tokens
    if tokens % (2 * size):
        sizes = [n for n in range(1, MOST_SIZE + 1) if tokens % (2 * n) == 0]
        yield (
            f"parallel.context = {size} takes two pieces of a sequence a rank, and {2 * size} do "
            f"not divide train.sequence_tokens = {tokens}: {_would(sizes, size)}"
        )


def expert_faults(settings: Settings) -> Iterator[str]:
    """Say why experts cannot be shared out.

    Args:
        settings: the job; `parallel.expert` > 1.

    Yields:
        One sentence each.
    """
    size, model = settings.parallel.expert, settings.model
    if not model.experts:
        yield f"parallel.expert = {size} shares out experts, and model.experts = 0 is none: set 1"
        return
    numbers = {"model.experts": model.experts, "train.sequences": settings.train.sequences}
    yield from _undivided("expert", size, numbers)


def tensor_faults(settings: Settings) -> Iterator[str]:
    """Say why matrices cannot be cut into parts.

    Heads, hidden features and, between products, the tokens of a microbatch that a rank of the
    context axis has are shared out evenly; rows of the vocabulary need not be, but each rank has
    some.

    Args:
        settings: the job; `parallel.tensor` > 1.

    Yields:
        One sentence each.
    """
    size, model, train = settings.parallel.tensor, settings.model, settings.train
    numbers = {"model.heads": model.heads, "model.kv_heads": model.kv_heads}
    if not model.experts or model.dense_layers:
        numbers["model.ffn_width"] = ffn_width(model)
    if model.experts:
        numbers["model.expert_width"] = expert_width(model)
    parallel = settings.parallel
    tokens, name = (
        train.sequences * train.sequence_tokens,
        "train.sequences x train.sequence_tokens",
    )
    for axis in ("context", "expert"):
        ranks = getattr(parallel, axis)
        if ranks > 1 and tokens % ranks == 0:
            tokens, name = tokens // ranks, f"{name} / parallel.{axis}"
    numbers[f"the tokens of a microbatch, {name}"] = tokens
    yield from _undivided("tensor", size, numbers)
    if size > model.vocab_size:
        yield f"parallel.tensor = {size} is above model.vocab_size = {model.vocab_size}"


def full_faults(settings: Settings) -> Iterator[str]:
    """Say why the ranks of a team cannot share out what they compute with.

    Args:
        settings: the job; `parallel.shard` = "full".

    Yields:
        One sentence each.
    """
    parallel = settings.parallel
    axis = "context" if parallel.context > 1 else "expert"
    ranks = getattr(parallel, axis)
    if ranks == 1:
        yield (
            'parallel.shard = "full" shares out what ranks of a team compute with alike, along '
            "parallel.context or parallel.expert, and both are 1: set parallel.context to 2 or "
            'more, or parallel.shard = "optimizer"'
        )
        return
    layers = settings.model.layers // (parallel.pipeline * parallel.chunks) * parallel.chunks
    if ranks > MATRICES * layers:
        yield (
            f'parallel.shard = "full" gives each of parallel.{axis} = {ranks} ranks whole matrices '
            f"of a stage, and those of {layers} layers may be {MATRICES * layers}: set less"
        )


def _interleaved(settings: Settings) -> Iterator[str]:
    parallel, layers, train = settings.parallel, settings.model.layers, settings.train
    stages, chunks = parallel.pipeline, parallel.chunks
    if chunks == 1:
        yield (
            'parallel.schedule = "interleaved" with parallel.chunks = 1 interleaves nothing: '
            'set 2 or more, or "1f1b"'
        )
    elif layers % (stages * chunks):
        sizes = [n for n in range(2, MOST_SIZE + 1) if layers % (stages * n) == 0]
        yield (
            f"parallel.pipeline x parallel.chunks = {stages * chunks} does not divide "
            f"model.layers = {layers}: of chunks {_would(sizes, chunks)}"
        )
    if train.microbatches % stages:
        yield (
            f'parallel.schedule = "interleaved" passes microbatches in rounds of '
            f"parallel.pipeline = {stages}, which does not divide train.microbatches = "
            f"{train.microbatches}: a multiple of it, or another schedule"
        )


def _idle(parallel: ParallelSettings) -> Iterator[str]:
    usual = ParallelSettings()
    if parallel.schedule != usual.schedule:
        yield (
            f'parallel.schedule = "{parallel.schedule}" does nothing while parallel.pipeline = 1: '
            f'leave it out, or set "{usual.schedule}"'
        )
    if parallel.chunks != usual.chunks:
        yield (
            f"parallel.chunks = {parallel.chunks} does nothing while parallel.pipeline = 1: "
            f"leave it out, or set {usual.chunks}"
        )


def _undivided(axis: str, size: int, numbers: Mapping[str, int]) -> Iterator[str]:
    odd = [f"{name} = {number}" for name, number in numbers.items() if number % size]
    if odd:
        common = gcd(*numbers.values())
        sizes = [n for n in range(1, MOST_SIZE + 1) if common % n == 0]
        told = f"parallel.{axis} = {size} does not divide {', nor '.join(odd)}"
        yield f"{told}: {_would(sizes, size)}"


def _would(sizes: list[int], wanted: int) -> str:
    """Return which sizes divide, in words; of many those nearest to the wanted one."""
    near = sorted(sorted(sizes, key=lambda size: abs(size - wanted))[:SHOWN_SIZES])
    if not near:
        return "no size would"
    *most, last = map(str, near)
    return f"{', '.join(most)} or {last} would" if most else f"only {last} would"
