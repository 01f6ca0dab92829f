"""Contradictions of sums that send less than lanes have."""

from collections.abc import Iterator

from qmpi.config.exact_sum import LEAST_NARROW_BITS, narrow_bits
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.units import Bytes

WHOLE_BITS = 32
FLOAT = 4
"""Bytes of a number of a residual."""


def compression_contradictions(settings: Settings) -> Iterator[str]:
    """Say why a job's lanes cannot send less than they have.

    Args:
        settings: the job; each field legal by itself.

    Yields:
        One sentence each.
    """
    yield from _idle(settings.train)
    yield from compression_faults(settings)


def sends_less(train: TrainSettings) -> bool:
    """Return whether lanes keep a part of what they have.

    Args:
        train: the settings.
    """
    return train.reduction_bits < WHOLE_BITS or train.compression != "none"


def kept_bytes(train: TrainSettings, parameters: int) -> Bytes:
    """Return what one lane keeps between steps.

    Args:
        train: the settings.
        parameters: that a rank holds.

    Returns:
        Bytes; 0: nothing. Bases of "powersgd" come to little, and are left out.
    """
    return Bytes(FLOAT * parameters if sends_less(train) else 0)


def compression_faults(settings: Settings) -> Iterator[str]:
    """Say what does not go together with lanes that send less than they have.

    Args:
        settings: the job.

    Yields:
        One sentence each.
    """
    train, batch, parallel = settings.train, settings.batch, settings.parallel
    if not sends_less(train):
        return
    asked = _asked(train)
    if train.reduction == "fast":
        yield (
            f'{asked} is a sum of integers, and train.reduction = "fast" one of floats: leave out '
            "one of them"
        )
    if train.compression != "none" and train.reduction_bits < WHOLE_BITS:
        yield (
            f'train.compression = "{train.compression}" has integers of its own: leave out '
            f"train.reduction_bits = {train.reduction_bits}"
        )
    bits = narrow_bits(train.lanes)
    if train.reduction_bits < WHOLE_BITS and bits < LEAST_NARROW_BITS:
        yield (
            f"{asked} sums in 16 bits, and train.lanes = {train.lanes} leaves a lane {bits} of "
            f"them: {LEAST_NARROW_BITS} at least, so use fewer lanes of more microbatches"
        )
    if batch.first_lanes:
        yield (
            f"batch.first_lanes = {batch.first_lanes}: with {asked} all lanes take part in all "
            "steps, for each has something kept; leave it out"
        )
    if train.compression == "powersgd" and parallel.context * parallel.expert > 1:
        yield (
            f"parallel.context = {parallel.context}, parallel.expert = {parallel.expert}: ranks "
            "that share the gradient of a matrix cannot make a basis of it each; set 1, or another "
            "train.compression"
        )


def _asked(train: TrainSettings) -> str:
    if train.compression != "none":
        return f'train.compression = "{train.compression}"'
    return f"train.reduction_bits = {train.reduction_bits}"


def _idle(train: TrainSettings) -> Iterator[str]:
    """Say which settings mean nothing beside the others."""
    defaults = TrainSettings()
    for field, kind in (
        ("compression_share", "topk"),
        ("compression_warmup", "topk"),
        ("compression_rank", "powersgd"),
    ):
        value = getattr(train, field)
        if value != getattr(defaults, field) and train.compression != kind:
            yield (
                f'train.{field} = {value:g} says nothing unless train.compression = "{kind}": '
                "leave it out"
            )
