"""When a job's layers are worth compiling: a function of its shape and of the kind of device."""

from typing import Literal

from qmpi.config.train import TrainSettings

WORTH = {"cpu": 10**12, "cuda": 10**14}
"""Operations of a step from which on "auto" compiles: ten seconds of one core, or a good part of a
second of a GPU. A hundred such steps take as long as compiling does, some of them several times."""


def is_worth_compiling(
    train: TrainSettings, flops_per_token: float, device: Literal["cpu", "cuda"]
) -> bool:
    """Return whether a job's layers shall be compiled, a compiler provided.

    Args:
        train: what the job says of it, and the batch.
        flops_per_token: operations of training on a token.
        device: kind of it.
    """
    if train.compile != "auto":
        return train.compile == "on"
    if train.checkpointing == "selective" or train.precision == "float8":
        # A compiled layer is one operation: there is nothing to select. Float8 was never compiled.
        return False
    tokens = train.lanes * train.microbatches * train.sequences * train.sequence_tokens
    return tokens * flops_per_token >= WORTH[device]
