"""What steps are trained with changes while the job runs. Part of the coordinator."""

from msgspec.structs import replace

from qmpi.policy.batch import grown
from qmpi.policy.hyperparameters import Log, with_halving
from qmpi.protocol.journal import HyperparametersChanged
from qmpi.roles.coordinator.record import Record
from qmpi.units import Seconds, Step

HALVE = "all go on with microbatches of half as many sequences, twice as many a lane"
"""What is done where a member has no memory for a step."""


def growth(log: Log, record: Record, now: Seconds) -> tuple[HyperparametersChanged, ...]:
    """Decide after a commit whether the batch grows.

    Args:
        log: the hyperparameter log; empty: nothing can grow.
        record: what is committed.
        now: clock.

    Returns:
        The record to append, or nothing.
    """
    if not log or log[-1].batch is None:
        return ()
    batch = grown(log[-1].batch, record.outcomes.noises, record.committed)
    if batch is None or batch.since >= log[-1].steps:
        return ()
    longer = (*log, replace(log[-1], first_step=batch.since, batch=batch))
    before, lanes = log[-1].batch.lanes, batch.lanes
    why = f"{lanes} lanes from step {batch.since} on: the noise scale is at least {2 * before}"
    return (HyperparametersChanged(now, record.committed, longer, why),)


def halving(
    log: Log, record: Record, step: Step, now: Seconds
) -> tuple[HyperparametersChanged, ...]:
    """Halve the microbatches of all members, from the step that a group begins with.

    Args:
        log: the hyperparameter log.
        record: what is committed.
        step: first step of the group.
        now: clock.

    Returns:
        The record to append. It begins a branch: a copy of a later step may be of another story,
        in which that step was done with larger microbatches.
    """
    longer = with_halving(log, step)
    back = min(step, record.committed)
    why = f"smaller microbatches from step {step} on: a member had no memory for a step"
    return (HyperparametersChanged(now, record.committed, longer, why, back),)
