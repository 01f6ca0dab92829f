"""Contradictions between the fields of [model] that make a mixture of experts."""

from collections.abc import Iterator

from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings


def expert_contradictions(settings: Settings) -> Iterator[str]:
    """Say what of a mixture of experts cannot be.

    Args:
        settings: the job; each field legal by itself.

    Yields:
        One sentence each.
    """
    model = settings.model
    if not model.experts:
        yield from _without(model)
        return
    if model.experts < 2:
        yield "model.experts = 1 leaves a router nothing to choose: 2 or more, or 0 for none"
    if model.experts_per_token > model.experts:
        yield (
            f"model.experts_per_token = {model.experts_per_token} is more than "
            f"model.experts = {model.experts}"
        )
    if model.dense_layers >= model.layers:
        yield (
            f"model.dense_layers = {model.dense_layers} leaves none of model.layers = "
            f"{model.layers} for experts: fewer, or model.experts = 0"
        )
    if model.norm_place != "pre":
        yield (
            f'model.norm_place = "{model.norm_place}" is not there for models with experts in this '
            'version: "pre", or model.experts = 0'
        )
    train = settings.train
    for name, value, other in (
        ("precision", train.precision, "float16"),
        ("precision", train.precision, "float8"),
        ("masters", train.masters, "bfloat16"),
    ):
        if value == other:
            yield f'train.{name} = "{other}" is not there for models with experts in this version'
    if train.checkpointing != "none":
        yield (
            f'train.checkpointing = "{train.checkpointing}" would count loads of experts twice: '
            '"none" where model.experts is not 0'
        )
    if 0.0 < model.capacity_factor < 1.0:
        yield (
            f"model.capacity_factor = {model.capacity_factor:g} drops tokens however even the "
            "loads: 1 or more, or 0 for no limit"
        )


def _without(model: ModelSettings) -> Iterator[str]:
    if model.shared_experts:
        yield (
            f"model.shared_experts = {model.shared_experts} stands beside experts, and "
            "model.experts = 0: 2 or more of these, or model.shared_experts = 0"
        )
