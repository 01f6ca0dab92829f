"""A run that a spike stops: said so that a reader can judge. Part of the coordinator."""

from shlex import quote

from qmpi.protocol.journal import StepCommitted
from qmpi.protocol.progress import mean_loss
from qmpi.roles.coordinator.outcomes import in_a_row
from qmpi.roles.coordinator.record import Record


def why_halted(spike: StepCommitted, record: Record, directory: str) -> str:
    """Say why the run stops.

    Args:
        spike: the step after which nothing is trained.
        record: of the run, up to and with that step.
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
        "update was not applied, and [guard] says to stop; `qmpi train --resume "
        f"{quote(directory)}` goes on with the data after it; `--set guard.loss_spike=0 --set "
        "guard.norm_spike=0` lets all steps pass"
    )
