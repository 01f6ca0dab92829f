"""How far a model sees, in the words of `config.json`: windows and scaled positions, out and in.

Theory of operation. A window of `transformers` counts the query's own token, as ours does. Its
Qwen3 has a kind for each layer; its Mistral has the window in all layers, its Llama and its OLMo 2
in none. None has sinks, a bound of logits or a mask between documents: what computes something else
is refused. Positions are scaled by the same formulas, with their usual constants.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from qmpi.config.attention import layer_windows
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.errors import InputError

Fields = Mapping[str, Any]

_SLIDING, _FULL = "sliding_attention", "full_attention"

_USUAL: dict[str, dict[str, Any]] = {
    "linear": {},
    "llama3": {"low_freq_factor": 1.0, "high_freq_factor": 4.0},
    "yarn": {"beta_fast": 32.0, "beta_slow": 1.0, "truncate": True},
}
"""Constants of each kind of scaling, as `transformers` takes them where they are absent, or as the
models have them that it is made for."""

_NAMED = frozenset(
    {"rope_type", "type", "rope_theta", "factor", "original_max_position_embeddings"}
)


def check_export(settings: Settings) -> None:
    """Refuse to export what the models of `transformers` do not compute.

    Args:
        settings: the job.

    Raises:
        InputError: names the field.
    """
    model = settings.model
    behind = model.norm_place == "post"
    over_all = model.qk_norm and model.qk_norm_over == "projection"
    lacking = {
        'model.norm_place = "post" without model.qk_norm_over = "projection"': (
            behind and not over_all
        ),
        'model.qk_norm_over = "projection" without model.norm_place = "post"': (
            over_all and not behind
        ),
        f'model.window = {model.window} with model.norm_place = "post"': bool(
            behind and model.window
        ),
        f"model.sinks = {model.sinks}": bool(model.window and model.sinks),
        f"model.logit_softcap = {model.logit_softcap:g}": bool(model.logit_softcap),
        f"model.window_pattern = {model.window_pattern!r} without model.qk_norm": (
            not model.qk_norm and 0 < sum(map(bool, layer_windows(model))) < model.layers
        ),
    }
    for field, lacks in lacking.items():
        if lacks:
            raise InputError(
                f"{field} has no counterpart in the models of transformers (Qwen3, Llama, "
                "Mistral, OLMo 2); this run cannot be exported. `qmpi sample` and `qmpi evaluate` "
                "work"
            )


def window_fields(model: ModelSettings) -> dict[str, Any]:
    """Return what says which layers have a window.

    Args:
        model: its shape, with a window.
    """
    windows = layer_windows(model)
    if not model.qk_norm:
        return {"sliding_window": model.window}
    return {
        "use_sliding_window": True,
        "sliding_window": model.window,
        # For releases that read this alone, right where full layers come first.
        "max_window_layers": next((n for n, w in enumerate(windows) if w), model.layers),
        "layer_types": [_SLIDING if window else _FULL for window in windows],
    }


def rope_fields(model: ModelSettings) -> dict[str, Any]:
    """Return what says how positions are turned."""
    if model.rope_scaling == "none":
        return {"rope_type": "default", "rope_theta": model.rope_theta}
    return {
        "rope_type": model.rope_scaling,
        "rope_theta": model.rope_theta,
        "factor": model.rope_factor,
        "original_max_position_embeddings": model.rope_original_tokens,
        **_USUAL[model.rope_scaling],
    }


def read_windows(said: Fields, path: Path) -> dict[str, Any]:
    """Return the fields of [model] for the windows of a model.

    Args:
        said: fields of its `config.json`.
        path: of that file, for messages.

    Returns:
        Fields; none if no layer has a window.

    Raises:
        InputError: names what cannot be represented.
    """
    window, layers = said.get("sliding_window"), said["num_hidden_layers"]
    kinds = said.get("layer_types")
    windowed = window is not None and said.get("use_sliding_window", True) is not False
    if kinds is None:
        free = said.get("max_window_layers", 28) if said["model_type"] == "qwen3" else 0
        if type(free) is not int:
            raise InputError(unlike(path, "max_window_layers", free))
        kinds = [_SLIDING if windowed and n >= free else _FULL for n in range(layers)]
    known = isinstance(kinds, list) and all(kind in (_SLIDING, _FULL) for kind in kinds)
    if not known or (_SLIDING in kinds and (len(kinds) != layers or not windowed)):
        raise InputError(unlike(path, "layer_types", kinds))
    if said["model_type"] == "mistral" and windowed and _FULL in kinds:
        raise InputError(unlike(path, "layer_types", kinds))
    if _SLIDING not in kinds or said["model_type"] in ("llama", "olmo2"):
        return {}
    if type(window) is not int or window < 1:
        raise InputError(unlike(path, "sliding_window", window))
    letters = "".join("w" if kind == _SLIDING else "f" for kind in kinds)
    return {"window": window, "window_pattern": _shortest(letters)}


def _shortest(letters: str) -> str:
    """Return the shortest pattern that repeats to these letters; empty if all are windows."""
    if "f" not in letters:
        return ""
    count = len(letters)
    sizes = (n for n in range(1, count + 1) if (letters[:n] * count)[:count] == letters)
    return letters[: next(sizes)]


def read_rope(said: Fields, path: Path) -> dict[str, Any]:
    """Return the fields of [model] for the positions of a model.

    Args:
        said: fields of its `config.json`.
        path: of that file, for messages.

    Returns:
        Fields.

    Raises:
        InputError: names what cannot be represented.
    """
    theta: Any = said.get("rope_theta")
    found: dict[str, Any] = {}
    for name in ("rope_scaling", "rope_parameters"):
        rope = said.get(name)
        if rope is None:
            continue
        if not isinstance(rope, dict):
            raise InputError(unlike(path, name, rope))
        found = _scaled(rope, said, name, path) or found
        theta = rope.get("rope_theta", theta)
    theta = 10000.0 if theta is None else theta
    if isinstance(theta, bool) or not isinstance(theta, int | float):
        raise InputError(f"{path}: rope_theta = {spelled(theta)}; it must be a number")
    try:
        return {**found, "rope_theta": float(theta)}
    except OverflowError as error:
        raise InputError(unlike(path, "rope_theta", theta)) from error


def _scaled(rope: Fields, said: Fields, name: str, path: Path) -> dict[str, Any]:
    kind = rope.get("rope_type", rope.get("type", "default"))
    if rope.get("partial_rotary_factor", 1.0) != 1.0:
        raise InputError(unlike(path, name, rope))
    if kind == "default":
        return {}
    if not isinstance(kind, str) or kind not in _USUAL:
        raise InputError(unlike(path, name, rope))
    usual = _USUAL[kind]
    for field, value in rope.items():
        if field in _NAMED or field == "partial_rotary_factor":
            continue
        if field not in usual or value not in (usual[field], None):
            raise InputError(unlike(path, name, rope))
    if kind == "llama3" and not usual.keys() <= rope.keys():
        raise InputError(unlike(path, name, rope))
    factor: Any = rope.get("factor")
    original: Any = rope.get("original_max_position_embeddings", said["max_position_embeddings"])
    fits = type(factor) in (int, float) and type(original) is int
    if not fits or not 1.0 < factor <= 1024.0 or not 0 < original <= 1 << 20:
        raise InputError(unlike(path, name, rope))
    return {
        "rope_scaling": kind,
        "rope_factor": float(factor),
        "rope_original_tokens": original,
    }


def unlike(path: Path, name: str, value: object) -> str:
    """Return the words for a field of `config.json` that cannot be represented."""
    return f"{path}: {name} = {spelled(value)} cannot be represented by qmpi's model"


def spelled(value: object) -> str:
    """Return a value as the file spells it, cut where it is long."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."


def beyond_text(settings: Settings, longest: object) -> str:
    """Say that a job trains weights from elsewhere on longer sequences than they were trained on.

    Args:
        settings: the job.
        longest: `max_position_embeddings` of the model that it begins with, whatever stands there;
            None: not known.

    Returns:
        A warning for people, with both numbers and the way out; "" if there is nothing to warn of.
    """
    tokens = settings.train.sequence_tokens
    is_scaled = settings.model.rope_scaling != "none"
    if is_scaled or type(longest) is not int or not 0 < longest < tokens:
        return ""
    return (
        f"WARNING: train.sequence_tokens = {tokens}, but the model in {settings.initial.weights} "
        f"was made for sequences of {longest} (its max_position_embeddings): positions behind "
        f'that are new to its weights. Set model.rope_scaling, as "yarn", with '
        f"model.rope_factor = {-(-tokens // longest)} and model.rope_original_tokens = {longest}, "
        "or train.sequence_tokens to that; without, the weights must learn these positions"
    )
