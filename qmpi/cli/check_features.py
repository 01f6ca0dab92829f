"""What a job has that a plain one has not: a line each for `qmpi check`, in figures.

Theory of operation. A feature that is off has no line, so a plain job is told in few. Whoever has
set a field sees here that it was understood, and what it comes to. Texts stand in the same words in
the JSON.
"""

from math import prod

from qmpi.config.attention import layer_windows
from qmpi.config.batch import BatchSettings
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.model.partition import held_shapes
from qmpi.model.shape import active_count, expert_width, layer_kinds, parameter_count
from qmpi.protocol.batch import begun_batch, first_block, lanes_at
from qmpi.protocol.teams import AXES, Layout
from qmpi.units import Step


def feature_facts(settings: Settings) -> dict[str, str]:
    """Return what a job has that is off by default.

    Args:
        settings: a checked job.

    Returns:
        Texts by name; those of features that are off are left out.
    """
    model, train = settings.model, settings.train
    told = {
        "teams": _teams(settings),
        "experts": _experts(model),
        "windows": _windows(model, train.sequence_tokens),
        "positions": _positions(model),
        "predict_ahead": _ahead(model, train.ahead_weight),
        "packing": _packing(settings),
        "document_mask": _document_mask(settings),
        "precision": _float8(train.precision),
        "offload": _offload(train.offload),
        "batch": _batch(settings),
        "noise_scale": _noise(settings.batch),
        "curriculum": _curriculum(settings),
        "guard": _guard(settings),
    }
    return {name: text for name, text in told.items() if text}


def tokens_trained(settings: Settings) -> int:
    """Return the tokens that a job trains on; the most, where lanes grow as noise or stages say.

    Args:
        settings: a checked job.
    """
    train, batch = settings.train, begun_batch(settings, Step(0), 0)
    is_open = settings.batch.grow == "noise" or "batch" in settings.curriculum.sets
    blocks = first_block(None if is_open else batch, train.steps, train.lanes)
    return blocks * _lane_tokens(settings)


def _lane_tokens(settings: Settings) -> int:
    train = settings.train
    return train.microbatches * train.sequences * train.sequence_tokens


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _teams(settings: Settings) -> str:
    parallel = settings.parallel
    if parallel.team_size == 1:
        return ""
    layout = Layout.of(parallel)
    sizes = [f"{axis} {size}" for axis, size in zip(AXES, layout.shape, strict=True) if size > 1]
    held = held_shapes(settings.model, parallel)
    counts = [sum(map(prod, shapes.values())) for shapes in held]
    schedule = f", stages by {parallel.schedule}" if parallel.pipeline > 1 else ""
    shared = ", weights shared out" if parallel.shard == "full" else ""
    least = "" if min(counts) == max(counts) else f"{min(counts):,} to "
    return (
        f"of {layout.size} ranks: {' x '.join(sizes)}{schedule}{shared}; a rank holds "
        f"{least}{max(counts):,} parameters"
    )


def _experts(model: ModelSettings) -> str:
    if not model.experts:
        return ""
    mixed = sum(kind.experts for kind in layer_kinds(model))
    every, met = parameter_count(model), active_count(model)
    shared = f" and {model.shared_experts:,} shared" if model.shared_experts else ""
    capacity = f"; at most {model.capacity_factor:g} mean loads an expert, the rest is dropped"
    return (
        f"{model.experts:,} in each of {mixed} of {_counted(model.layers, 'layer')}, "
        f"{expert_width(model):,} wide; a token meets {model.experts_per_token:,}{shared}, "
        f"{met:,} of {every:,} parameters ({100 * met / every:.0f} %)"
    ) + (capacity if model.capacity_factor else "")


def _windows(model: ModelSettings, tokens: int) -> str:
    if not model.window:
        return ""
    with_window = sum(map(bool, layer_windows(model)))
    rest = ", the others see all" if with_window < model.layers else ""
    sinks = f" and the first {model.sinks:,}" if model.sinks else ""
    idle = ""
    if model.window >= tokens:
        idle = f"; they hide nothing in sequences of {tokens:,}"
    return (
        f"{with_window} of {_counted(model.layers, 'layer')} see the last {model.window:,} tokens"
        f"{sinks}{rest}{idle}"
    )


def _positions(model: ModelSettings) -> str:
    if model.rope_scaling == "none":
        return ""
    original, factor = model.rope_original_tokens, model.rope_factor
    return f"{model.rope_scaling}: {original:,} tokens x {factor:g} = {original * factor:,.0f}"


def _ahead(model: ModelSettings, weight: float) -> str:
    if not model.predict_ahead:
        return ""
    return (
        f"{_counted(model.predict_ahead, 'token')} beyond the next, with weight {weight:g} in the "
        "loss; samples, evaluations and exports leave these blocks out"
    )


def _packing(settings: Settings) -> str:
    if settings.data.packing == "concatenate":
        return ""
    longest = settings.train.sequence_tokens
    return f"best fit: of documents up to {longest:,} tokens few are cut, and no token is padding"


def _document_mask(settings: Settings) -> str:
    if not settings.data.document_mask:
        return ""
    return "documents of a sequence do not see one another; positions begin anew with each"


def _float8(precision: str) -> str:
    if precision != "float8":
        return ""
    return "float8 in the products of layers, on GPUs that have it; as slow as float32 on a CPU"


def _offload(offload: str) -> str:
    if offload == "none":
        return ""
    return f"{offload}, where trainers have GPUs; no effect on a CPU"


def _batch(settings: Settings) -> str:
    batch = begun_batch(settings, Step(0), 0)
    if batch is None:
        return ""
    rule, most, each = settings.batch, settings.train.lanes, _lane_tokens(settings)
    first = f"{_counted(batch.lanes, 'lane')} ({batch.lanes * each:,} tokens a step)"
    rate = f"; learning rate by {rule.rate} of the lanes" if rule.rate != "none" else ""
    if "batch" in settings.curriculum.sets:
        return (
            f"from {first} to {most:,} at most, as stages are mastered; tokens count all lanes "
            f"from step 0 on{rate}"
        )
    if rule.grow == "none":
        return f"always {first} of {most:,}{rate}"
    if rule.grow == "noise":
        return (
            f"from {first} to {most:,} at most, doubled where the noise scale of "
            f"{_counted(rule.grow_steps, 'step')} is twice the batch; tokens count all lanes from "
            f"step 0 on{rate}"
        )
    last = settings.train.steps - 1
    told = f"to {most:,} ({most * each:,}) at step {rule.grow_steps:,}"
    if rule.grow_steps > last:
        told += f", after the last: {lanes_at(batch, last, most):,} at step {last:,}"
    return f"{rule.grow}: from {first} {told}{rate}"


def _curriculum(settings: Settings) -> str:
    rules = settings.curriculum
    if rules.kind == "static":
        return ""
    sets = f"; stages set {', '.join(rules.sets)}" if rules.sets else ""
    return f"weights of generated text follow the losses, every {rules.every_steps:,} steps{sets}"


def _noise(batch: BatchSettings) -> str:
    if not batch.is_measured:
        return ""
    return "measured each step, from how far lanes lie apart"


def _guard(settings: Settings) -> str:
    guard = settings.guard
    if not guard.is_on:
        return ""
    limits = [
        f"{name} {limit:g}"
        for name, limit in (("loss", guard.loss_spike), ("norm", guard.norm_spike))
        if limit
    ]
    done = {
        "skip": "its update is left out",
        "stop": "the run stops",
        "roll_back": "the run goes back",
    }
    row = f", {guard.most_in_a_row} in a row stop the run" if guard.action == "skip" else ""
    return (
        f"from step {guard.warmup_steps:,} on a step with {' or '.join(limits)} deviations above "
        f"the mean of {guard.window_steps:,} steps is a spike: {done[guard.action]}{row}"
    )
