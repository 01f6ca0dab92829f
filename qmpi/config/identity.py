"""What makes a run the run that it is: the fields that may not change while it goes on.

Theory of operation. The weights of a run are a function of its arithmetic and its data. What
decides these is its identity; all else may differ between two starts. A refusal names each field
that differs, with both values.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from qmpi.config.batch import BatchSettings
from qmpi.config.guard import NO_GUARD, GuardSettings
from qmpi.config.optimizer import OptimizerSettings, derived_warmup
from qmpi.config.parallel import ParallelSettings
from qmpi.config.settings import Settings

FREE = (
    "job.name, job.run_dir, initial.weights, train.compile, train.checkpointing, "
    "train.checkpoint_every, train.offload, data.prefetch_steps, the path of a "
    "source, evaluation.every_steps, evaluation.tokens, evaluation.problems, "
    "batch.noise_scale, batch.halve_microbatches, parallel.shard (but not to or from full), "
    "and all of [roles], [snapshot], "
    "[failure], [monitor], [hosts], [memory] and [machine]; of [curriculum] the stages, and all "
    "while it is static; and, "
    "with `qmpi train --resume RUN --set ...`, which writes down at which step, train.steps, "
    "[optimizer], [guard] and [batch]"
)
"""What may change when a run goes on, for messages."""

HOW_COMPUTED = frozenset({"compile", "checkpointing", "checkpoint_every", "offload"})
"""Fields of [train] that change no bit, or whose bits the identity of the arithmetic tells."""

LATER: dict[str, frozenset[str]] = {
    "model": frozenset(
        {
            *("head_dim", "qk_norm_over", "norm_place"),
            *("window", "window_pattern", "sinks", "logit_softcap"),
            *("rope_scaling", "rope_factor", "rope_original_tokens"),
            *("experts", "experts_per_token", "shared_experts", "expert_width", "dense_layers"),
            *("router", "capacity_factor", "balance_rate", "router_z_loss"),
            "predict_ahead",
        }
    ),
    "train": frozenset(
        {
            *("masters", "ahead_weight", "reduction_bits", "compression"),
            *("compression_share", "compression_warmup", "compression_rank"),
        }
    ),
    "optimizer": frozenset(),
    "guard": frozenset({"back_steps", "most_roll_backs"}),
}
"""Fields of each section that runs of older versions do not have. At its default such a field is no
part of an identity, so that these runs keep theirs."""

TOLD_STAGES = ("progression", "stages")
"""Settings of the curriculum that are no part of an identity."""

_WARMUP = "optimizer.warmup_steps"

FREE_OF_BATCH = ("noise_scale", "halve_microbatches")
"""Settings of the batch that are no part of an identity: that noise is measured decides nothing,
and that microbatches are halved is a record of the journal."""

LAYOUT = ("kind",)
"""Settings of the optimizer that give the state its layout, and so never change; a version may lack
some."""


def identity(settings: Settings) -> dict[str, Any]:
    """Return what is hashed to the identity of a run.

    Args:
        settings: a job.

    Returns:
        Plain values.
    """
    sources: list[dict[str, Any]] = msgspec.to_builtins(settings.data.sources)
    kept: dict[str, Any] = {
        "seed": settings.job.seed,
        "model": _kept("model", settings.model),
        # Whether layers are compiled is in the identity of the arithmetic, which the journal keeps.
        "train": {
            name: value
            for name, value in _kept("train", settings.train).items()
            if name not in HOW_COMPUTED
        },
        "optimizer": _kept("optimizer", settings.optimizer),
        "tokenizer": settings.data.tokenizer,
        # A corpus may move; its content has a digest of its own, compared when the run is opened.
        "sources": [_source(source) for source in sources],
    }
    if settings.parallel.team_size > 1:
        # Left out otherwise: runs begun before there were teams keep their identity.
        kept["parallel"] = _layout(settings.parallel)
    if settings.evaluation.held_out:
        # As with teams: what was begun with nothing held out stays what it was.
        kept["held_out"] = settings.evaluation.held_out
    if settings.data.packing != "concatenate":
        # Likewise.
        kept["packing"] = settings.data.packing
    if settings.data.document_mask:
        # Likewise.
        kept["document_mask"] = True
    if settings.data.recipes:
        # Likewise.
        kept["recipes"] = msgspec.to_builtins(settings.data.recipes)
    if settings.curriculum.kind != "static":
        # Stages tell and change nothing.
        kept["curriculum"] = {
            name: value
            for name, value in msgspec.to_builtins(settings.curriculum).items()
            if name not in TOLD_STAGES
        }
    if settings.initial.digest:
        # Likewise; and the files may move, as those of a corpus.
        kept["initial"] = settings.initial.digest
    if settings.guard.is_on:
        kept["guard"] = _kept("guard", settings.guard)
    if not settings.batch.is_fixed:
        kept["batch"] = {
            name: value
            for name, value in msgspec.to_builtins(settings.batch).items()
            if name not in FREE_OF_BATCH
        }
    return kept


def _source(source: dict[str, Any]) -> dict[str, Any]:
    # At their default families are left out: runs of older versions have none.
    kept = {key: value for key, value in source.items() if key != "families" or value}
    return {**kept, "path": ""}


def _layout(parallel: ParallelSettings) -> dict[str, int | str]:
    """Return what says which part of the state lies at which position of a team."""
    # Left out otherwise: where teams alone share something out, positions hold what they held.
    shard = {"shard": parallel.shard} if parallel.shard == "full" else {}
    return {
        **shard,
        "pipeline": parallel.pipeline,
        "context": parallel.context,
        "expert": parallel.expert,
        "tensor": parallel.tensor,
        "chunks": parallel.chunks,
    }


def _kept(section: str, settings: msgspec.Struct) -> dict[str, Any]:
    defaults: dict[str, Any] = msgspec.to_builtins(type(settings)())
    return {
        name: value
        for name, value in msgspec.to_builtins(settings).items()
        if name not in LATER[section] or value != defaults[name]
    }


def with_hyperparameters(
    settings: Settings,
    steps: int,
    optimizer: OptimizerSettings,
    guard: GuardSettings = NO_GUARD,
    batch: BatchSettings | None = None,
) -> Settings:
    """Return a job with other hyperparameters, as far as they may change while a run goes on.

    Args:
        settings: the job.
        steps: length of the run.
        optimizer: section [optimizer]; what gives the state its layout is left as the job has it.
        guard: section [guard].
        batch: section [batch]; None: as in a job that says nothing of it. What of it is no
            part of an identity is left as the job has it.

    Returns:
        The job; equal in identity to the one that a run was begun with if nothing else differs and
        these are what it was begun with.
    """
    fields = {f.name for f in msgspec.structs.fields(optimizer)}
    laid_out = {name: getattr(settings.optimizer, name) for name in LAYOUT if name in fields}
    return replace(
        settings,
        train=replace(settings.train, steps=steps),
        optimizer=replace(optimizer, **laid_out),
        guard=guard,
        batch=replace(
            batch or BatchSettings(),
            **{name: getattr(settings.batch, name) for name in FREE_OF_BATCH},
        ),
    )


def ending_at(settings: Settings, steps: int) -> Settings:
    """Return a job that ends at a step.

    Args:
        settings: the job.
        steps: > 0. Unlike one that was read from a file, the job may end within its warm-up.
    """
    return replace(settings, train=replace(settings.train, steps=steps))


def differences(begun: Settings, wanted: Settings) -> tuple[str, ...]:
    """Say in which fields of its identity a run differs from what is wanted of it.

    Args:
        begun: the settings that the run was begun with.
        wanted: those that it shall go on with.

    Returns:
        One entry a field, as "train.steps is 20, not 40"; empty if all agree.
    """
    there, now = dict(_fields(begun)), dict(_fields(wanted))
    told = {
        name: f"{name} is {_shown(begun, there, name)}, not {_shown(wanted, now, name)}"
        for name in {**there, **now}
        if there.get(name) != now.get(name)
    }
    if "parallel.shard" in told:
        # An identity tells "full" alone apart; what was asked for is said as it was.
        was, asked = begun.parallel.shard, wanted.parallel.shard
        told["parallel.shard"] = f'parallel.shard is "{was}", not "{asked}"'
    warmups = [settings.optimizer.warmup_steps for settings in (begun, wanted)]
    if "train.steps" in told and _WARMUP in told and all(map(_is_derived, (begun, wanted))):
        # Nobody set it: it follows the steps.
        del told[_WARMUP]
        told["train.steps"] += f" (so the warm-up is {warmups[0]} steps, not {warmups[1]})"
    return tuple(told.values())


def _is_derived(settings: Settings) -> bool:
    return settings.optimizer.warmup_steps == derived_warmup(settings.train.steps)


def _fields(settings: Settings) -> Iterator[tuple[str, object]]:
    kept: dict[str, Any] = {
        "parallel": _layout(ParallelSettings()),
        "held_out": 0.0,
        "packing": "concatenate",
        "document_mask": False,
        "recipes": (),
        **identity(settings),
    }
    kept["parallel"] = {"shard": "none", **kept["parallel"]}
    yield "job.seed", kept["seed"]
    for section in ("model", "train", "optimizer", "parallel"):
        for key, value in kept[section].items():
            yield f"{section}.{key}", value
    yield "initial.digest", kept.get("initial", "")
    for section in ("guard", "batch", "curriculum"):
        for key, value in kept.get(section, {}).items():
            yield f"{section}.{key}", value
    yield "data.tokenizer", kept["tokenizer"]
    yield "data.packing", kept["packing"]
    yield "data.document_mask", kept["document_mask"]
    yield "data.recipes", kept["recipes"]
    yield "evaluation.held_out", kept["held_out"]
    yield "the number of data.sources", len(kept["sources"])
    for number, source in enumerate(kept["sources"], 1):
        for key, value in source.items():
            if key != "path":
                yield f"{key} of data source {number}", value


def _shown(settings: Settings, fields: Mapping[str, object], name: str) -> str:
    if name in fields:
        return msgspec.json.encode(fields[name]).decode()
    # At their defaults fields that came later are left out of an identity.
    section, _, key = name.partition(".")
    value: object = getattr(getattr(settings, section, None), key, None)
    return "not there" if value is None else msgspec.json.encode(value).decode()
