"""What is done to a flat sum of integers as a whole: wrapping, padding, and back to floats."""

from torch import Tensor

from qmpi.training.flat_state import Layout, Slot


def gaps(layout: Layout) -> list[slice]:
    """Return the padding behind parameters that have any."""
    slots = sorted(layout.slots, key=lambda slot: slot.start)
    starts = [*(slot.start for slot in slots[1:]), layout.total]
    ends = [slot.start + slot.size for slot in slots]
    return [slice(end, start) for end, start in zip(ends, starts, strict=True) if end < start]


def span_of(slot: Slot, flat: Tensor) -> Tensor:
    """Return what a flat buffer has of a parameter."""
    return flat[slot.start : slot.start + slot.size]


def wrapped(number: int) -> int:
    """Return the int32 that a number becomes modulo 2**32."""
    return (number + 2**31) % 2**32 - 2**31


def spread(total: Tensor, units: Tensor, chunk: int, mean: Tensor) -> None:
    """Multiply each chunk by its unit.

    Args:
        total: int32 [n].
        units: float32, one a chunk.
        chunk: elements of a chunk.
        mean: float32 [n], overwritten.
    """
    count = total.numel() // chunk
    # One product of int and float would take half as long again.
    mean.copy_(total)
    mean[: count * chunk].view(-1, chunk).mul_(units[:count].unsqueeze(1))
    mean[count * chunk :].mul_(units[count:])
