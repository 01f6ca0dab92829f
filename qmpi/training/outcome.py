"""What a step came to, and the reduced gradient that an update is made of."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qmpi.config.loss_scale import LossScale
from qmpi.errors import UserError
from qmpi.protocol.hyperparameters import Hyperparameters
from qmpi.protocol.progress import MAX_SKIPPED, UNDEFINED, ExpertLoads, SourceLoss, StepTimes
from qmpi.protocol.spikes import NO_LEVELS, Levels


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
        redone: passes repeated because a scale overflowed.
        times: where the time went, on this member.
        updates: updates in the weights after the step; steps less these were skipped.
        loss_scale: that the step ended with; a power of two, 1: none is used.
        spike, halts, lane_square: as in `qmpi.protocol.progress.StepReport`.
        experts: their loads; None: there are none, or the step was skipped.
        ahead_losses, sources: as in `qmpi.protocol.progress.StepReport`.
        owes_digest: the digest is due, and the team that tells it together is not there.
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
    loss_scale: float = 1.0
    spike: str = ""
    halts: bool = False
    lane_square: float = UNDEFINED
    experts: ExpertLoads | None = None
    ahead_losses: tuple[float, ...] = ()
    sources: tuple[SourceLoss, ...] = ()
    owes_digest: bool = False


@dataclass(frozen=True)
class Held:
    """A reduced gradient at hand: what `apply_held` needs besides the gradient itself.

    Attributes:
        step: that it belongs to.
        norm: of the gradient before clipping; not finite: the update is skipped.
        redone: passes repeated because a scale overflowed.
        scale: of the loss, in the last pass.
        digest_due: compute the weight digest.
        started: when the step began, by the engine's clock.
        hyperparameters: what the step is trained with.
        spike: what of the step stands out, as its guard judges; the update is then left out.
        levels: of loss and norm after the step.
    """

    step: int
    norm: float
    redone: int
    scale: LossScale
    digest_due: bool
    started: float
    hyperparameters: Hyperparameters
    spike: str = ""
    levels: Levels = NO_LEVELS


def diverged(held: Held) -> UserError:
    """Return what is said of a run whose updates are skipped again and again.

    Args:
        held: of the last of its steps.
    """
    return UserError(
        f"the gradient was not finite in {MAX_SKIPPED} steps in a row, up to step {held.step}: "
        "the run has diverged at this learning rate"
    )


def finite(value: float) -> float:
    """Return a finite value as it is, others as `UNDEFINED`."""
    return value if math.isfinite(value) else UNDEFINED


def lane_square(squares: Sequence[float]) -> float:
    """Return the mean over the lanes, summed in lane order.

    Args:
        squares: squared norm of each lane's gradient; empty: not measured.

    Returns:
        The mean; `UNDEFINED` if there is none.
    """
    return means([(square,) for square in squares])[0] if squares else UNDEFINED


def means(lanes: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """Return the means over the lanes, summed in lane order.

    Args:
        lanes: what each tells of as many things.

    Returns:
        One for each thing; `UNDEFINED` where it is not finite.
    """
    if not lanes:
        return ()
    # Not `sum`, which rounds in another way in other versions of Python.
    totals = [0.0] * len(lanes[0])
    for lane in lanes:
        totals = [total + told for total, told in zip(totals, lane, strict=True)]
    return tuple(finite(total / len(lanes)) for total in totals)
