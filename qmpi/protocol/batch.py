"""How many lanes a step has, and which blocks of the stream they are: arithmetic, no state.

Theory of operation. The stream is a row of blocks, numbered through; each step takes the next ones,
as many as it has lanes. Where that number is the same for all steps, block `step * lanes + lane`
belongs to (step, lane). Where it grows, a `Batch` says from which step on by which rule, and which
block that step begins with; then the first block of any later step is a sum that has a closed form.
So a step's data stay an address, and every block is trained on exactly once whatever the batch did.
"""

from math import sqrt
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from qmpi.config.batch import BatchSettings
from qmpi.protocol.staged import staged_of
from qmpi.units import Step

if TYPE_CHECKING:
    # Whoever only reads records does without: it costs the start of each command.
    from qmpi.config.settings import Settings


class Batch(Struct, frozen=True):
    """A rule for the number of lanes; valid from `since` on until another takes its place.

    Attributes:
        settings: section [batch] of the job.
        most: lanes of the job.
        since: step that it counts from.
        block: blocks of the stream that the steps before `since` have used.
        lanes: of step `since`; 1 <= lanes <= most.
    """

    settings: BatchSettings
    most: int
    since: Step
    block: int
    lanes: int


def rule_of(settings: BatchSettings) -> BatchSettings:
    """Return what of a section decides the lanes.

    Args:
        settings: section [batch].
    """
    return replace(settings, noise_scale=False, halve_microbatches=False)


def begun_batch(settings: "Settings", step: Step, block: int) -> Batch | None:
    """Return the rule that a job begins with at a step.

    Args:
        settings: the job.
        step: first step under it.
        block: blocks of the stream that the steps before it have used.

    Returns:
        None if each step has all lanes, and had.
    """
    most, rule = settings.train.lanes, rule_of(settings.batch)
    staged = staged_of(settings, 1)
    first = staged.lanes if staged is not None else 0
    if rule.is_fixed and block == step * most and not first:
        return None
    return Batch(rule, most, step, block, first or rule.first_lanes or most)


def lanes_at(batch: Batch | None, step: int, most: int) -> int:
    """Return how many lanes a step has.

    Args:
        batch: the rule that holds for it; None: all lanes, always.
        step: not before `batch.since`.
        most: lanes of the job.

    Returns:
        1 <= lanes <= most; it never falls from step to step.
    """
    if batch is None:
        return most
    rule, gone = batch.settings, step - batch.since
    if rule.grow in ("none", "noise"):
        return batch.lanes
    if gone >= rule.grow_steps:
        return batch.most
    if rule.grow == "linear":
        return batch.lanes + (batch.most - batch.lanes) * gone // rule.grow_steps
    return min(batch.most, batch.lanes << (_doublings(batch) * gone // rule.grow_steps))


def first_block(batch: Batch | None, step: int, most: int) -> int:
    """Return how many blocks of the stream the steps before a step use.

    Args:
        batch: the rule that holds for it, or for the step before; None: all lanes, always.
        step: not before `batch.since`.
        most: lanes of the job.

    Returns:
        The number of the block of its lane 0.
    """
    if batch is None:
        return step * most
    rule, gone = batch.settings, step - batch.since
    if rule.grow in ("none", "noise"):
        return batch.block + gone * batch.lanes
    growing = min(gone, rule.grow_steps)
    if rule.grow == "linear":
        added = floor_sum(growing, rule.grow_steps, batch.most - batch.lanes)
        used = growing * batch.lanes + added
    else:
        used = _doubled(batch, growing)
    return batch.block + used + (gone - growing) * batch.most


def rate_factor(batch: Batch | None, step: int) -> float:
    """Return what the learning rate of a step is multiplied by for its number of lanes.

    Args:
        batch: the rule that holds for it; None: all lanes, always.
        step: not before `batch.since`.

    Returns:
        0 < factor <= 1; 1 with all lanes, which the job's rate is meant for.
    """
    if batch is None or batch.settings.rate == "none":
        return 1.0
    share = lanes_at(batch, step, batch.most) / batch.most
    return sqrt(share) if batch.settings.rate == "sqrt" else share


def _doublings(batch: Batch) -> int:
    """Return how often the lanes double until there are all."""
    return ((batch.most - 1) // batch.lanes).bit_length()


def _doubled(batch: Batch, steps: int) -> int:
    """Return the blocks of the first steps of a batch that doubles."""
    doublings, over = _doublings(batch), batch.settings.grow_steps
    used = 0
    for number in range(doublings):
        # Steps whose lanes have doubled `number` times: from the ceiling of number / doublings on.
        begin, end = (-(-n * over // doublings) for n in (number, number + 1))
        used += max(0, min(steps, end) - begin) * min(batch.most, batch.lanes << number)
    return used if doublings else steps * batch.lanes


def floor_sum(count: int, divisor: int, factor: int) -> int:
    """Return the sum of `factor * i // divisor` over 0 <= i < count.

    Args:
        count: >= 0.
        divisor: >= 1.
        factor: >= 0.

    Returns:
        The sum, in a number of operations that grows as the logarithm of the arguments.
    """
    total, offset = 0, 0
    while True:
        total += count * (count - 1) // 2 * (factor // divisor) + count * (offset // divisor)
        factor, offset = factor % divisor, offset % divisor
        top = factor * count + offset
        if top < divisor:
            return total
        # The points under the line are counted along the other axis.
        count, offset, divisor, factor = top // divisor, top % divisor, factor, divisor
