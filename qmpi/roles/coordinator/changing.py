"""What steps are trained with changes while the job runs. Part of the coordinator."""

from qmpi.policy.batch import grown
from qmpi.policy.hyperparameters import (
    Log,
    hyperparameters_at,
    with_batch,
    with_halving,
    with_staged,
)
from qmpi.protocol.journal import HyperparametersChanged
from qmpi.protocol.staged import Staged
from qmpi.roles.coordinator.grants import Grants
from qmpi.roles.coordinator.record import Record
from qmpi.roles.coordinator.teams import Groups
from qmpi.units import Seconds, Step

HALVE = "all go on with microbatches of half as many sequences, twice as many a lane"
"""What is done where a member has no memory for a step."""


class Changes:
    """Takes changes into record, groups and grants alike."""

    def __init__(self, record: Record, groups: Groups, grants: Grants) -> None:
        """Nothing changes yet.

        Args:
            record: knows the steps.
            groups: tell the next members.
            grants: tell those of now.
        """
        self.record, self.groups, self.grants = record, groups, grants
        self._halves = False

    def halve_next(self) -> None:
        """Let the next group begin with smaller microbatches."""
        self._halves = True

    def halved(self, step: Step, now: Seconds) -> tuple[HyperparametersChanged, ...]:
        """Halve the microbatches of the next group, if that is due.

        Args:
            step: first step of the group.
            now: clock.

        Returns:
            The record to append, or nothing.
        """
        wanted, self._halves = self._halves, False
        if not wanted:
            return ()
        changed = halving(self.groups.hyperparameters, self.record, step, now)
        self._take(changed)
        self.groups.branches = tuple(self.record.branches)
        return changed

    def grown(self, now: Seconds) -> tuple[HyperparametersChanged, ...]:
        """Let the batch grow after a commit, if that is due.

        Args:
            now: clock.

        Returns:
            The record to append, or nothing.
        """
        changed = growth(self.groups.hyperparameters, self.record, now)
        self._take(changed)
        return changed

    def staged(
        self, staged: Staged | None, step: Step, why: str, now: Seconds
    ) -> tuple[HyperparametersChanged, ...]:
        """Set what the stage of a curriculum sets, if it is not set already.

        Args:
            staged: what it sets.
            step: first step under it, of which nothing is handed out yet.
            why: in words.
            now: clock.

        Returns:
            The record to append, or nothing.
        """
        log = self.groups.hyperparameters
        if hyperparameters_at(log, step).staged == staged:
            return ()
        longer = with_staged(log, staged, step)
        changed = (HyperparametersChanged(now, self.record.committed, longer, why),)
        self._take(changed)
        return changed

    def _take(self, changed: tuple[HyperparametersChanged, ...]) -> None:
        for record in changed:
            self.record.take(record)
            self.groups.hyperparameters = self.grants.changed = record.hyperparameters


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
    longer = with_batch(log, batch)
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
