"""Mixtures of experts in the words of Hugging Face's `config.json`: Qwen3-MoE and dots1.

Theory of operation. A router with "softmax" and no shared experts is Qwen3-MoE's: same names, same
arithmetic, but no bias, so all biases must be 0. One with "sigmoid" and shared experts is dots1's,
bias and all. Names of parameters in their files are ours. Other combinations train, and no program
that we know of loads them; they are refused before a byte is written.
"""

from collections.abc import Mapping
from typing import Any

from qmpi.config.model import ModelSettings
from qmpi.config.widths import expert_width

QWEN, DOTS = "qwen3_moe", "dots1"

ABSENT: dict[str, dict[str, Any]] = {
    QWEN: {
        "num_key_value_heads": 4,
        "head_dim": None,
        "use_sliding_window": False,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "moe_intermediate_size": 768,
        "norm_topk_prob": False,
        "decoder_sparse_step": 1,
        "mlp_only_layers": None,
    },
    DOTS: {
        "num_key_value_heads": None,
        "head_dim": None,
        "sliding_window": None,
        "n_routed_experts": None,
        "n_shared_experts": None,
        "num_experts_per_tok": None,
        "moe_intermediate_size": 1408,
        "norm_topk_prob": False,
        "first_k_dense_replace": 0,
        "routed_scaling_factor": 1.0,
        "n_group": 1,
        "topk_group": 1,
    },
}
"""What `transformers` takes an absent field for, by kind of model."""

ONLY: dict[str, dict[str, tuple[Any, ...]]] = {
    QWEN: {"norm_topk_prob": (True,), "decoder_sparse_step": (1,)},
    DOTS: {
        "norm_topk_prob": (True,),
        "routed_scaling_factor": (1, 1.0),
        "n_group": (1, None),
        "topk_group": (1, None),
    },
}
"""Values of fields that this model has."""

COUNTS: dict[str, tuple[str, ...]] = {
    QWEN: ("num_experts", "num_experts_per_tok", "moe_intermediate_size"),
    DOTS: (
        *("n_routed_experts", "n_shared_experts", "num_experts_per_tok"),
        "moe_intermediate_size",
    ),
}
"""Fields that must be numbers from 1 on."""


def other_names(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields that releases from 5 on write by another name, by the one that we read.

    Args:
        said: fields of `config.json`.

    Returns:
        Fields by our name for them.
    """
    if said["model_type"] == QWEN and "num_local_experts" in said:
        return {"num_experts": said.get("num_experts", said["num_local_experts"])}
    return {}


def why_not(model: ModelSettings) -> str:
    """Say why no program loads a mixture of experts; empty: one does.

    Args:
        model: its shape.

    Returns:
        What stands in the way.
    """
    if not model.experts:
        return ""
    if not model.qk_norm:
        return "model.qk_norm = false: both kinds of mixtures that others load have these norms"
    if model.router == "softmax" and model.shared_experts:
        return (
            'shared experts beside model.router = "softmax", which Qwen3-MoE has not: such a model '
            'is trained with router = "sigmoid", as dots1'
        )
    if model.router == "sigmoid" and not model.shared_experts:
        return (
            'model.router = "sigmoid" without shared experts, which dots1 always has: such a model '
            "is trained with shared_experts of 1 or more"
        )
    return ""


def mixture_config(model: ModelSettings) -> dict[str, Any]:
    """Return what `config.json` says of a mixture of experts beyond what a dense model says.

    Args:
        model: its shape; `why_not` is empty.

    Returns:
        Fields; they take the place of those of a dense model.
    """
    said: dict[str, Any] = {
        "num_experts_per_tok": model.experts_per_token,
        "moe_intermediate_size": expert_width(model),
        "norm_topk_prob": True,
        "output_router_logits": False,
    }
    if model.router == "softmax":
        return said | {
            "model_type": QWEN,
            "architectures": ["Qwen3MoeForCausalLM"],
            "num_experts": model.experts,
            "decoder_sparse_step": 1,
            "mlp_only_layers": list(range(model.dense_layers)),
            "router_aux_loss_coef": 0.0,
        }
    return said | {
        "model_type": DOTS,
        "architectures": ["Dots1ForCausalLM"],
        "n_routed_experts": model.experts,
        "n_shared_experts": model.shared_experts,
        "first_k_dense_replace": model.dense_layers,
        "routed_scaling_factor": 1.0,
        "n_group": 1,
        "topk_group": 1,
        "sliding_window": None,
        "layer_types": ["full_attention"] * model.layers,
    }


def mixture_name(model: ModelSettings) -> str:
    """Return what `transformers` calls a mixture of experts."""
    return "Qwen3-MoE" if model.router == "softmax" else "dots1"


def mixture_fields(said: Mapping[str, Any]) -> dict[str, Any] | str:
    """Return the fields of [model] that make a mixture of experts.

    Args:
        said: fields of `config.json`, absent ones filled in; counts are numbers.

    Returns:
        Values by name; or the name of a field that cannot be represented.
    """
    if said["model_type"] == QWEN:
        dense = said["mlp_only_layers"] or []
        if not isinstance(dense, list) or sorted(dense) != list(range(len(dense))):
            return "mlp_only_layers"
        return {
            "experts": said["num_experts"],
            "experts_per_token": said["num_experts_per_tok"],
            "expert_width": said["moe_intermediate_size"],
            "dense_layers": len(dense),
        }
    dense = said["first_k_dense_replace"] or 0
    if type(dense) is not int or dense < 0:
        return "first_k_dense_replace"
    return {
        "experts": said["n_routed_experts"],
        "experts_per_token": said["num_experts_per_tok"],
        "shared_experts": said["n_shared_experts"],
        "expert_width": said["moe_intermediate_size"],
        "dense_layers": dense,
        "router": "sigmoid",
    }
