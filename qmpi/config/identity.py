"""What makes a run the run that it is: the fields that may not change while it goes on.

Theory of operation. The weights of a run are a function of its arithmetic and its data. What
decides these is its identity; all else may differ between two starts. A refusal names each field
that differs, with both values.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from qmpi.config.settings import ModelSettings, Settings, TeamSettings

FREE = (
    "job.name, job.run_dir, initial.weights, data.prefetch_steps, the path of a source, and all of "
    "[roles], [snapshot], [failure], [monitor], [hosts] and [machine]"
)
"""What may change when a run goes on, for messages."""


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
        "model": _model(settings.model),
        "train": msgspec.to_builtins(settings.train),
        "optimizer": msgspec.to_builtins(settings.optimizer),
        "tokenizer": settings.data.tokenizer,
        # A corpus may move; its content has a digest of its own, compared when the run is opened.
        "sources": [{**source, "path": ""} for source in sources],
    }
    if settings.team.size > 1:
        # Left out otherwise: runs begun before there were teams keep their identity.
        kept["team"] = msgspec.to_builtins(settings.team)
    if settings.initial.digest:
        # Likewise; and the files may move, as those of a corpus.
        kept["initial"] = settings.initial.digest
    return kept


def _model(model: ModelSettings) -> dict[str, Any]:
    kept: dict[str, Any] = msgspec.to_builtins(model)
    if not model.head_dim:
        # Runs begun before the field was there keep their identity.
        del kept["head_dim"]
    return kept


def differences(begun: Settings, wanted: Settings) -> tuple[str, ...]:
    """Say in which fields of its identity a run differs from what is wanted of it.

    Args:
        begun: the settings that the run was begun with.
        wanted: those that it shall go on with.

    Returns:
        One entry a field, as "train.steps is 20, not 40"; empty if all agree.
    """
    there, now = dict(_fields(begun)), dict(_fields(wanted))
    return tuple(
        f"{name} is {_shown(there, name)}, not {_shown(now, name)}"
        for name in {**there, **now}
        if there.get(name) != now.get(name)
    )


def _fields(settings: Settings) -> Iterator[tuple[str, object]]:
    kept = {"team": msgspec.to_builtins(TeamSettings()), **identity(settings)}
    yield "job.seed", kept["seed"]
    for section in ("model", "train", "optimizer", "team"):
        for key, value in kept[section].items():
            yield f"{section}.{key}", value
    yield "initial.digest", kept.get("initial", "")
    yield "data.tokenizer", kept["tokenizer"]
    yield "the number of data.sources", len(kept["sources"])
    for number, source in enumerate(kept["sources"], 1):
        for key, value in source.items():
            if key != "path":
                yield f"{key} of data source {number}", value


def _shown(fields: Mapping[str, object], name: str) -> str:
    if name not in fields:
        return "not there"
    return msgspec.json.encode(fields[name]).decode()
