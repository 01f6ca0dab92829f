"""Contradictions of products in float8, whose kernels want sides that are multiples of sixteen."""

from collections.abc import Iterator

from qmpi.config.settings import Settings

SIDES = 16
"""Elements: each side of a matrix that is multiplied is a multiple."""


def float8_contradictions(settings: Settings) -> Iterator[str]:
    """Say what of a job cannot be multiplied in float8.

    Args:
        settings: the job; each field legal by itself.

    Yields:
        One sentence each.
    """
    model, train = settings.model, settings.train
    if train.precision != "float8":
        return
    features = model.head_dim or model.width // model.heads
    for name, count in (
        ("model.width", model.width),
        ("model.ffn_width", model.ffn_width),
        ("model.heads x features of a head", model.heads * features),
        ("model.kv_heads x features of a head", model.kv_heads * features),
        ("train.sequence_tokens", train.sequence_tokens),
    ):
        if count % SIDES:
            yield (
                f'{name} = {count} is not a multiple of {SIDES}, which train.precision = "float8" '
                'asks for: change it, or set train.precision = "bfloat16"'
            )
    if train.compile == "on":
        yield (
            'train.compile = "on" with train.precision = "float8" is not there in this version: '
            'set train.compile = "auto"'
        )
