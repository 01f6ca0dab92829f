"""Steps: granted by the coordinator, reported by trainers."""

from msgspec import Struct

from qmpi.units import Digest, Generation, Step


class Grant(Struct, frozen=True, tag="grant"):
    """Trainers may apply all steps below `until`.

    Attributes:
        generation: group it is for.
        until: first step that may not be applied yet.
        snapshot_steps: steps, up to `until`, whose state before them is copied to RAM.
        checkpoint_steps: those of them that also go to disk.
    """

    generation: Generation
    until: Step
    snapshot_steps: tuple[int, ...] = ()
    checkpoint_steps: tuple[int, ...] = ()


class StepReport(Struct, frozen=True, tag="step_report"):
    """A step was applied; told once, by the member that the group's order names.

    Attributes:
        generation: group that computed it.
        step: the step applied.
        lane_losses: mean cross-entropy per token of each lane, in nats, in lane order.
        block_digests: digest of the block that each lane trained on, in lane order.
        gradient_norm: global norm before clipping.
        learning_rate: rate used.
        weight_digest: digest of the weights after the step; "" when not due.
        seconds: wall time of the step on this trainer.
        wait_seconds: part of it spent waiting for blocks.
        redone: passes repeated because the integer scale overflowed.
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
