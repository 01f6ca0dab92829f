"""Does it follow from the journal where a run went by itself? Part of the audit."""

from collections.abc import Mapping

from qmpi.policy.hyperparameters import Log, block_of, hyperparameters_at
from qmpi.policy.roll_back import roll_back_to, step_before
from qmpi.protocol.journal import RunOpened, StepCommitted
from qmpi.protocol.roll_back import RollBack


def roll_back_fault(
    steps: Mapping[int, StepCommitted], before: Log, opened: RunOpened, told: RollBack
) -> str:
    """Derive a roll back anew.

    Args:
        steps: those that stood until then, from 0 on, judged.
        before: the hyperparameter log that they were trained under.
        opened: how the run went on.
        told: what that says of the roll back.

    Returns:
        What is wrong with it, in words; "" if nothing is. A step later than the guard says is
        right: the run goes back to the oldest copy of the state that there is.
    """
    after, most = opened.hyperparameters, opened.lanes
    if not before or not after or opened.back_to != told.back_to:
        return f"the run says both that it went back to step {opened.back_to} and to {told.back_to}"
    last = steps.get(len(steps) - 1)
    if last is None or last.step != told.spike or not (last.spike and last.halts):
        return f"the run went back from step {told.spike}, but its last step was no such spike"
    guard = hyperparameters_at(after, told.back_to).guard
    if guard.action != "roll_back":
        return f"the run went back from step {told.spike}, but by its guard it does not"
    if not step_before(told.spike, guard) <= told.back_to <= told.spike:
        return (
            f"the run went back from step {told.spike} to {told.back_to}, where its guard says "
            f"{guard.back_steps} steps"
        )
    derived = roll_back_to(before, told.spike, told.back_to, most).block
    if told.block != derived or block_of(after, told.back_to, 0, most) != derived:
        return (
            f"the run went back from step {told.spike} to go on with block {derived} of the "
            f"stream, but tells of block {told.block} and goes on with block "
            f"{block_of(after, told.back_to, 0, most)}"
        )
    return ""
