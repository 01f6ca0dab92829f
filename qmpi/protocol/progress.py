"""Steps: granted by the coordinator, reported by trainers."""

from collections.abc import Sequence

from msgspec import Struct

from qmpi.protocol.hyperparameters import Hyperparameters
from qmpi.units import Digest, Generation, Step

UNDEFINED = -1.0
"""Stands for a loss or norm that is not finite: JSON has no word for those."""

MAX_SKIPPED = 20
"""Steps skipped in a row after which the run counts as diverged."""


class Grant(Struct, frozen=True, tag="grant"):
    """Trainers may apply all steps below `until`.

    Attributes:
        generation: group it is for.
        until: first step that may not be applied yet.
        snapshot_steps: steps, up to `until`, whose state before them is copied to RAM.
        checkpoint_steps: those of them that also go to disk.
        hyperparameters: the log, if it has changed since the group was formed; else empty.
        revision: of the oldest directory that has the recipes of these steps.
    """

    generation: Generation
    until: Step
    snapshot_steps: tuple[int, ...] = ()
    checkpoint_steps: tuple[int, ...] = ()
    hyperparameters: tuple[Hyperparameters, ...] = ()
    revision: int = 0


class StepTimes(Struct, frozen=True):
    """Where the time of a step went, in seconds, as one member saw it; parts do not overlap.

    Of a report they add up to the time from the end of the step before to the end of this one, an
    evaluation between them left out.

    Attributes:
        data: waiting for blocks, as far as nothing else was done meanwhile.
        forward: the loss of the lanes, tokens to the device included.
        backward: their gradients, without the sweep inside it.
        sweep: arithmetic of the sum over lanes: gradients to integers, their sum, and back.
        communication: the reduction and the vote, as far as nothing else was done meanwhile, the
            wait for slower members included.
        optimizer: clipping and the update.
        digest: of the weights.
        snapshot: copying the state, which holds up the next step.
        other: nothing of these: waiting for a grant, turns of the driver, a profile being written.
        hidden: the reduction, as far as gradients were computed meanwhile; no part, but beside
            them. 0 where the step was computed on a GPU, whose host cannot see it.
    """

    data: float = 0.0
    forward: float = 0.0
    backward: float = 0.0
    sweep: float = 0.0
    communication: float = 0.0
    optimizer: float = 0.0
    digest: float = 0.0
    snapshot: float = 0.0
    other: float = 0.0
    hidden: float = 0.0


class ExpertLoads(Struct, frozen=True):
    """How evenly tokens went to the experts of a step, in the layer where it was least even.

    Attributes:
        layer: which, from 0.
        largest: load of the expert that most tokens wanted, in mean loads; 1: all even.
        smallest: of the one that fewest wanted.
        dropped: share of all choices, of all layers, that met a full expert; 0 without a capacity.
    """

    layer: int
    largest: float
    smallest: float
    dropped: float = 0.0


LOSS_GRID = 1 << 10
"""Steps of one nat, of a loss that is told as an integer."""


class SourceLoss(Struct, frozen=True, array_like=True):
    """What the tokens of one source cost in a step; sums over all lanes.

    Attributes:
        source: its number; all that were added to the run count as the one behind the job file's.
        tokens: how many were predicted.
        loss: of them, in units of 1 / `LOSS_GRID` nats.
        answers: those among them that belong to answers of generated problems.
        answer_loss: of these, likewise.
        problems: answers that are whole where they are computed.
        solved: those of which each token is given more than half: a loss below ln 2.
    """

    source: int
    tokens: int
    loss: int
    answers: int = 0
    answer_loss: int = 0
    problems: int = 0
    solved: int = 0


class StepReport(Struct, frozen=True, tag="step_report"):
    """A step was applied; told once, by the member that the group's order names.

    Attributes:
        generation: group that computed it.
        step: the step applied.
        lane_losses: mean cross-entropy per token of each lane, in nats, in lane order; `UNDEFINED`:
            not finite.
        block_digests: digest of the block that each lane trained on, in lane order.
        gradient_norm: global norm before clipping; `UNDEFINED`: not finite, so the update was
            skipped.
        learning_rate: rate used.
        weight_digest: digest of the weights after the step; "" when not due.
        seconds: wall time of the step on this trainer.
        wait_seconds: time spent waiting for blocks before it.
        redone: passes repeated because a scale overflowed, of the integers or of the loss.
        updates: updates in the weights after the step; steps less these were skipped. -1: not told.
        times: where its time went.
        loss_scale: that gradients were computed with, a power of two; 1: none is used.
        spike: what stood out so far that the update was not applied, "loss" or "norm"; "": nothing.
        halts: nothing is trained after this step, because of it.
        lane_square: mean over the lanes of the squared norm of each one's gradient; `UNDEFINED`:
            not measured, or not finite.
        experts: loads of experts; None: the model has none, or the step was skipped.
        ahead_losses: mean cross-entropy per token, in nats, of the tokens 1, 2 and more beyond the
            next, of all lanes; `UNDEFINED`: not finite; empty: they are not predicted.
        sources: losses by source; empty: the update was skipped, or nobody knows them.
    """

    generation: Generation
    step: Step
    lane_losses: tuple[float, ...]
    block_digests: tuple[Digest, ...]
    gradient_norm: float
    learning_rate: float
    weight_digest: Digest
    seconds: float
    wait_seconds: float
    redone: int = 0
    updates: int = -1
    times: StepTimes = StepTimes()
    loss_scale: float = 1.0
    spike: str = ""
    halts: bool = False
    lane_square: float = UNDEFINED
    experts: ExpertLoads | None = None
    ahead_losses: tuple[float, ...] = ()
    sources: tuple[SourceLoss, ...] = ()


def is_skipped(gradient_norm: float) -> bool:
    """Return whether a step with this norm changed nothing but the counters.

    Args:
        gradient_norm: as in `StepReport`.
    """
    return gradient_norm < 0.0


def mean_loss(lane_losses: Sequence[float]) -> float | None:
    """Return the mean over the lanes whose loss is finite, summed in lane order.

    Args:
        lane_losses: as in `StepReport`.

    Returns:
        Nats per token; None if no lane has a finite loss.
    """
    finite = [loss for loss in lane_losses if loss >= 0.0]
    total = 0.0
    for loss in finite:
        total += loss
    return total / len(finite) if finite else None


def undefined_lanes(lane_losses: Sequence[float]) -> int:
    """Return how many lanes have a loss that is not finite.

    Args:
        lane_losses: as in `StepReport`.
    """
    return sum(loss < 0.0 for loss in lane_losses)
