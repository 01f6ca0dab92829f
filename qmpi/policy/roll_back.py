"""Going back by itself: from which spike, to which step, past which data.

Theory of operation. Data that a run stumbles over is not bad for good: it is bad for the weights of
that moment (Chowdhery et al. 2022, PaLM, section 5.1). So the run goes back to some steps before
the spike, and the blocks of the steps in between are passed over. Which blocks a step trains on is
arithmetic over the hyperparameter log; a record of the log, from the step that the run goes back
to, lets the stream go on behind the spike. Nothing else is another way.

To go back to a step means to take the newest copy of it or of an earlier one, and to do the steps
between again. So a copy must be old enough. If none is, the run goes back to the oldest there is.
Before the first checkpoint of a run there are the initial weights, which are always at hand.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from qmpi.config.guard import GuardSettings
from qmpi.config.settings import Settings
from qmpi.policy.hyperparameters import Log, carried_on, hyperparameters_at
from qmpi.protocol.batch import Batch, begun_batch, first_block
from qmpi.protocol.roll_back import RollBack
from qmpi.units import Step


def may_roll_back(guard: GuardSettings, done: int) -> bool:
    """Return whether a run goes back by itself after a spike at which it stops.

    Args:
        guard: under which the run would go on.
        done: roll backs of the run so far.
    """
    return guard.is_on and guard.action == "roll_back" and done < guard.most_roll_backs


def step_before(spike: int, guard: GuardSettings) -> Step:
    """Return the step that a run shall go back to if there is a copy so old.

    Args:
        spike: step that stood out.
        guard: how far back.
    """
    return Step(max(0, spike - guard.back_steps))


def step_with_copy(spike: int, settings: Settings, copies: Sequence[int]) -> Step:
    """Return the step that a run goes back to.

    Args:
        spike: step that stood out.
        settings: how far back, and when a run writes its first checkpoint.
        copies: steps of the whole copies of the state that there are, in any order.

    Returns:
        `step_before`, if it is before the first checkpoint of a run, or a copy of it or of an
        earlier step is there, or none at all of a step up to the spike; else the step of the oldest
        copy.
    """
    wanted = step_before(spike, settings.guard)
    if wanted < settings.snapshot.disk_every_steps:
        return wanted
    return Step(max(wanted, min((step for step in copies if step <= spike), default=wanted)))


def roll_back_to(log: Log, spike: int, step: int, most: int) -> RollBack:
    """Return the roll back from a spike to a step.

    Args:
        log: the hyperparameter log that the spike was trained under.
        spike: step that stood out.
        step: to go back to.
        most: lanes of the job.
    """
    block = first_block(hyperparameters_at(log, spike).batch, spike + 1, most)
    return RollBack(Step(spike), Step(step), block)


def rolled_back(log: Log, wanted: Settings, roll_back: RollBack) -> Log:
    """Return the log of a run that goes back by itself.

    Args:
        log: the hyperparameter log so far.
        wanted: the job as it goes on.
        roll_back: from where to where.

    Returns:
        The log; its records from that step on fall away, and the last one passes over the data. A
        schedule that was planned anew on the way is planned anew where the run goes on.
    """
    step = roll_back.back_to
    kept = carried_on(log, wanted, step, replanned=True)
    held = kept[-1]
    new = replace(held, first_step=step, batch=_moved(held.batch, wanted, roll_back))
    return (*(record for record in kept if record.first_step < step), new)


def _moved(batch: Batch | None, wanted: Settings, roll_back: RollBack) -> Batch | None:
    """Return the rule by which the stream goes on behind the spike; lanes grow as they would."""
    if batch is None:
        return begun_batch(wanted, roll_back.back_to, roll_back.block)
    passed = roll_back.block - first_block(batch, roll_back.back_to, batch.most)
    return replace(batch, block=batch.block + passed)


def roll_back_text(settings: Settings) -> str:
    """Say how far a job goes back at a spike, and whether its checkpoints reach so far.

    Args:
        settings: the job.

    Returns:
        Text for people; "" if it does not go back by itself.
    """
    guard, snapshot = settings.guard, settings.snapshot
    if not may_roll_back(guard, 0):
        return ""
    # The run that stops at a spike writes a checkpoint too; the one before it may be of that step.
    needed = 2 - -guard.back_steps // snapshot.disk_every_steps
    told = f"{guard.back_steps} steps before a spike, {guard.most_roll_backs} times at most"
    if snapshot.keep >= needed:
        return told
    return (
        f"{told}; WARNING: checkpoints so old are not kept, so that it may go back less far: set "
        f"snapshot.keep to {needed} or more, or fewer guard.back_steps"
    )
