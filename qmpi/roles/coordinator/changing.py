"""What steps are trained with changes while the job runs. Part of the coordinator."""

from msgspec.structs import replace

from qmpi.policy.batch import grown
from qmpi.policy.hyperparameters import Log
from qmpi.protocol.journal import HyperparametersChanged
from qmpi.roles.coordinator.record import Record
from qmpi.units import Seconds


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
    why = f"the noise scale is at least {2 * log[-1].batch.lanes} lanes"
    return (HyperparametersChanged(now, record.committed, longer, why),)
