"""What checkpointed layers spare in memory, and what they do again for it.

Theory of operation. A checkpointed layer keeps its input, and with "selective" the results of its
products too; while its backward pass runs, all that it would have kept is there once more, of one
layer at a time. What is done again: of the products all but a layer's last, with "selective" none;
attention's way forward; and what lies between products, on the way forward a third of both ways.
"""

from math import ceil

from msgspec import Struct

from qmpi.config.train import TrainSettings
from qmpi.planning.shape import Shape, layer_matrices

FLOAT = 4

FORWARD = 1 / 3
"""Share of the way forward in what a layer moves beside its products."""

ATTENTION_FORWARD = 1 / 3.5
"""Share of the way forward in attention: two products of seven, counted by half."""


class Again(Struct, frozen=True):
    """What is done again, as shares of what is done without checkpoints.

    Attributes:
        products: operations of matrix products, a token.
        attention: share of attention's operations.
        sweeps: share of what layers move.
    """

    products: float = 0.0
    attention: float = 0.0
    sweeps: float = 0.0


def checkpointed_layers(train: TrainSettings, layers: int) -> int:
    """Return how many layers are checkpointed: the first, and one of so many from there."""
    return 0 if train.checkpointing == "none" else ceil(layers / train.checkpoint_every)


def kept_by_layers(train: TrainSettings, shape: Shape, whole: float, size: int) -> float:
    """Return what all blocks keep for backward, bytes a token.

    Args:
        train: which layers are checkpointed, and how.
        shape: of the model.
        whole: what a layer keeps that is not checkpointed.
        size: bytes of an element of the compute type.
    """
    some = checkpointed_layers(train, shape.blocks)
    if not some:
        return shape.blocks * whole
    least = FLOAT * shape.width
    if train.checkpointing == "selective":
        least += size * (shape.query + 2 * shape.key + 2 * shape.ffn_width + 2 * shape.width)
    # In turn one of them holds all that it did not keep.
    return some * min(least, whole) + (shape.blocks - some) * whole + whole


def done_again(train: TrainSettings, shape: Shape) -> Again:
    """Return what checkpointed layers compute again.

    Args:
        train: which layers are checkpointed, and how.
        shape: of the model.
    """
    some = checkpointed_layers(train, shape.blocks)
    share = some / shape.blocks
    last = shape.ffn_width * shape.width
    full = train.checkpointing == "full"
    return Again(
        products=2.0 * some * (layer_matrices(shape, active=True) - last) * full,
        attention=share * ATTENTION_FORWARD,
        sweeps=share * FORWARD,
    )
