"""A run that a spike stops, and one that goes back by itself. Part of the coordinator.

Theory of operation. A job never goes back itself: what was granted, copied and reported after the
spike would have to be taken back among living members. It ends, and whoever starts the run again
finds in the journal that its last step is a spike at which it stopped. If the guard says so, the
run is then opened further back. So it does not matter who starts it, nor who dies meanwhile, and
once the opening is written down it is done.
"""

from shlex import quote

from qmpi.config.settings import Settings
from qmpi.policy.roll_back import may_roll_back, roll_back_to, step_before, step_with_copy
from qmpi.protocol.journal import StepCommitted
from qmpi.protocol.progress import mean_loss
from qmpi.protocol.roll_back import RollBack
from qmpi.roles.coordinator.agreement import log_before
from qmpi.roles.coordinator.facts import RunFacts
from qmpi.roles.coordinator.outcomes import in_a_row
from qmpi.roles.coordinator.record import Record
from qmpi.roles.coordinator.teams import Groups
from qmpi.units import Step


def goes_back(record: Record, settings: Settings) -> bool:
    """Return whether a run that stopped at its last step goes back by itself.

    Args:
        record: of the run.
        settings: the job as it goes on.
    """
    stopped = record.outcomes.stopped_at is not None
    return stopped and may_roll_back(settings.guard, len(record.roll_backs))


def way_back(
    run: RunFacts, record: Record, settings: Settings, groups: Groups
) -> tuple[RollBack | None, str]:
    """Return where a run that is started again goes by itself.

    Args:
        run: the run so far, and whether the user goes back: then it does not by itself.
        record: of the starts before.
        settings: the job as it goes on.
        groups: know the copies that the ranks have brought.

    Returns:
        The roll back, if there is one, and why it cannot be done; "" if it can.
    """
    spike = record.outcomes.stopped_at
    if spike is None or run.back_to >= 0 or not goes_back(record, settings):
        return None, ""
    copies = groups.whole_steps(spike.step)
    step = step_with_copy(spike.step, settings, copies)
    lost = [kept for kept in record.checkpoints if kept <= step]
    if step > 0 and lost and not any(copy <= step for copy in copies):
        why = (
            f"the run shall go back to step {step}, but no checkpoint of that step or an earlier "
            f"one can be read, though that of step {max(lost)} was kept; bring it back, or go on "
            'behind the spike with --set guard.action="stop", or begin anew with --back-to 0'
        )
        return None, why
    log = log_before(run, settings)
    return roll_back_to(log, spike.step, step, settings.train.lanes), ""


def opened_back(roll_back: RollBack, settings: Settings) -> str:
    """Say where a run has gone back to by itself.

    Args:
        roll_back: from where to where.
        settings: the job as it goes on.

    Returns:
        Text for people.
    """
    wanted = step_before(roll_back.spike, settings.guard)
    short = f", the oldest that there is a copy of; {wanted} was wanted"
    return (
        f"step {roll_back.spike} was a spike, and the run goes back to step {roll_back.back_to}"
        f"{short if roll_back.back_to > wanted else ''}; the data up to the spike is passed over"
    )


def why_halted(spike: StepCommitted, record: Record, settings: Settings, directory: str) -> str:
    """Say why the run stops.

    Args:
        spike: the step after which nothing is trained.
        record: of the run, up to and with that step.
        settings: the job.
        directory: of the run.

    Returns:
        Text for people: what stood out, and how to go on.
    """
    loss = mean_loss(spike.lane_losses)
    found = {
        "loss": f"its loss of {loss or 0.0:.4g} stands out",
        "norm": f"the norm of its gradient, {spike.gradient_norm:.4g}, stands out",
    }
    many = in_a_row(record.outcomes.spikes, record.committed)
    row = f", the last of {many} in a row" if many > 1 else ""
    return (
        f"step {spike.step} is a spike{row}: {found.get(spike.spike, 'it stands out')}, so its "
        f"update was not applied, and {_what_follows(spike.step, record, settings, directory)}"
    )


def _what_follows(spike: Step, record: Record, settings: Settings, directory: str) -> str:
    resume, guard = f"`qmpi train --resume {quote(directory)}`", settings.guard
    if goes_back(record, settings):
        return (
            f"[guard] says to go back to step {step_before(spike, guard)} and past the data: the "
            f"next start does that, by {resume} if nothing else starts it; `--set "
            "guard.action=skip` goes on with the data after it"
        )
    done = len(record.roll_backs)
    times = f"gone back {done} time{'' if done == 1 else 's'} by itself"
    full = f"the run has {times}, which is all that guard.most_roll_backs allows"
    why = full if guard.action == "roll_back" else "[guard] says to stop"
    return (
        f"{why}; {resume} goes on with the data after it; `--set guard.loss_spike=0 --set "
        "guard.norm_spike=0` lets all steps pass"
    )
