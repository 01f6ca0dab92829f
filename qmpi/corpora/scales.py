"""The loss scales of a run, derived anew from what its steps came to."""

from collections.abc import Mapping

from qmpi.config.loss_scale import FIRST, HALVINGS, UNSCALED, LossScale
from qmpi.protocol.journal import StepCommitted
from qmpi.protocol.progress import is_skipped


def check_scales(steps: Mapping[int, StepCommitted], precision: str) -> str:
    """Derive the loss scale of each step anew from what the steps before it came to.

    Args:
        steps: those that stand, from 0 on.
        precision: type that matrices are multiplied in, as the job says.

    Returns:
        The first fault in words; "" if there is none.
    """
    scale = LossScale(FIRST) if precision == "float16" else UNSCALED
    for number, record in sorted(steps.items()):
        tries = min(record.redone, HALVINGS, scale.exponent)
        possible = [2.0 ** (scale.exponent - lower) for lower in range(tries + 1)]
        if record.loss_scale not in possible:
            return (
                f"step {number} was computed with the loss scale {record.loss_scale:g}, where at "
                f"most {scale.factor:g} held and {record.redone} passes were done again"
            )
        scale = scale.lowered(possible.index(record.loss_scale))
        if precision == "float16":
            is_update = not is_skipped(record.gradient_norm)
            scale = scale.after_update() if is_update else scale.after_skip()
    return ""
