"""Families of models that must pass everything that a family must pass: a line for each.

Tests of the model, of training, of export and of the planner go through this list; docs/models.md
says which.
"""

from typing import NamedTuple

from qmpi.config.model import ModelSettings


class Family(NamedTuple):
    """A small model of a family.

    Attributes:
        model: its shape: three layers, and less tokens than a test's tokenizer may have.
        counterpart: class in `transformers` that loads its export; "": none does, and
            `check_export` refuses.
        divider: id of the token that ends a document where documents are masked; None: they see one
            another.
    """

    model: ModelSettings
    counterpart: str
    divider: int | None = None


def small(**fields: object) -> ModelSettings:
    """Return the smallest shape with such fields."""
    base = {"vocab_size": 320, "layers": 3, "width": 32, "heads": 4, "kv_heads": 2}
    return ModelSettings(**base | fields)  # pyright: ignore[reportArgumentType]


MIXED = {"experts": 6, "expert_width": 40, "dense_layers": 1}

FAMILIES = {
    "qwen3": Family(small(), "Qwen3ForCausalLM"),
    "llama": Family(small(qk_norm=False, tied_head=False), "LlamaForCausalLM"),
    "mistral": Family(small(qk_norm=False, window=5), "MistralForCausalLM"),
    "olmo2": Family(
        small(qk_norm_over="projection", norm_place="post", tied_head=False), "Olmo2ForCausalLM"
    ),
    "qwen3, windows": Family(small(window=5, window_pattern="wf"), "Qwen3ForCausalLM"),
    "sinks, documents": Family(small(window=5, window_pattern="wwf", sinks=2), "", 7),
    "qwen3_moe": Family(small(**MIXED), "Qwen3MoeForCausalLM"),
    "dots1": Family(
        small(**MIXED, shared_experts=1, router="sigmoid", tied_head=False), "Dots1ForCausalLM"
    ),
}
