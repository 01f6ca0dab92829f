"""What a step came to, and the reduced gradient that an update is made of."""

import math
from dataclasses import dataclass

from qmpi.protocol.hyperparameters import Hyperparameters
from qmpi.protocol.progress import UNDEFINED, ExpertLoads, StepTimes


@dataclass(frozen=True)
class StepOutcome:
    """What a step gave; equal on all members but for `seconds`.

    Attributes:
        step: the step applied.
        lane_losses: mean cross-entropy per token of every lane, in nats; -1.0: not finite.
        block_digests: digest of the block of every lane.
        gradient_norm: global norm before clipping; -1.0: not finite, the update was skipped.
        learning_rate: rate used.
        weight_digest: digest of the weights after the step; "" when not due.
        seconds: wall time on this member.
        redone: passes repeated because the integer scale overflowed.
        times: where the time went, on this member.
        updates: updates in the weights after the step; steps less these were skipped.
        experts: their loads; None: there are none, or the step was skipped.
    """

    step: int
    lane_losses: tuple[float, ...]
    block_digests: tuple[str, ...]
    gradient_norm: float
    learning_rate: float
    weight_digest: str
    seconds: float
    redone: int
    times: StepTimes
    updates: int
    experts: ExpertLoads | None = None


@dataclass(frozen=True)
class Held:
    """A reduced gradient at hand: what `apply_held` needs besides the gradient itself.

    Attributes:
        step: that it belongs to.
        norm: of the gradient before clipping; not finite: the update is skipped.
        redone: passes repeated because the integer scale overflowed.
        digest_due: compute the weight digest.
        started: when the step began, by the engine's clock.
        hyperparameters: what the step is trained with.
    """

    step: int
    norm: float
    redone: int
    digest_due: bool
    started: float
    hyperparameters: Hyperparameters


def finite(value: float) -> float:
    """Return a finite value as it is, others as `UNDEFINED`."""
    return value if math.isfinite(value) else UNDEFINED
