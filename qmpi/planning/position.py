"""What one position of a team holds and does, counted as `qmpi.model.partition` cuts it.

Theory of operation. A rank of a team computes with a narrower model: its heads, hidden features and
rows of the vocabulary, the layers of its stage, its experts. So a job of a position is the job with
that shape, and all that is counted of a trainer is counted of it. Ranks that differ along tensor,
expert or context hold as much as each other, but for a row of the vocabulary; the first of them
hold the most. Stages differ, and are looked at one by one: of those alike the earliest counts,
which keeps the most microbatches.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from qmpi.config.model import ModelSettings
from qmpi.config.parallel import ParallelSettings
from qmpi.planning.pipelines import kept_chunks
from qmpi.planning.shape import Experts, Shape, shape_of
from qmpi.planning.workload import Workload
from qmpi.protocol.pipeline.actions import Chain


def stage_layers(layers: int, parallel: ParallelSettings, stage: int) -> tuple[int, ...]:
    """Return the numbers of the layers of a stage.

    Args:
        layers: of the model.
        parallel: how ranks share it.
        stage: 0 <= stage < parallel.pipeline.
    """
    chain = Chain(parallel.pipeline, parallel.chunks, 1)
    places = (chain.place(stage, chunk) for chunk in range(parallel.chunks))
    return tuple(number for place in places for number in _run(layers, chain.places, place))


def shape_at(model: ModelSettings, parallel: ParallelSettings, stage: int) -> Shape:
    """Return the shape of what the first position of a stage holds.

    Args:
        model: section of the job file.
        parallel: how ranks share it; legal.
        stage: 0 <= stage < parallel.pipeline.

    Returns:
        The shape; that of the whole model for a team of one rank.
    """
    whole, layers = shape_of(model), stage_layers(model.layers, parallel, stage)
    is_last, shares = stage == parallel.pipeline - 1, parallel.tensor
    return replace(
        whole,
        layers=len(layers),
        heads=whole.heads // shares,
        kv_heads=whole.kv_heads // shares,
        ffn_width=whole.ffn_width // shares,
        vocab_size=-(-whole.vocab_size // shares),
        experts=_experts(whole.experts, parallel, layers),
        further_heads=whole.further_heads * is_last,
        windows=tuple(whole.windows[number] for number in layers) if whole.windows else (),
        has_embedding=stage == 0,
        has_head=is_last,
        row_shares=shares,
    )


def at_stage(job: Workload, stage: int) -> Workload:
    """Return a job as the first position of a stage sees it.

    Args:
        job: the whole job.
        stage: 0 <= stage < parallel.pipeline.
    """
    model, parallel = job.settings.model, job.settings.parallel
    if parallel.team_size == 1:
        return job
    uncut = shape_at(model, replace(parallel, tensor=1), stage) if parallel.tensor > 1 else None
    return replace(
        job,
        shape=shape_at(model, parallel, stage),
        uncut=uncut,
        kept_microbatches=kept_chunks(parallel, stage, job.team_microbatches) / parallel.chunks,
    )


def stages_apart(job: Workload) -> Iterator[tuple[Workload, int]]:
    """Yield a job as each stage sees it, of stages alike the first, and how many they are.

    Args:
        job: the whole job.
    """
    model, parallel = job.settings.model, job.settings.parallel
    if parallel.pipeline == 1:
        yield at_stage(job, 0), 1
        return
    found: dict[tuple[object, ...], list[int]] = {}
    for stage in range(parallel.pipeline):
        layers = stage_layers(model.layers, parallel, stage)
        dense = sum(number < model.dense_layers for number in layers) if model.experts else 0
        ends = (stage == 0, stage == parallel.pipeline - 1)
        found.setdefault((len(layers), dense, *ends), []).append(stage)
    for first, *others in found.values():
        yield at_stage(job, first), 1 + len(others)


def _experts(
    experts: Experts | None, parallel: ParallelSettings, layers: tuple[int, ...]
) -> Experts | None:
    """Return the experts of a rank; None if no layer of its stage has any."""
    if experts is None:
        return None
    dense = sum(number < experts.dense_layers for number in layers)
    if dense == len(layers):
        return None
    held = experts.number // parallel.expert
    return replace(
        experts,
        number=held,
        elsewhere=experts.number - held,
        width=experts.width // parallel.tensor,
        dense_layers=dense,
    )


def _run(count: int, parts: int, number: int) -> range:
    """Return a part of a run that is dealt as evenly as can be, larger parts first."""
    share, rest = divmod(count, parts)
    start = number * share + min(number, rest)
    return range(start, start + share + (number < rest))
