"""When the number of lanes changes: at the beginning, by the user, or since noise says so.

Theory of operation. "linear" and "doubling" are arithmetic, see `qmpi.protocol.batch`. With "noise"
the lanes double once the noise scale, measured over `grow_steps` steps since the last change, is at
least twice the batch: then even the larger batch is not above it. The decision is a pure function
of the committed steps. It holds from `LEAD_STEPS` later on, which is further than steps are ever
granted ahead of a commit: so nobody has begun, or asked for a block of, a step that it changes.
"""

from collections.abc import Sequence
from itertools import takewhile

from msgspec.structs import replace

from qmpi.config.batch import LEAD_STEPS
from qmpi.policy.noise import Noise
from qmpi.protocol.batch import Batch, first_block, lanes_at
from qmpi.units import Step


def grown(batch: Batch | None, noises: Sequence[Noise], committed: int) -> Batch | None:
    """Decide whether the lanes double.

    Args:
        batch: the newest rule.
        noises: what the committed steps tell of noise, ascending.
        committed: how many steps are committed.

    Returns:
        The rule from `committed + LEAD_STEPS` on; None if nothing changes.
    """
    if batch is None or batch.settings.grow != "noise" or batch.lanes >= batch.most:
        return None
    first = committed - batch.settings.grow_steps
    if first < batch.since:
        return None
    told = list(takewhile(lambda noise: noise.step >= first, reversed(noises)))
    variance, square = sum(n.variance for n in told), sum(n.square for n in told)
    # Not as a quotient: where noise hides the gradient, the square may come out below 0.
    if not told or variance <= 0.0 or variance < 2.0 * batch.lanes * square:
        return None
    step = Step(committed + LEAD_STEPS)
    lanes = min(batch.most, 2 * batch.lanes)
    return replace(batch, since=step, block=first_block(batch, step, batch.most), lanes=lanes)


def batch_changes(old: Batch | None, new: Batch | None, step: int) -> list[str]:
    """Say how the rules of two neighbouring records differ.

    Args:
        old: rule of the earlier record.
        new: rule of the later one.
        step: first one under the later.

    Returns:
        A clause on the lanes or none, and one on blocks that are passed over or none.
    """
    if new is None or old == new:
        return []
    begin, end = (first_block(batch, step, new.most) for batch in (old, new))
    passed = [f"blocks {begin} to {end - 1} of the stream are passed over"] if end > begin else []
    return [*_lane_changes(old, new, step), *passed]


def _lane_changes(old: Batch | None, new: Batch, step: int) -> list[str]:
    lanes = [lanes_at(batch, step, new.most) for batch in (old, new)]
    fixed = new.settings.is_fixed if old is None else old.settings == new.settings
    if fixed and lanes[0] == lanes[1]:
        return []
    before = old.lanes if old is not None else new.most
    if old is not None and old.settings == new.settings and new.settings.grow in ("noise", "none"):
        who = "the noise scale" if new.settings.grow == "noise" else "the stage"
        return [f"lanes {before} -> {new.lanes}, as {who} says"]
    rule = new.settings
    told = f'batch.grow = "{rule.grow}" from {new.lanes} lanes'
    return [f"{told} over {rule.grow_steps} steps" if rule.grow != "none" else told]
