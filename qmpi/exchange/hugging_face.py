"""A model's shape in the words of Hugging Face's `config.json`, out and in.

Theory of operation. The transformer is Qwen3's: same parameters, same names, same arithmetic; with
`qk_norm` off it is Llama's, or Mistral's where all layers have a window; with norms behind it is
OLMo 2's; of experts `mixtures` knows. So going out is a table of names. Coming in, a field that
changes what the model computes and has no counterpart here is refused by name: weights that are
read as another model are worse than none. A field that is absent means what `transformers` takes it
for.
"""

from pathlib import Path
from typing import Any

import msgspec

from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.widths import ffn_width
from qmpi.errors import InputError, QmpiError
from qmpi.exchange.mixtures import (
    ABSENT,
    COUNTS,
    ONLY,
    mixture_config,
    mixture_fields,
    mixture_name,
    other_names,
)
from qmpi.exchange.reach import (
    Fields,
    beyond_text,
    read_rope,
    read_windows,
    rope_fields,
    spelled,
    unlike,
    window_fields,
)
from qmpi.model.shape import head_dim
from qmpi.storage.os_errors import explained, require_file

CONFIG = "config.json"

_KINDS: dict[str, dict[str, Any]] = {
    "qwen3": {"num_key_value_heads": 32, "head_dim": 128, "use_sliding_window": False},
    "llama": {"num_key_value_heads": None, "head_dim": None},
    "mistral": {"num_key_value_heads": 8, "head_dim": None, "sliding_window": 4096},
    "olmo2": {"num_key_value_heads": None, "head_dim": None, "rms_norm_eps": 1e-5},
    **ABSENT,
}
"""What `transformers` takes an absent field for, by kind of model."""

_MEANS: dict[str, dict[str, Any]] = {
    "llama": {"qk_norm": False},
    "mistral": {"qk_norm": False},
    "olmo2": {"qk_norm_over": "projection", "norm_place": "post"},
}
"""Fields of [model] that the kind of model alone says."""

_COMMON: dict[str, Any] = {
    "hidden_act": "silu",
    "attention_bias": False,
    "mlp_bias": False,
    "tie_word_embeddings": False,
    "rms_norm_eps": 1e-6,
    "initializer_range": 0.02,
    "max_position_embeddings": 2048,
}

_NEEDED = (
    *("vocab_size", "num_hidden_layers", "hidden_size", "num_attention_heads"),
    "intermediate_size",
)

_ONLY: dict[str, tuple[Any, ...]] = {
    "hidden_act": ("silu", "swish"),
    "attention_bias": (False, None),
    "mlp_bias": (False, None),
    "quantization_config": (None,),
    "partial_rotary_factor": (None, 1, 1.0),
    "auto_map": (None,),
}
"""Values of fields that this model has; an absent field has the first."""


def family_name(model: ModelSettings) -> str:
    """Return what `transformers` calls the family that computes what a model computes.

    Args:
        model: its shape.

    Returns:
        The family; of a dense model its class is called so, with "ForCausalLM" behind.
    """
    if model.experts:
        return mixture_name(model)
    if model.norm_place == "post":
        return "Olmo2"
    if model.qk_norm:
        return "Qwen3"
    return "Mistral" if model.window else "Llama"


def model_config(
    model: ModelSettings, sequence_tokens: int, end: int, dtype: str
) -> dict[str, Any]:
    """Return what `config.json` says of a model.

    Args:
        model: its shape.
        sequence_tokens: length of the sequences that it was trained on.
        end: id of the token that ends a document.
        dtype: of its weights, "float32" or "bfloat16".

    Returns:
        Fields of the family that `family_name` names.
    """
    name = family_name(model)
    kind: dict[str, Any] = {"model_type": name.lower(), "architectures": [f"{name}ForCausalLM"]}
    if not model.qk_norm:
        kind["mlp_bias"] = False
    if name == "Olmo2":
        # Absent it is 1, and a token that pads gets no gradient.
        kind["pad_token_id"] = None
    if model.window:
        kind |= window_fields(model)
    return {
        **kind,
        "vocab_size": model.vocab_size,
        "hidden_size": model.width,
        "intermediate_size": ffn_width(model),
        "num_hidden_layers": model.layers,
        "num_attention_heads": model.heads,
        "num_key_value_heads": model.kv_heads,
        "head_dim": head_dim(model),
        "hidden_act": "silu",
        "rms_norm_eps": model.norm_eps,
        "initializer_range": model.init_std,
        "tie_word_embeddings": model.tied_head,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "max_position_embeddings": sequence_tokens,
        # Releases before 5 read the first, later ones the second.
        "rope_theta": model.rope_theta,
        "rope_parameters": rope_fields(model),
        "use_cache": True,
        "bos_token_id": None,
        "eos_token_id": end,
        "dtype": dtype,
        **(mixture_config(model) if model.experts else {}),
    }


def read_config(directory: Path) -> Fields:
    """Read a model's `config.json`.

    Args:
        directory: of the model.

    Returns:
        Its fields.

    Raises:
        InputError: there is none, or it is no JSON object.
        StorageError: it cannot be read.
    """
    path = directory / CONFIG
    with explained("read the model", path):
        if not directory.is_dir():
            raise InputError(f"{directory} is not a directory with a model")
        if not path.exists():
            raise InputError(f"{directory} holds no {CONFIG}: it is not a Hugging Face model")
        require_file(path)
        data = path.read_bytes()
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is no JSON object ({error})") from error


def initial_warning(settings: Settings) -> str:
    """Say what is doubtful about a job that begins with a model.

    Args:
        settings: the job.

    Returns:
        A warning for people; "" if there is nothing to warn of, or `config.json` does not lie
        beside the weights any more.
    """
    weights = Path(settings.initial.weights)
    if not settings.initial.weights:
        return ""
    try:
        fields = read_config(weights if weights.is_dir() else weights.parent)
    except QmpiError:
        return ""  # only the weights are needed, and those are checked before the start
    return beyond_text(settings, fields.get("max_position_embeddings"))


def model_settings(fields: Fields, path: Path) -> ModelSettings:
    """Return the [model] section that computes what a model computes.

    Args:
        fields: of its `config.json`.
        path: of that file, for messages.

    Returns:
        The section.

    Raises:
        InputError: a field cannot be represented; names it.
    """
    kind = fields.get("model_type")
    if not isinstance(kind, str) or kind not in _KINDS:
        known = ", ".join(_KINDS)
        raise InputError(f"{path}: model_type = {spelled(kind)}; this version reads {known}")
    said = {**_COMMON, **_KINDS[kind], **fields, **other_names(fields)}
    _refuse(said, path)
    heads, width = said["num_attention_heads"], said["hidden_size"]
    given = said["head_dim"]
    found: dict[str, Any] = {
        "vocab_size": said["vocab_size"],
        "layers": said["num_hidden_layers"],
        "width": width,
        "heads": heads,
        "kv_heads": heads if said["num_key_value_heads"] is None else said["num_key_value_heads"],
        "head_dim": 0 if given is None or given * heads == width else given,
        "ffn_width": said["intermediate_size"],
        "tied_head": said["tie_word_embeddings"],
        **_MEANS.get(kind, {}),
        **read_rope(said, path),
        "norm_eps": said["rms_norm_eps"],
        "init_std": said["initializer_range"],
    }
    if kind in ABSENT:
        found |= _mixture(said, path)
    # Windows are told layer by layer: their number is to be one that there can be.
    _converted(found, path)
    return _converted(found | read_windows(said, path), path)


def _converted(found: dict[str, Any], path: Path) -> ModelSettings:
    try:
        return msgspec.convert(found, ModelSettings)
    except msgspec.ValidationError as error:
        raise InputError(f"{path} describes a model that qmpi has not: {error}") from error


def _mixture(said: Fields, path: Path) -> dict[str, Any]:
    found = mixture_fields(said)
    if isinstance(found, str):
        raise InputError(unlike(path, found, said[found]))
    return found


def _refuse(said: Fields, path: Path) -> None:
    kind = said["model_type"]
    for name in (*_NEEDED, *COUNTS.get(kind, ())):
        if type(said.get(name)) is not int or said[name] < 1:
            raise InputError(f"{path}: {name} = {spelled(said.get(name))}; it must be a number")
    for name in ("num_key_value_heads", "head_dim"):
        if said[name] is not None and (type(said[name]) is not int or said[name] < 1):
            raise InputError(f"{path}: {name} = {spelled(said[name])}; it must be a number")
    for name, values in {**_ONLY, **ONLY.get(kind, {})}.items():
        if said.get(name, values[0]) not in values:
            raise InputError(unlike(path, name, said[name]))
