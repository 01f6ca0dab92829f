"""Shapes by name, from a million parameters to a million million; a name tells them within a tenth.

Sizes from 70B on that others have published keep their feed-forward widths (Llama 2 and 3.1).
Up to 13M the vocabulary is that of "builtin:python", up to 350M that of "builtin:content".
"""

from qmpi.config.model import ModelSettings

SMALL, MIDDLE, LARGE = 4096, 32_768, 131_072
"""Rows of the embedding."""


def _shape(layers: int, width: int, heads: int, kv_heads: int, rows: int) -> ModelSettings:
    return ModelSettings(
        layers=layers,
        width=width,
        heads=heads,
        kv_heads=kv_heads,
        vocab_size=rows,
        # A head of its own would be a large share of a small model.
        tied_head=width <= 2048,
    )


SIZES: dict[str, ModelSettings] = {
    "1M": _shape(6, 96, 3, 1, SMALL),
    "4M": _shape(4, 256, 4, 2, SMALL),
    "13M": _shape(7, 384, 6, 2, SMALL),
    "60M": _shape(16, 512, 8, 2, MIDDLE),
    "125M": _shape(16, 768, 12, 3, MIDDLE),
    "350M": _shape(28, 1024, 16, 4, MIDDLE),
    "1B": _shape(16, 2048, 16, 4, LARGE),
    "3B": _shape(34, 2560, 20, 4, LARGE),
    "7B": _shape(32, 4096, 32, 8, LARGE),
    "13B": _shape(42, 5120, 40, 8, LARGE),
    "30B": _shape(60, 6656, 52, 4, LARGE),
    "70B": ModelSettings(
        layers=80, width=8192, heads=64, kv_heads=8, ffn_width=28_672, vocab_size=LARGE,
        tied_head=False,
    ),
    "180B": _shape(114, 12_288, 96, 8, LARGE),
    "400B": ModelSettings(
        layers=126, width=16_384, heads=128, kv_heads=8, ffn_width=53_248, vocab_size=LARGE,
        tied_head=False,
    ),
    "1T": _shape(150, 25_600, 200, 8, LARGE),
}  # fmt: skip
"""Shape by name, smallest first."""
